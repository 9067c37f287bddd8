//! Every verb, asked by everybody: what the relation of a caller to a number's holder allows.
//!
//! The columns are the holder itself, the account above it, one below it, one beside it (of the same
//! parent), a stranger, the operator, and nobody. Each asks twice: below the path of the holder,
//! which only the holder, its ancestors and the operator may name at all; and below the path of its
//! own account, where the number's own rules decide.

use axum::http::Method;
use serde_json::{Value, json};

use self::Sent::{Empty, Held, Nothing};
use super::world::{NUMBER, Who, World, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

/// Below the holder.
const CHILD: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";
/// Beside the holder.
const SIBLING: &str = "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d";
/// Another number than the one that is held.
const FREE: &str = "+14155550177";

/// Who asks, and the account in the path when it asks as itself.
const CALLERS: [(&str, Who, &str); 7] = [
    ("self", Who::Account(ACCOUNT), ACCOUNT),
    ("parent", Who::Account(PARENT), PARENT),
    ("child", Who::Account(CHILD), CHILD),
    ("sibling", Who::Account(SIBLING), SIBLING),
    ("stranger", Who::Account(STRANGER), STRANGER),
    ("admin", Who::Admin, ACCOUNT),
    ("nobody", Who::Nobody, ACCOUNT),
];

/// One row: what is asked, and the status for each caller below its own account.
struct Row {
    ask: (&'static str, &'static str, Sent),
    own: [u16; 7],
    /// The status below the holder's path, for self, parent and admin; the others have no business
    /// there.
    holder: [u16; 3],
}

/// The body of a request.
#[derive(Clone, Copy)]
enum Sent {
    Nothing,
    Empty,
    Held,
}

impl Sent {
    fn data(self) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Empty => Some(json!({})),
            Self::Held => Some(json!({ "numbers": [NUMBER] })),
        }
    }
}

