//! What numbers come to: somebody with a copy finds what differs with a few questions.

use std::collections::BTreeMap;

use axum::http::Method;
use number_manager::store::{Body, Expect, Lookup, Write};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::world::{HOLDER, Who, World, account_db, number_db, over_both_stores};
use crate::support::app::{ACCOUNT, PARENT};

over_both_stores! {
    numbers_and_copies_come_to_the_same,
    what_is_not_understood_is_refused_by_name,
}

/// The numbers that somebody keeps a copy of.
const NUMBERS: usize = 5_000;
/// How many of them differ.
const CHANGED: [usize; 3] = [17, 2_500, 4_999];

/// What a document comes to, as the API's document says, computed by somebody else.
fn digest_of(id: &str, body: &Body) -> u64 {
    let mut members: BTreeMap<&str, &Value> = body.iter().map(|(k, v)| (k.as_str(), v)).collect();
    members.retain(|name, _| !name.starts_with('_'));
    let id = json!(id);
    members.insert("_id", &id);
    // These documents hold no fractions, and nothing but objects has an order to lose.
    let sorted: Value = serde_json::to_value(members).unwrap();
    let text = sort(&sorted).to_string();
    let hash = Sha256::digest(text.as_bytes());
    u64::from_be_bytes(hash[..8].try_into().unwrap())
}

fn sort(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().map(|(k, v)| (k, sort(v))).collect();
            serde_json::to_value(sorted).unwrap()
        }
        Value::Array(items) => items.iter().map(sort).collect(),
        other => other.clone(),
    }
}

fn id(at: usize) -> String {
    format!("+1415555{at:04}")
}

fn body(at: usize) -> Body {
    let owner = if at.is_multiple_of(2) { ACCOUNT } else { PARENT };
    let body = json!({
        "pvt_type": "number", "pvt_state": "in_service", "pvt_module_name": "knm_local",
        "pvt_assigned_to": owner, "note": {"b": at, "a": [null, true, "ü\"\n"]},
    });
    serde_json::from_value(body).unwrap()
}

/// What somebody keeps.
#[derive(Clone, Debug, Default)]
struct Copy(BTreeMap<String, u64>);

impl Copy {
    fn sum(&self, prefix: &str) -> (u64, String) {
        let within = self.0.iter().filter(|(id, _)| id.starts_with(prefix));
        let (count, sum) =
            within.fold((0, 0_u64), |(count, all), (_, one)| (count + 1, all.wrapping_add(*one)));
        (count, format!("{sum:016x}"))
    }

    fn is_right(&self, prefix: &str, told: &Value) -> bool {
        let (count, digest) = self.sum(prefix);
        told["count"] == count && told["digest"] == digest
    }
}

async fn ask(world: &World, query: &str) -> Value {
    let path = format!("/v2/consistency/digests{query}");
    world.ask(Who::Admin, Method::GET, &path, None).await.data(200)
}

