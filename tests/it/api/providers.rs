//! Who provides features: the humans that are asked, a provider that is not there, and one that does
//! as it is told.

use std::sync::Arc;

use axum::http::Method;
use number_manager::{
    domain::{Actor, Clock, E164, FixedClock},
    providers::{Notice, Registry, Subject, Switch},
    service::{NumberService, Terms, Update},
    store::DbName,
};
use serde_json::{Value, json};

use super::{
    features::{about, held, of_carrier, of_reseller},
    world::{
        HOLDER, NUMBER, UNLIMITED, Who, World, number_db, number_error, numbers, over_both_stores,
    },
};
use crate::support::{
    app::{ACCOUNT, TestApp, service},
    providers::{Recorder, SCRIPTED, Script, Scripted},
};

over_both_stores! {
    a_human_is_asked_for_a_caller_name_that_is_new,
    a_human_is_asked_about_emergency_addresses,
    an_absent_provider_is_named_and_nothing_is_stored,
    what_an_absent_provider_put_on_a_number_is_taken_off_by_a_human,
    ports_are_asked_for_once_and_reported,
    messages_by_hand_are_told_to_those_who_switch,
    a_provider_is_called_when_its_features_change,
    a_provider_is_called_when_a_number_goes,
    a_denied_feature_reaches_no_provider,
    what_a_provider_refuses_is_not_stored,
    what_was_provided_is_taken_back_when_the_save_loses,
    numbers_of_a_batch_are_provided_for_one_by_one,
    a_rehearsal_asks_and_tells_nobody,
}

fn address(street: &str) -> Value {
    json!({"street_address": street, "locality": "X", "region": "CA", "postal_code": "94105"})
}

fn e911(street: &str) -> Value {
    json!({ "e911": address(street) })
}

/// A process whose notices can be read.
async fn recording(world: &World) -> (TestApp, Recorder) {
    let recorder = Recorder::default();
    let notifier = Arc::new(recorder.clone());
    let change = |service: NumberService| service.with_notifier(notifier);
    (TestApp::serving(world.store.clone(), UNLIMITED, change).await, recorder)
}

/// A process with the scripted provider of emergency addresses.
async fn scripted(world: &World, script: Script) -> (TestApp, Scripted) {
    let settings = json!({"default": {"e911_provider": SCRIPTED}});
    let settings = serde_json::from_value(settings).unwrap();
    world.put(DbName::new("system_config"), "number_manager", settings).await;
    let provider = Scripted::new(script);
    let registry = Registry::with(provider.clone());
    let change = |service: NumberService| service.with_providers(registry);
    (TestApp::serving(world.store.clone(), UNLIMITED, change).await, provider)
}

fn subjects(recorder: &Recorder) -> Vec<Subject> {
    recorder.notices().into_iter().map(|notice| notice.subject).collect()
}

async fn a_human_is_asked_for_a_caller_name_that_is_new(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    let (app, recorder) = recording(world).await;
    let named = |name: &str| json!({"cnam": {"display_name": name, "inbound_lookup": true}});
    about(&app, HOLDER, Method::PATCH, "", &named("ACME")).await.check_status(200);
    let [notice]: [Notice; 1] = recorder.notices().try_into().unwrap();
    assert_eq!(notice.subject, Subject::Cnam(json!({"display_name": "ACME"})));
    assert_eq!(notice.number.as_str(), NUMBER);
    assert_eq!(notice.account.unwrap().as_str(), ACCOUNT);
    assert_eq!((notice.state.as_str(), notice.is_local), ("in_service", false));
    assert_eq!(notice.asked_by, ACCOUNT);
    let features = world.document(NUMBER).await.unwrap().body["pvt_features"].clone();
    let wanted = json!({
        "outbound_cnam": {"display_name": "ACME"}, "inbound_cnam": {"inbound_lookup": true},
    });
    assert_eq!(features, wanted);
    for same in [named("ACME"), json!({"a": 1}), json!({"cnam": {"inbound_lookup": false}})] {
        about(&app, HOLDER, Method::PATCH, "", &same).await.check_status(200);
        assert_eq!(subjects(&recorder), [], "{same}");
    }
    let refused = json!({"cnam": {"display_name": "B"}, "failover": {"e164": "+14155550101"}});
    about(&app, HOLDER, Method::PATCH, "", &refused).await.check_status(403);
    about(&app, HOLDER, Method::POST, "", &json!({})).await.check_status(200);
    assert_eq!(subjects(&recorder), [], "a name that is refused or goes is nobody's work");
}