/// `{N}` is the number that the holder has in service.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { ask: ("GET", "", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/{N}", Nothing), own: [200, 200, 404, 404, 404, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PUT", "/{N}", Empty), own: [403, 403, 403, 403, 403, 409, 401], holder: [403, 403, 409] },
    Row { ask: ("POST", "/{N}", Empty), own: [200, 200, 403, 403, 403, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PATCH", "/{N}", Empty), own: [200, 200, 403, 403, 403, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("DELETE", "/{N}", Nothing), own: [200, 200, 403, 403, 403, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("DELETE", "/{N}?hard=true", Nothing), own: [403, 403, 403, 403, 403, 200, 401], holder: [403, 403, 200] },
    Row { ask: ("PUT", "/{N}/activate", Empty), own: [201, 201, 403, 403, 403, 201, 401], holder: [201, 201, 201] },
    Row { ask: ("PUT", "/{N}/reserve", Nothing), own: [201, 201, 403, 403, 403, 201, 401], holder: [201, 201, 201] },
    Row { ask: ("PUT", "/{N}/port", Empty), own: [409, 409, 403, 403, 403, 409, 401], holder: [409, 409, 409] },
    Row { ask: ("GET", "/{N}/identify", Nothing), own: [200, 200, 404, 404, 404, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/{N}/explain", Nothing), own: [200, 200, 404, 404, 404, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PUT", "/{N}/reconcile", Empty), own: [403, 403, 403, 403, 403, 201, 401], holder: [403, 403, 201] },
    Row { ask: ("POST", "/fix", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("POST", "/fix/{N}", Nothing), own: [200, 403, 403, 403, 403, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/classifiers", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/classifiers/{N}", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/carriers_info", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "/quantities", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("GET", "?prefix=415&quantity=3", Nothing), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("POST", "/check", Held), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PUT", "/collection", Held), own: [201, 201, 201, 201, 201, 201, 401], holder: [201, 201, 201] },
    Row { ask: ("POST", "/collection", Held), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PATCH", "/collection", Held), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("DELETE", "/collection", Held), own: [200, 200, 200, 200, 200, 200, 401], holder: [200, 200, 200] },
    Row { ask: ("PUT", "/collection/activate", Held), own: [201, 201, 201, 201, 201, 201, 401], holder: [201, 201, 201] },
];

/// In a batch the status is the batch's; whether the number itself was refused stands in the answer.
const IN_BATCH: [u16; 7] = [0, 0, 403, 403, 403, 0, 0];

over_both_stores! {
    what_each_may_do_below_its_own_account,
    what_each_may_do_below_the_holder,
    what_each_may_see_without_an_account,
}

async fn arrange(world: &World) {
    for (account, parent) in [(CHILD, ACCOUNT), (SIBLING, PARENT)] {
        let path = format!("/v2/accounts/{account}");
        let data = json!({"name": "Relation", "parent_id": parent});
        world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
    }
}

async fn hold(world: &World) {
    world.clear().await;
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    world.keep(FREE, json!({"pvt_state": "available"})).await;
}

/// Asks, and checks that what was refused changed nothing.
async fn ask(world: &World, row: &Row, caller: (&str, Who), account: &str, wanted: u16) -> Value {
    let (method, rest, data) = row.ask;
    hold(world).await;
    let before = world.everything().await;
    let path = path_of(account, &rest.replace("{N}", NUMBER));
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let answer = world.ask(caller.1, method.clone(), &path, data.data().as_ref()).await;
    let what = format!("{method} {rest} by {}: {}", caller.0, answer.text);
    assert_eq!(answer.status.as_u16(), wanted, "{what}");
    if wanted >= 400 || method == Method::GET {
        assert_eq!(world.everything().await, before, "{what}");
    }
    if wanted == 403 || wanted == 404 {
        assert!(
            !answer.text.contains(ACCOUNT) || account == ACCOUNT,
            "the holder is named: {what}"
        );
    }
    world.check_invariants().await;
    answer.json()
}

async fn what_each_may_do_below_its_own_account(world: &World) {
    arrange(world).await;
    for row in ROWS {
        for (i, (name, who, account)) in CALLERS.into_iter().enumerate() {
            let answer = ask(world, row, (name, who), account, row.own[i]).await;
            let is_change = row.ask.1.starts_with("/collection") && row.own[i] < 400;
            if is_change && IN_BATCH[i] != 0 {
                let code = &answer["data"]["error"][NUMBER]["code"];
                assert_eq!(code, &json!(IN_BATCH[i]), "{} {} by {name}", row.ask.0, row.ask.1);
            }
        }
    }
}

async fn what_each_may_do_below_the_holder(world: &World) {
    arrange(world).await;
    for row in ROWS {
        for (name, who, _) in CALLERS {
            let wanted = match name {
                "self" => row.holder[0],
                "parent" => row.holder[1],
                "admin" => row.holder[2],
                "nobody" => 401,
                _ => 403,
            };
            ask(world, row, (name, who), ACCOUNT, wanted).await;
        }
    }
}

/// Without an account in the path there are the operator's routes, and two that are open.
async fn what_each_may_see_without_an_account(world: &World) {
    arrange(world).await;
    hold(world).await;
    let one = format!("/v2/phone_numbers/{NUMBER}");
    for (name, who, _) in CALLERS {
        let wanted = match who {
            Who::Admin => 200,
            Who::Nobody => 401,
            Who::Account(_) => 403,
        };
        for path in [
            one.as_str(),
            "/v2/phone_numbers?filter_state=in_service",
            "/v2/maintenance/carrier_usage",
        ] {
            let answer = world.ask(who, Method::GET, path, None).await;
            assert_eq!(answer.status.as_u16(), wanted, "{path} by {name}: {}", answer.text);
        }
        let wanted = if who == Who::Nobody { 401 } else { 200 };
        let answer = world.ask(who, Method::GET, "/v2/phone_numbers?prefix=415", None).await;
        assert_eq!(answer.status.as_u16(), wanted, "search by {name}: {}", answer.text);
    }
}
