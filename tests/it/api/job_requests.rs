//! What is asked of jobs over HTTP: what is refused and how, waiting, text, pages and events.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer};

over_both_stores! {
    what_cannot_be_asked_for,
    what_is_not_there,
    a_journal_is_gone_through_only_by_its_job,
    what_a_job_cannot_do_any_more,
    waiting_for_the_end,
    a_job_in_words,
    a_removal_is_confirmed_by_its_own_name,
    what_is_done_instead_is_said,
    jobs_are_listed_by_pages,
    events_end_with_the_job,
    jobs_are_for_administrators,
}

const NUMBER: &str = "+14155550100";
const CONVERT: &str = "/v2/maintenance/convert_carrier";
/// What can be asked of a job.
const ACTIONS: [&str; 5] = ["cancel", "pause", "resume", "apply", "revert"];

async fn keep(world: &World) {
    world.keep(NUMBER, json!({"pvt_module_name": "knm_telnyx", "pvt_state": "available"})).await;
}

fn conversion() -> Value {
    json!({"target": "knm_inventory", "scope": {"numbers": [NUMBER]}})
}

fn with(mut data: Value, key: &str, value: Value) -> Value {
    data[key] = value;
    data
}

async fn post(world: &World, path: &str, data: &Value) -> Answer {
    world.ask(Who::Admin, Method::POST, path, Some(data)).await
}

async fn get(world: &World, path: &str) -> Answer {
    world.ask(Who::Admin, Method::GET, path, None).await
}

/// A finished conversion of the number.
async fn done(world: &World, data: &Value) -> String {
    let job = post(world, &format!("{CONVERT}?wait=20"), data).await.data(200);
    job["id"].as_str().unwrap().to_owned()
}

/// The job itself is looked at first: whether it is a plan, and whether it has ended.
async fn a_journal_is_gone_through_only_by_its_job(world: &World) {
    keep(world).await;
    let job = done(world, &conversion()).await;
    let before = world.everything().await;
    for operation in ["apply", "revert"] {
        let path = format!("/v2/maintenance/{operation}?wait=20");
        post(world, &path, &json!({"job": job})).await.check_status(404);
    }
    assert_eq!(world.everything().await, before);
}

async fn what_cannot_be_asked_for(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let option = |name: &str, value: Value| (name.to_owned(), with(conversion(), name, value));
    let scope = |value: Value| ("scope".to_owned(), with(conversion(), "scope", value));
    let mut cases = vec![
        option("page_size", json!(0)),
        option("page_size", json!(5001)),
        option("page_size", json!("many")),
        option("concurrency", json!(0)),
        option("concurrency", json!(65)),
        option("pause_ms", json!(-1)),
        option("pause_ms", json!(60_001)),
        option("dry_run", json!("yes")),
        option("confirm", json!("purge")),
        option("confirm", json!(true)),
        option("force", json!("perhaps")),
        option("target", json!(1)),
        option("unheard_of", json!(1)),
        option("options", json!(5)),
        scope(json!({})),
        scope(json!("all")),
        scope(json!({"all": false})),
        scope(json!({"all": true, "numbers": [NUMBER]})),
        scope(json!({"numbers": []})),
        scope(json!({"numbers": NUMBER})),
        scope(json!({"numbers": [1]})),
        scope(json!({"accounts": [ACCOUNT]})),
        scope(json!({"accounts": ["x"]})),
        scope(json!({"databases": ["+141"]})),
        scope(json!({"databases": ["numbers%2F+1415"]})),
        scope(json!({"places": ["+1415"]})),
        ("scope".to_owned(), json!({"target": "knm_inventory"})),
        ("target".to_owned(), json!({"scope": {"numbers": [NUMBER]}})),
        ("source".to_owned(), json!({"target": "knm_inventory", "scope": {"all": true}})),
    ];
    cases.push(("page_size".to_owned(), with(conversion(), "options", json!({"page_size": 0}))));
    cases.push(("speed".to_owned(), with(conversion(), "options", json!({"speed": 1}))));
    for (member, data) in cases {
        let answer = post(world, &format!("{CONVERT}?wait=20"), &data).await;
        answer.check_status(400);
        let said = answer.json();
        assert_eq!(said["message"], "validation error", "{data}: {said}");
        assert!(said["data"][&member].is_object(), "{data}: {said}");
    }
    // A request that cannot be answered begins nothing either.
    let answer = post(world, &format!("{CONVERT}?wait=long"), &conversion()).await;
    answer.check_error(
        404,
        "faulty_request",
        &json!({"message": "wait must be a number of seconds"}),
    );
    let unknown = json!({"message": "bad identifier", "cause": "unheard_of"});
    let answer = post(world, "/v2/maintenance/unheard_of", &conversion()).await;
    answer.check_error(404, "bad_identifier", &unknown);
    assert_eq!(get(world, "/v2/jobs").await.data(200), json!([]));
    assert_eq!(world.everything().await, before);
}