async fn a_human_is_asked_about_emergency_addresses(world: &World) {
    for from in ["system", "reseller"] {
        world.clear().await;
        world.keep(NUMBER, held(&json!({}))).await;
        let settings = json!({"e911_provider": "knm_e911_notifier"});
        if from == "system" {
            world.configured(settings).await;
        } else {
            of_reseller(world, settings).await;
        }
        let (app, recorder) = recording(world).await;
        let send = async |method: Method, rest: &str, data: Value| {
            let answer = about(&app, HOLDER, method, rest, &data).await;
            assert!(answer.status.is_success(), "{}", answer.text);
            answer.json()["data"]["features"].clone()
        };
        assert_eq!(send(Method::PATCH, "", e911("1 Main St")).await, json!(["e911"]));
        assert_eq!(subjects(&recorder), [Subject::E911(Switch::On, address("1 Main St"))]);
        send(Method::PATCH, "", e911("1 Main St")).await;
        assert_eq!(subjects(&recorder), []);
        send(Method::PATCH, "", e911("2 Main St")).await;
        assert_eq!(subjects(&recorder), [Subject::E911(Switch::On, address("2 Main St"))]);
        assert_eq!(send(Method::PUT, "/reserve", json!({})).await, json!(["e911"]));
        assert_eq!(subjects(&recorder), [], "it is held in reserve, too");
        assert_eq!(send(Method::POST, "", json!({})).await, json!([]));
        assert_eq!(subjects(&recorder), [Subject::E911(Switch::Off, address("2 Main St"))]);
        send(Method::PATCH, "", e911("3 Main St")).await;
        recorder.notices();
        assert_eq!(send(Method::DELETE, "", json!({})).await, json!([]));
        let [notice]: [Notice; 1] = recorder.notices().try_into().unwrap();
        assert_eq!(notice.subject, Subject::E911(Switch::Off, address("3 Main St")));
        assert_eq!(notice.account.unwrap().as_str(), ACCOUNT, "who had it is said");
    }
}

async fn an_absent_provider_is_named_and_nothing_is_stored(world: &World) {
    for (settings, data, provider) in [
        (json!({}), e911("1 Main St"), "knm_dash_e911"),
        (json!({"e911_provider": "knm_telnyx_e911"}), e911("1 Main St"), "knm_telnyx_e911"),
        (
            json!({"cnam_provider": "knm_vitelity_cnam"}),
            json!({"cnam": {"inbound_lookup": true}}),
            "knm_vitelity_cnam",
        ),
    ] {
        world.clear().await;
        world.keep(NUMBER, held(&json!({}))).await;
        let app = world.configured(settings).await;
        let before = world.everything().await;
        let feature = if provider.ends_with("cnam") { "inbound_cnam" } else { "e911" };
        let cause = format!("provider '{provider}' of feature '{feature}' is not available");
        let wanted = number_error(501, "not_implemented", Some(&cause), &cause);
        for method in [Method::POST, Method::PATCH] {
            let answer = about(&app, HOLDER, method, "", &data).await;
            answer.check_error(501, "not_implemented", &wanted);
        }
        assert_eq!(world.everything().await, before);
    }
}

async fn what_an_absent_provider_put_on_a_number_is_taken_off_by_a_human(world: &World) {
    let action = Subject::ManualAction {
        feature: "e911",
        provider: "knm_dash_e911".to_owned(),
        switch: Switch::Off,
        to: Vec::new(),
    };
    for (method, rest) in [(Method::POST, ""), (Method::DELETE, ""), (Method::DELETE, "?hard=true")]
    {
        world.clear().await;
        let stored = address("1 Main St");
        let members = json!({"e911": stored, "pvt_features": {"e911": stored}});
        world.keep(NUMBER, held(&members)).await;
        let (app, recorder) = recording(world).await;
        let data = about(&app, HOLDER, Method::PATCH, "", &json!({"a": 1})).await.data(200);
        assert_eq!((&data["features"], &data["e911"]), (&json!(["e911"]), &stored));
        about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(501);
        assert_eq!(subjects(&recorder), []);
        about(&app, Who::Admin, method, rest, &json!({})).await.check_status(200);
        assert_eq!(subjects(&recorder), std::slice::from_ref(&action), "{rest}");
    }
    // What was asked for and never provided holds nobody up.
    world.clear().await;
    world.keep(NUMBER, held(&e911("1 Main St"))).await;
    let data = world.about(HOLDER, Method::PATCH, "", Some(&json!({"a": 1}))).await.data(200);
    assert_eq!(data["features"], json!([]));
}