/// Finds what differs; returns with how many questions.
async fn find(world: &World, copy: &Copy) -> (Vec<String>, usize) {
    let mut differing = Vec::new();
    let mut asked = 1;
    let top = ask(world, "").await;
    let mut waiting: Vec<String> = Vec::new();
    for database in top["databases"].as_array().unwrap() {
        let prefix = database["database"].as_str().unwrap().trim_start_matches("numbers/");
        if !copy.is_right(prefix, database) {
            waiting.push(prefix.to_owned());
        }
    }
    while let Some(prefix) = waiting.pop() {
        asked += 1;
        let told = ask(world, &format!("?limit=100&prefix={}", prefix.replace('+', "%2B"))).await;
        assert_eq!(told["prefix"], prefix);
        for range in told["ranges"].as_array().unwrap() {
            let prefix = range["prefix"].as_str().unwrap();
            if !copy.is_right(prefix, range) {
                waiting.push(prefix.to_owned());
            }
        }
        for number in told["numbers"].as_array().unwrap() {
            let id = number["number"].as_str().unwrap();
            let own = copy.0.get(id).map(|sum| format!("{sum:016x}"));
            if own.as_deref() != number["digest"].as_str() {
                differing.push(id.to_owned());
            }
        }
    }
    differing.sort();
    (differing, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_many_finds_what_differs_with_few_questions() {
    let world = World::embedded().await;
    let mut copy = Copy::default();
    let mut sets = Vec::new();
    world.store.create_database(&number_db(&id(0))).await.unwrap();
    for at in 0..NUMBERS {
        copy.0.insert(id(at), digest_of(&id(at), &body(at)));
        sets.push(vec![Write::put(number_db(&id(at)), id(at), Expect::Absent, body(at))]);
    }
    for done in world.store.commit_many(sets).await {
        done.unwrap();
    }
    assert_eq!(find(&world, &copy).await, (vec![], 1));
    for at in CHANGED {
        let Lookup::Live(found) = world.store.get(&number_db(&id(at)), &id(at)).await.unwrap()
        else {
            panic!("{at}")
        };
        let mut changed = found.body;
        changed.insert("note".to_owned(), json!("changed"));
        let write = Write::put(number_db(&id(at)), id(at), Expect::At(found.rev), changed);
        world.store.commit(vec![write]).await.unwrap();
    }
    let (differing, asked) = find(&world, &copy).await;
    assert_eq!(differing, CHANGED.map(id));
    assert!(asked <= 9, "{asked} questions");
}

async fn numbers_and_copies_come_to_the_same(world: &World) {
    for at in 0..6 {
        world.keep(&id(at), serde_json::to_value(body(at)).unwrap()).await;
    }
    let memo: Body = serde_json::from_value(json!({"pvt_type": "memo"})).unwrap();
    world.put(account_db(ACCOUNT), "+14155559999", memo).await;
    let mut copy = Copy::default();
    for at in 0..6 {
        let document = world.document(&id(at)).await.unwrap();
        copy.0.insert(id(at), digest_of(&id(at), &document.body));
    }
    let (count, digest) = copy.sum("+1415");
    let top = ask(world, "?of=numbers").await;
    let whole = json!({"database": "numbers/+1415", "count": count, "digest": digest});
    assert_eq!(top, json!({ "databases": [whole] }));

    let mut own = copy.clone();
    own.0.retain(|id, _| id.as_bytes()[11] % 2 == 0);
    let (count, digest) = own.sum("+");
    let accounts = ask(world, "?of=accounts").await;
    let accounts = accounts["databases"].as_array().unwrap();
    let told = accounts.iter().find(|it| it["account_id"] == ACCOUNT).unwrap();
    let name = account_db(ACCOUNT);
    let wanted = json!({
        "database": name.as_str(), "account_id": ACCOUNT, "count": count, "digest": digest,
    });
    assert_eq!(*told, wanted);

    let few = ask(world, &format!("?account_id={ACCOUNT}")).await;
    assert_eq!((few["numbers"].as_array().unwrap().len(), &few["ranges"]), (3, &json!([])));
    assert_eq!(
        few["numbers"][0],
        json!({"number": id(0), "digest": format!("{:016x}", own.0[&id(0)])})
    );
    let many = ask(world, &format!("?account_id={ACCOUNT}&limit=2")).await;
    assert_eq!(many["numbers"], json!([]));
    assert_eq!(many["ranges"], json!([{"prefix": "+1415", "count": count, "digest": digest}]));
    let within = ask(world, &format!("?account_id={ACCOUNT}&prefix=%2B14155550&limit=2")).await;
    let ranges = json!([{"prefix": "+1415555000", "count": count, "digest": digest}]);
    assert_eq!((&within["ranges"], &within["account_id"]), (&ranges, &json!(ACCOUNT)));
    world.forget("+14155559999").await;
    let nothing = ask(world, "?prefix=%2B1999").await;
    let wanted = json!({
        "prefix": "+1999", "count": 0, "digest": "0000000000000000", "ranges": [], "numbers": [],
    });
    assert_eq!(nothing, wanted);
}

async fn what_is_not_understood_is_refused_by_name(world: &World) {
    for (query, field) in [
        ("of=everything", "of"),
        ("prefix=1415", "prefix"),
        ("prefix=%2B141", "prefix"),
        ("account_id=x", "account_id"),
        ("prefix=%2B1415&limit=0", "limit"),
    ] {
        let path = format!("/v2/consistency/digests?{query}");
        let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
        answer.check_status(400);
        assert!(answer.json()["data"][field]["invalid"].is_object(), "{query}: {}", answer.text);
    }
    world.ask(HOLDER, Method::GET, "/v2/consistency/digests", None).await.check_status(403);
}