async fn what_is_not_there(world: &World) {
    keep(world).await;
    let data = json!({"message": "bad identifier", "cause": "nope"});
    for action in ACTIONS {
        let answer = post(world, &format!("/v2/jobs/nope/{action}"), &json!({})).await;
        answer.check_error(404, "bad_identifier", &data);
    }
    for rest in ["", "?wait=1", "/plan", "/journal", "/events"] {
        get(world, &format!("/v2/jobs/nope{rest}")).await.check_error(404, "bad_identifier", &data);
    }
    // What wrote has a journal, what did not has a plan.
    let wrote = done(world, &conversion()).await;
    let planned = done(world, &with(conversion(), "dry_run", json!(true))).await;
    get(world, &format!("/v2/jobs/{wrote}/plan")).await.check_status(404);
    get(world, &format!("/v2/jobs/{planned}/journal")).await.check_status(404);
    get(world, &format!("/v2/jobs/{wrote}/journal")).await.check_status(200);
    get(world, &format!("/v2/jobs/{planned}/plan")).await.check_status(200);
}

async fn what_a_job_cannot_do_any_more(world: &World) {
    keep(world).await;
    let wrote = done(world, &conversion()).await;
    let planned = done(world, &with(conversion(), "dry_run", json!(true))).await;
    let before = world.everything().await;
    for (id, actions) in [
        (&wrote, &["cancel", "pause", "resume", "apply"][..]),
        (&planned, &["cancel", "pause", "resume", "revert"]),
    ] {
        for action in actions {
            let answer = post(world, &format!("/v2/jobs/{id}/{action}"), &json!({})).await;
            let message = format!("job {id} is succeeded");
            let data = json!({"message": message, "job": id, "state": "succeeded"});
            answer.check_error(409, "job_state", &data);
        }
        world
            .ask(Who::Admin, Method::DELETE, &format!("/v2/jobs/{id}"), None)
            .await
            .check_status(409);
    }
    assert_eq!(world.everything().await, before);
}

async fn waiting_for_the_end(world: &World) {
    keep(world).await;
    let began = post(world, CONVERT, &conversion()).await;
    let id = began.json()["data"]["id"].as_str().unwrap().to_owned();
    // It may be over before it is answered.
    if began.status.as_u16() == 202 {
        assert_eq!(began.header("location"), Some(format!("/v2/jobs/{id}").as_str()));
    }
    let ended = get(world, &format!("/v2/jobs/{id}?wait=20")).await.data(200);
    assert_eq!(ended["state"], "succeeded");
    let token = world.app.admin();
    let ask = world.app.ask(Method::POST, CONVERT).token(&token).header("Prefer", "wait=20");
    let preferred = ask.data(&conversion()).send().await.data(200);
    assert_eq!(preferred["counts"]["unchanged"], 1);
    get(world, &format!("/v2/jobs/{id}?wait=soon")).await.check_status(404);
}