async fn ports_are_asked_for_once_and_reported(world: &World) {
    let members = json!({"pvt_state": "port_in", "pvt_module_name": "knm_local"});
    world.keep(NUMBER, held(&members)).await;
    let (app, recorder) = recording(world).await;
    let port = json!({"service_provider": "Acme"});
    let data = json!({ "port": port });
    let answer = about(&app, HOLDER, Method::PATCH, "", &data).await;
    assert_eq!(answer.data(200)["features"], json!(["local", "port"]));
    assert_eq!(subjects(&recorder), [Subject::Port(port.clone())]);
    about(&app, HOLDER, Method::PATCH, "", &data).await.check_status(200);
    assert_eq!(subjects(&recorder), []);
    about(&app, HOLDER, Method::PUT, "/activate", &json!({})).await.check_status(201);
    assert_eq!(subjects(&recorder), [Subject::Ported(port)]);
    about(&app, HOLDER, Method::PATCH, "", &json!({"a": 1})).await.check_status(200);
    assert_eq!(subjects(&recorder), []);
}

async fn messages_by_hand_are_told_to_those_who_switch(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    let sms = json!({
        "enabled": true, "activation": "manual", "activation_notify_to": ["ops@example.com"],
    });
    of_carrier(world, "inventory", json!({ "sms": sms })).await;
    world.configured(json!({"features": {"allow": ["sms"]}})).await;
    let (app, recorder) = recording(world).await;
    let action = |switch| Subject::ManualAction {
        feature: "sms",
        provider: "knm_sms".to_owned(),
        switch,
        to: vec!["ops@example.com".to_owned()],
    };
    let answer = about(&app, HOLDER, Method::PATCH, "", &json!({"sms": {"enabled": true}})).await;
    let settings = answer.data(200)["_read_only"]["features"]["settings"].clone();
    assert_eq!(settings, json!({"sms": {"enabled": true, "activation": "manual"}}));
    assert_eq!(subjects(&recorder), [action(Switch::On)]);
    about(&app, HOLDER, Method::PATCH, "", &json!({"sms": {"enabled": false}}))
        .await
        .check_status(200);
    assert_eq!(subjects(&recorder), [action(Switch::Off)]);
}

