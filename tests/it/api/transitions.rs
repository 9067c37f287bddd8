//! Every step from every state, by endpoint: what an administrator can do, and then who else can.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, number_error, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    creating_over_a_stored_number,
    activating_a_stored_number,
    reserving_a_stored_number,
    releasing_a_stored_number,
    releasing_what_is_never_kept,
    numbers_of_mobile_devices_stay_in_service,
    what_others_may_do,
}

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Becomes {
    /// The state afterwards.
    State(&'static str),
    /// It exists already.
    Exists,
    /// The lifecycle has no such step; why.
    NoStep(&'static str),
    /// The account has it already.
    NoChange,
    Forbidden,
}
use Becomes::{Exists, Forbidden, NoChange, NoStep, State};

/// A new number each time.
fn fresh() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("+1415556{:04}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn owned_by(account: &str, state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": account})
}

fn free(state: &str) -> Value {
    json!({"pvt_state": state})
}

/// What is stored in a state when nothing else is said.
fn usual(state: &str) -> Value {
    match state {
        "reserved" | "in_service" | "port_in" | "port_out" => owned_by(ACCOUNT, state),
        _ => free(state),
    }
}

/// Stores a number, asks, and looks at answer and documents.
async fn check(
    world: &World,
    stored: Value,
    who: Who,
    (method, rest, data): (Method, &str, Option<&Value>),
    becomes: Becomes,
) {
    let number = fresh();
    world.keep(&number, stored.clone()).await;
    let path = numbers(&format!("/{number}{rest}"));
    let asked = (who, method.clone(), path.as_str(), data);
    let (status, error, cause, message) = match becomes {
        State(state) => {
            let answer = world.ask(who, method.clone(), &path, data).await;
            let status = if method == Method::PUT { 201 } else { 200 };
            assert_eq!(answer.data(status)["state"], state, "{stored} {who:?} {method} {rest}");
            let document = world.document(&number).await;
            let now = document.as_ref().map(|document| document.body["pvt_state"].clone());
            assert_eq!(now, (state != "deleted").then(|| state.into()));
            return;
        }
        Exists => {
            let message = format!("number {number} already exists");
            (409, "number_exists", Some(number.as_str()), message)
        }
        NoStep(cause) => {
            let message = "invalid state transition".to_owned();
            (400, "invalid_state_transition", Some(cause), message)
        }
        NoChange => (400, "no_change_required", None, "no change required".to_owned()),
        Forbidden => {
            let message = "requestor is unauthorized to perform operation".to_owned();
            (403, "forbidden", None, message)
        }
    };
    let data = number_error(status, error, cause, &message);
    world.check_refused(asked, status, error, &data).await;
}

async fn creating_over_a_stored_number(world: &World) {
    let create = async |stored: &str, wanted: &str, becomes: Becomes| {
        let data = json!({ "create_with_state": wanted });
        let ask = (Method::PUT, "", Some(&data));
        check(world, usual(stored), Who::Admin, ask, becomes).await;
    };
    create("available", "in_service", State("in_service")).await;
    create("available", "reserved", State("reserved")).await;
    create("available", "available", State("available")).await;
    create("available", "aging", State("aging")).await;
    create("available", "port_in", NoStep("from available to port_in")).await;
    create("aging", "in_service", State("in_service")).await;
    create("aging", "aging", State("aging")).await;
    create("aging", "reserved", NoStep("from aging to reserved")).await;
    create("aging", "available", NoStep("from aging to available")).await;
    create("aging", "port_in", NoStep("from aging to port_in")).await;
    create("port_in", "in_service", State("in_service")).await;
    create("port_in", "port_in", State("port_in")).await;
    create("port_in", "reserved", NoStep("from port_in to reserved")).await;
    create("port_in", "available", NoStep("from port_in to available")).await;
    create("port_in", "aging", NoStep("from port_in to aging")).await;
    for stored in ["reserved", "in_service", "released", "port_out"] {
        for wanted in ["in_service", "reserved", "available", "aging", "port_in"] {
            create(stored, wanted, Exists).await;
        }
    }
}

async fn activating_a_stored_number(world: &World) {
    let activate = async |stored: Value, becomes: Becomes| {
        check(world, stored, Who::Admin, (Method::PUT, "/activate", None), becomes).await;
    };
    for stored in ["available", "aging", "reserved", "in_service", "port_in"] {
        activate(usual(stored), State("in_service")).await;
    }
    for stored in ["reserved", "in_service", "port_in"] {
        activate(owned_by(STRANGER, stored), State("in_service")).await;
    }
    activate(usual("released"), NoStep("from released to in_service")).await;
    activate(usual("port_out"), NoStep("from port_out to in_service")).await;
}