async fn a_job_in_words(world: &World) {
    keep(world).await;
    let token = world.app.admin();
    let ask = |path: &str, data: &Value| {
        let ask = world.app.ask(Method::POST, path).token(&token);
        ask.header("Accept", "text/plain").data(data).send()
    };
    let told = ask(CONVERT, &conversion()).await;
    told.check_status(200);
    assert_eq!(told.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = "updated carrier module to knm_inventory for 1:\n+14155550100\n\
        updating carrier module failed for 0:\n";
    assert_eq!(told.text, text);
    let refused =
        ask("/v2/maintenance/sup", &json!({"command": "fix_number", "args": ["a"]})).await;
    refused.check_status(400);
    assert_eq!(refused.text, "usage: fix_number ACCOUNT NUMBER\n");
}

/// The operations that this build has and that remove something, with an old name for each.
fn removals(world: &World) -> Vec<(&'static str, Value)> {
    let known = [
        ("remove_wrong_assignments", json!({"command": "remove_wrong_assigned_from_accounts"})),
        (
            "remove_orphan_numbers",
            json!({"command": "destructively_remove_from_number_dbs_if_not_in_accountdb"}),
        ),
        (
            "remove_orphan_mirrors",
            json!({"command": "destructively_remove_from_account_db_if_not_in_numdb"}),
        ),
        ("purge", json!({"command": "purge_deleted"})),
        ("delete_numbers", json!({"command": "delete", "args": ["4155550199"]})),
    ];
    let is_there = |name: &str| {
        let operations = world.app.jobs().operations();
        operations.iter().any(|operation| operation.name() == name && operation.is_destructive())
    };
    known.into_iter().filter(|(name, _)| is_there(name)).collect()
}

async fn a_removal_is_confirmed_by_its_own_name(world: &World) {
    keep(world).await;
    for (operation, command) in removals(world) {
        let run = async |data: &Value| post(world, "/v2/maintenance/sup?wait=20", data).await;
        let dry = run(&command).await.data(200);
        assert_eq!(
            (&dry["operation"], &dry["options"]["dry_run"]),
            (&json!(operation), &json!(true))
        );
        run(&with(command.clone(), "dry_run", json!(false))).await.check_status(400);
        run(&with(command.clone(), "confirm", json!("yes"))).await.check_status(400);
        let name = command["command"].clone();
        let wet = run(&with(command.clone(), "confirm", name.clone())).await.data(200);
        assert_eq!(wet["options"]["dry_run"], false);
        // The old name confirms the old command only.
        let path = format!("/v2/maintenance/{operation}?wait=20");
        let data = json!({"scope": {"all": true}, "confirm": name});
        post(world, &path, &data).await.check_status(400);
    }
}

async fn what_is_done_instead_is_said(world: &World) {
    let gone = json!({"command": "generate_js_classifiers", "args": ["fun"]});
    let said = post(world, "/v2/maintenance/sup", &gone).await.data(200);
    assert!(said["instead"].as_str().unwrap().contains("phone_numbers/classifiers"), "{said}");
    let is_there = |name: &str| world.app.jobs().operations().iter().any(|it| it.name() == name);
    if is_there("refresh_views") {
        let register = json!({"command": "register_views"});
        let job = post(world, "/v2/maintenance/sup?wait=20", &register).await.data(200);
        assert_eq!(job["operation"], "refresh_views");
        assert!(job["instead"].as_str().unwrap().starts_with("There is no register"), "{job}");
    }
}

async fn jobs_are_listed_by_pages(world: &World) {
    keep(world).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, done(world, &conversion()).await);
    }
    let (mut seen, mut place) = (Vec::new(), String::new());
    loop {
        let page = get(world, &format!("/v2/jobs?page_size=2{place}")).await;
        let rows = page.data(200);
        seen.extend(rows.as_array().unwrap().iter().map(|job| job["id"].clone()));
        assert!(seen.len() <= ids.len(), "{seen:?}");
        match page.json()["next_start_key"].as_str() {
            Some(next) => place = format!("&start_key={next}"),
            None => break,
        }
    }
    assert_eq!(json!(seen), json!(ids));
    for size in ["0", "many", "1001"] {
        let answer = get(world, &format!("/v2/jobs?page_size={size}")).await;
        let data = json!({"message": "page_size is out of range"});
        answer.check_error(404, "faulty_request", &data);
    }
}

async fn events_end_with_the_job(world: &World) {
    keep(world).await;
    let slow = json!({
        "source": "knm_telnyx", "target": "knm_inventory", "scope": {"all": true}, "page_size": 1,
        "pause_ms": 20,
    });
    for place in 1..20 {
        let number = format!("+1415555{place:04}");
        let members = json!({"pvt_module_name": "knm_telnyx", "pvt_state": "available"});
        world.keep(&number, members).await;
    }
    let job = post(world, CONVERT, &slow).await.data(202);
    let id = job["id"].as_str().unwrap();
    for _ in 0..2 {
        // The second time the job has ended before.
        let followed = get(world, &format!("/v2/jobs/{id}/events")).await;
        followed.check_status(200);
        assert_eq!(followed.header("content-type"), Some("text/event-stream"));
        let last = followed.text.trim_end().rsplit("\n\n").next().unwrap();
        let data = last.strip_prefix("event: job\ndata: ").unwrap();
        let last: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&last["id"], &last["state"]), (&json!(id), &json!("succeeded")));
        assert_eq!(last["counts"]["changed"], 20);
    }
}

async fn jobs_are_for_administrators(world: &World) {
    keep(world).await;
    let id = done(world, &conversion()).await;
    let forbidden = json!({"message": "forbidden"});
    let mut asked = vec![(Method::GET, "/v2/jobs".to_owned())];
    for rest in ["", "/journal", "/events"] {
        asked.push((Method::GET, format!("/v2/jobs/{id}{rest}")));
    }
    asked.extend(ACTIONS.map(|action| (Method::POST, format!("/v2/jobs/{id}/{action}"))));
    asked.push((Method::DELETE, format!("/v2/jobs/{id}")));
    for (method, path) in asked {
        world.check_refused((HOLDER, method, &path, None), 403, "forbidden", &forbidden).await;
    }
}