async fn a_provider_is_called_when_its_features_change(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    let (app, provider) = scripted(world, Script::Obey).await;
    let answer = about(&app, HOLDER, Method::PATCH, "", &e911("1 Main St")).await;
    assert_eq!(answer.data(200)["e911"]["status"], "GEOCODED", "what it says is seen");
    assert_eq!(provider.calls(), [r#"provide none -> "1 Main St""#]);
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!(stored["pvt_features"]["e911"], stored["e911"]);
    let mut same = address("1 Main St");
    same["status"] = json!("GEOCODED");
    for data in [json!({"a": 1}), json!({"e911": same}), json!({"cnam": {"display_name": "A"}})] {
        about(&app, HOLDER, Method::PATCH, "", &data).await.check_status(200);
        assert_eq!(provider.calls(), Vec::<String>::new(), "{data}");
    }
    about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(200);
    about(&app, HOLDER, Method::POST, "", &json!({})).await.check_status(200);
    provider.called(&[r#"provide "1 Main St" -> "2 Main St""#, "settle none"]).await;
}

async fn a_provider_is_called_when_a_number_goes(world: &World) {
    let stored = address("1 Main St");
    let (app, provider) = scripted(world, Script::Obey).await;
    for rest in ["", "?hard=true"] {
        let members = json!({"e911": stored, "pvt_features": {"e911": stored}});
        if world.document(NUMBER).await.is_some() {
            about(&app, Who::Admin, Method::DELETE, "?hard=true", &json!({}))
                .await
                .check_status(200);
        }
        world.keep(NUMBER, held(&members)).await;
        about(&app, Who::Admin, Method::DELETE, rest, &json!({})).await.check_status(200);
        provider.called(&["settle none"]).await;
    }
}

async fn a_denied_feature_reaches_no_provider(world: &World) {
    world.keep(NUMBER, held(&json!({"pvt_features_denied": ["prepend"]}))).await;
    let (app, provider) = scripted(world, Script::Obey).await;
    let mut data = e911("1 Main St");
    data["prepend"] = json!({"enabled": true});
    about(&app, HOLDER, Method::PATCH, "", &data).await.check_status(403);
    assert_eq!(provider.calls(), Vec::<String>::new());
}

async fn what_a_provider_refuses_is_not_stored(world: &World) {
    let given = address("1 Main St");
    let offered = json!({"multiple_choice": {"e911": {
        "cause": given, "details": [given, given], "message": "more than one address found",
    }}});
    let message = format!("fault by provider '{SCRIPTED}'");
    let failed = number_error(500, "unspecified_fault", None, &message);
    let mut told = failed.clone();
    told["provider"] = json!({"name": SCRIPTED, "status": 403, "code": null, "reason": "closed"});
    let cases = [
        (HOLDER, Script::Offer, 400, "multiple_choice", offered),
        (HOLDER, Script::Fail, 500, "unspecified_fault", failed),
        // Why is for who runs the platform.
        (Who::Admin, Script::Fail, 500, "unspecified_fault", told),
    ];
    for (who, script, status, message, data) in cases {
        world.clear().await;
        world.keep(NUMBER, held(&json!({}))).await;
        let (app, _) = scripted(world, script).await;
        let before = world.everything().await;
        let answer = about(&app, who, Method::PATCH, "", &e911("1 Main St")).await;
        answer.check_error(status, message, &data);
        assert_eq!(world.everything().await, before);
    }
}

async fn what_was_provided_is_taken_back_when_the_save_loses(world: &World) {
    let stored = address("1 Main St");
    world.keep(NUMBER, held(&json!({"e911": stored, "pvt_features": {"e911": stored}}))).await;
    let race = Script::Race(world.store.clone(), number_db(NUMBER));
    let (app, provider) = scripted(world, race).await;
    let answer = about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await;
    assert_eq!(answer.data(200)["theirs"], 1, "what came in between is there");
    let step = r#""1 Main St" -> "2 Main St""#;
    let wanted = [format!("provide {step}"), format!("undo {step}"), format!("provide {step}")];
    assert_eq!(provider.calls(), wanted);
}

async fn numbers_of_a_batch_are_provided_for_one_by_one(world: &World) {
    let other = "+14155550101";
    world.keep(NUMBER, held(&json!({}))).await;
    world.keep(other, held(&json!({"pvt_features_denied": ["e911"]}))).await;
    let (app, provider) =
        scripted(world, Script::Race(world.store.clone(), number_db(NUMBER))).await;
    let mut data = e911("1 Main St");
    data["numbers"] = json!([NUMBER, other]);
    let ask = app.ask(Method::PATCH, &numbers("/collection")).token(&app.account(ACCOUNT));
    let data = ask.data(&data).send().await.data(200);
    assert_eq!(data["success"][NUMBER]["features"], json!(["e911"]));
    assert_eq!(data["success"][NUMBER]["theirs"], 1);
    let cause = "feature 'e911' is denied by the number's own lists, which deny it";
    let message = "requestor is unauthorized to perform operation";
    let denied = number_error(403, "forbidden", Some(cause), message);
    assert_eq!(data["error"], json!({ other: denied }));
    let step = r#"none -> "1 Main St""#;
    let wanted = [format!("provide {step}"), format!("undo {step}"), format!("provide {step}")];
    assert_eq!(provider.calls(), wanted);
}

async fn a_rehearsal_asks_and_tells_nobody(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    let (_app, _) = scripted(world, Script::Obey).await;
    let (provider, recorder) = (Scripted::new(Script::Obey), Recorder::default());
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at("2024-05-01T12:00:00Z".parse().unwrap()));
    let real = service(&world.store, &clock)
        .with_providers(Registry::with(provider.clone()))
        .with_notifier(Arc::new(recorder.clone()));
    let mut data = e911("1 Main St");
    data["cnam"] = json!({"display_name": "ACME"});
    let update = Update::Merge(data.as_object().unwrap().clone());
    let number = E164::parse(NUMBER).unwrap();
    let before = world.everything().await;
    let run = async |service: NumberService| {
        let update = update.clone();
        service.update(&Actor::operator(), &number, update, None, Terms::default()).await.unwrap()
    };
    let features = run(real.rehearsal()).await.number.features;
    assert_eq!(features.keys().collect::<Vec<_>>(), ["outbound_cnam", "e911"]);
    assert_eq!((provider.calls().len(), recorder.notices().len()), (0, 0));
    assert_eq!(world.everything().await, before);
    run(real).await;
    assert_eq!((provider.calls().len(), recorder.notices().len()), (1, 1));
}