async fn reserving_a_stored_number(world: &World) {
    let reserve = async |stored: Value, becomes: Becomes| {
        check(world, stored, Who::Admin, (Method::PUT, "/reserve", None), becomes).await;
    };
    reserve(usual("available"), State("reserved")).await;
    reserve(usual("in_service"), State("reserved")).await;
    reserve(owned_by(STRANGER, "in_service"), State("reserved")).await;
    reserve(owned_by(STRANGER, "reserved"), State("reserved")).await;
    reserve(usual("reserved"), NoChange).await;
    reserve(usual("aging"), NoStep("from aging to reserved")).await;
    reserve(usual("port_in"), NoStep("from port_in to reserved")).await;
    reserve(usual("released"), NoStep("from released to reserved")).await;
    reserve(usual("port_out"), NoStep("from port_out to reserved")).await;
}

async fn releasing_a_stored_number(world: &World) {
    let release = async |stored: &str, becomes: Becomes| {
        check(world, usual(stored), Who::Admin, (Method::DELETE, "", None), becomes).await;
    };
    for stored in ["reserved", "in_service", "port_in", "released"] {
        release(stored, State("aging")).await;
    }
    release("available", NoStep("from available to aging")).await;
    release("aging", NoStep("from aging to aging")).await;
    release("port_out", NoStep("from port_out to aging")).await;
}

async fn releasing_what_is_never_kept(world: &World) {
    let states =
        ["reserved", "in_service", "port_in", "released", "available", "aging", "port_out"];
    for state in states {
        let mut stored = usual(state);
        stored["pvt_module_name"] = json!("knm_local");
        check(world, stored, Who::Admin, (Method::DELETE, "", None), State("deleted")).await;
        let hard = (Method::DELETE, "?hard=true", None);
        check(world, usual(state), Who::Admin, hard, State("deleted")).await;
    }
}

async fn numbers_of_mobile_devices_stay_in_service(world: &World) {
    let mobile = |state: &str| {
        let mut stored = usual(state);
        stored["pvt_module_name"] = json!("knm_mdn");
        stored
    };
    let activate = || (Method::PUT, "/activate", None);
    let reserve = (Method::PUT, "/reserve", None);
    check(world, mobile("in_service"), Who::Admin, activate(), State("in_service")).await;
    let refused = NoStep("from available to in_service");
    check(world, mobile("available"), Who::Admin, activate(), refused).await;
    let refused = NoStep("from 'MDN' to reserved");
    check(world, mobile("in_service"), Who::Admin, reserve, refused).await;
    let release = (Method::DELETE, "", None);
    check(world, mobile("in_service"), Who::Admin, release, State("deleted")).await;
}

async fn what_others_may_do(world: &World) {
    let parent = Who::Account(PARENT);
    let put = async |stored: Value, who: Who, rest: &str, becomes: Becomes| {
        check(world, stored, who, (Method::PUT, rest, None), becomes).await;
    };
    // Free numbers are taken by anybody, aging ones by their last owner only.
    put(free("available"), HOLDER, "/activate", State("in_service")).await;
    put(free("available"), HOLDER, "/reserve", State("reserved")).await;
    put(free("available"), parent, "/activate", State("in_service")).await;
    put(free("aging"), HOLDER, "/activate", Forbidden).await;
    let last = json!({"pvt_state": "aging", "pvt_previously_assigned_to": ACCOUNT});
    put(last.clone(), HOLDER, "/activate", State("in_service")).await;
    put(last, parent, "/activate", State("in_service")).await;
    // Held numbers are their owners' and their ancestors'.
    for rest in ["/activate", "/reserve"] {
        for state in ["in_service", "reserved"] {
            put(owned_by(STRANGER, state), HOLDER, rest, Forbidden).await;
            put(owned_by(STRANGER, state), parent, rest, Forbidden).await;
        }
    }
    put(owned_by(PARENT, "in_service"), HOLDER, "/activate", Forbidden).await;
    put(owned_by(PARENT, "in_service"), parent, "/activate", State("in_service")).await;
    put(owned_by(PARENT, "reserved"), HOLDER, "/activate", State("in_service")).await;
    put(owned_by(PARENT, "reserved"), HOLDER, "/reserve", Forbidden).await;
    put(owned_by(PARENT, "reserved"), parent, "/reserve", State("reserved")).await;
    let release = async |stored: Value, who: Who, rest: &str, becomes: Becomes| {
        check(world, stored, who, (Method::DELETE, rest, None), becomes).await;
    };
    release(owned_by(ACCOUNT, "in_service"), HOLDER, "", State("aging")).await;
    release(owned_by(ACCOUNT, "in_service"), parent, "", State("aging")).await;
    release(owned_by(STRANGER, "in_service"), HOLDER, "", Forbidden).await;
    release(owned_by(PARENT, "reserved"), HOLDER, "", Forbidden).await;
    release(free("available"), HOLDER, "", Forbidden).await;
    release(free("released"), HOLDER, "", Forbidden).await;
    release(owned_by(ACCOUNT, "in_service"), HOLDER, "?hard=true", Forbidden).await;
    // The path says for whom a number is; the token says who asks.
    let number = fresh();
    world.keep(&number, owned_by(ACCOUNT, "in_service")).await;
    let path = path_of(STRANGER, &format!("/{number}/activate"));
    let forbidden = json!({"message": "forbidden"});
    let asked = (HOLDER, Method::PUT, path.as_str(), None);
    world.check_refused(asked, 403, "forbidden", &forbidden).await;
}
