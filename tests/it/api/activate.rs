//! `PUT …/phone_numbers/{N}/activate`: putting a stored number in service.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, number_error, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_free_number_is_the_paths_accounts,
    what_is_sent_is_written_on_it,
    a_number_moves_with_its_copy,
    what_is_in_service_here_stays_as_it_is,
    what_is_not_stored_is_not_found,
    nothing_is_bought,
}

async fn a_free_number_is_the_paths_accounts(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let data = world.about(Who::Account(PARENT), Method::PUT, "/activate", None).await.data(201);
    assert_eq!((&data["id"], &data["state"]), (&json!(NUMBER), &json!("in_service")));
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_assigned_to"], ACCOUNT);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, document);
}

async fn what_is_sent_is_written_on_it(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available", "old": 1})).await;
    let sent = json!({"my": "x", "state": "aging", "pvt_state": "aging"});
    let data = world.about(HOLDER, Method::PUT, "/activate", Some(&sent)).await.data(201);
    assert_eq!((&data["my"], data.get("old")), (&json!("x"), None));
    assert_eq!(data["state"], "in_service");
}

async fn a_number_moves_with_its_copy(world: &World) {
    let members =
        json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER, "pvt_used_by": "callflow"});
    world.keep(NUMBER, members).await;
    let data = world.about(Who::Admin, Method::PUT, "/activate", None).await.data(201);
    assert_eq!(data.get("used_by"), None);
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_assigned_to"], ACCOUNT);
    assert_eq!(document["pvt_previously_assigned_to"], STRANGER);
    assert_eq!(world.copy(STRANGER, NUMBER).await, None);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, document);
}

async fn what_is_in_service_here_stays_as_it_is(world: &World) {
    let members = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_used_by": "callflow", "my": 1,
    });
    world.keep(NUMBER, members).await;
    let before = world.everything().await;
    let data = world.about(HOLDER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!((&data["used_by"], &data["my"]), (&json!("callflow"), &json!(1)));
    assert_eq!(world.everything().await, before);
}

async fn what_is_not_stored_is_not_found(world: &World) {
    let wanted = json!({
        "message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER,
    });
    let path = numbers(&format!("/{NUMBER}/activate"));
    for who in [HOLDER, Who::Admin] {
        let asked = (who, Method::PUT, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &wanted).await;
    }
    let wanted =
        number_error(400, "not_reconcilable", Some("abc"), "number abc is not reconcilable");
    let path = path_of(ACCOUNT, "/abc/activate");
    let asked = (HOLDER, Method::PUT, path.as_str(), None);
    world.check_refused(asked, 400, "not_reconcilable", &wanted).await;
}

async fn nothing_is_bought(world: &World) {
    let members: Value = json!({"pvt_state": "discovery", "pvt_module_name": "knm_telnyx"});
    world.keep(NUMBER, members).await;
    let mut wanted = number_error(500, "unspecified_fault", Some(NUMBER), "fault by carrier");
    wanted["carrier"] = json!({
        "name": "knm_telnyx", "status": null, "code": null, "reason": "this build cannot ask it",
    });
    let path = numbers(&format!("/{NUMBER}/activate"));
    let asked = (Who::Admin, Method::PUT, path.as_str(), None);
    world.check_refused(asked, 500, "unspecified_fault", &wanted).await;
}
