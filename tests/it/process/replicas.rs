//! Two replicas on one CouchDB.

use number_manager::store::{DbName, Expect, Write};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    invariants::violations,
    process::{A, Answer, B, Home, Service, of},
};

const NUMBER: &str = "+14155550100";
/// How often each replica moves the number.
const MOVES: usize = 100;
/// How many available numbers both want.
const WANTED: usize = 20;

/// Two replicas that were started at the same time where nothing was before.
async fn replicas(home: &Home) -> (Service, Service) {
    let (one, other) = tokio::join!(home.start_bare(), home.start_bare());
    for account in [A, B] {
        one.put(&format!("accounts/{account}"), json!({"name": account})).await.expect(201);
    }
    (one, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_accepts_the_other_s_tokens_and_sees_its_numbers() {
    let home = Home::couchdb();
    let (one, other) = replicas(&home).await;
    let path = of(A, NUMBER);
    let made = other.try_ask(Method::PUT, &path, json!({"note": "x"}), one.token()).await;
    made.unwrap().expect(201);
    let read = one.try_ask(Method::GET, &path, Value::Null, other.token()).await;
    assert_eq!(read.unwrap().expect(200).json["data"]["note"], "x");
    let listed = one.get(&format!("accounts/{A}/phone_numbers")).await.expect(200);
    assert!(listed.json["data"]["numbers"][NUMBER].is_object(), "{listed:?}");

    let keys = home.store().await.get(&DbName::new("number_manager"), "token_keys").await;
    let keys = keys.unwrap().live().unwrap();
    assert_eq!(keys.body["keys"].as_array().unwrap().len(), 1);
    assert!(keys.conflicts.is_empty() && keys.rev.as_str().starts_with("1-"), "{:?}", keys.rev);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_move_one_number_to_and_fro() {
    let home = Home::couchdb();
    let (one, other) = replicas(&home).await;
    one.put(&of(A, NUMBER), json!({})).await.expect(201);
    let (mine, theirs) = tokio::join!(moves(&one, [A, B]), moves(&other, [B, A]));
    assert!(mine > 0 && theirs > 0, "{mine} {theirs}");

    let store = home.store().await;
    let numbers = DbName::new("numbers/+1415");
    let stored = store.get(&numbers, NUMBER).await.unwrap().live().unwrap();
    let (generation, _) = stored.rev.as_str().split_once('-').unwrap();
    // Every acknowledged write is one revision, so none was lost and none happened twice.
    assert_eq!(generation.parse::<usize>().unwrap(), 1 + mine + theirs);
    assert!(stored.conflicts.is_empty());

    let last = one.put(&(of(A, NUMBER) + "/activate"), json!({"note": "last"})).await;
    last.expect(201);
    assert_eq!(violations(&*store).await, []);
}

/// Moves the number between two accounts, and returns how many moves were acknowledged.
async fn moves(service: &Service, accounts: [&str; 2]) -> usize {
    let mut acknowledged = 0;
    for turn in 0..MOVES {
        let path = of(accounts[turn % 2], NUMBER) + "/activate";
        // A note of its own makes it a write even when the number is there already.
        let note = format!("{} {turn}", accounts[0]);
        let answer = service.put(&path, json!({ "note": note })).await;
        match answer.status {
            201 | 202 => acknowledged += 1,
            409 => assert_eq!(answer.json["message"], "datastore_conflict", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_take_an_available_number_one_gets_it() {
    let home = Home::couchdb();
    let (one, other) = replicas(&home).await;
    let token = |account: &'static str| {
        let home = &home;
        async move { home.run(&["token", "--account", account]).await.stdout.trim().to_owned() }
    };
    let (for_a, for_b) = tokio::join!(token(A), token(B));
    let store = home.store().await;
    let database = DbName::new("numbers/+1415");
    store.create_database(&database).await.unwrap();
    for number in (0..WANTED).map(|number| format!("+1415555{number:04}")) {
        let free = json!({
            "pvt_type": "number", "pvt_state": "available", "pvt_module_name": "knm_inventory",
        });
        let free = serde_json::from_value(free).unwrap();
        let free = Write::put(database.clone(), &*number, Expect::Absent, free);
        store.commit(vec![free]).await.unwrap();
        let (a, b) = (of(A, &number) + "/activate", of(B, &number) + "/activate");
        let (mine, theirs) = tokio::join!(
            one.try_ask(Method::PUT, &a, json!({}), &for_a),
            other.try_ask(Method::PUT, &b, json!({}), &for_b),
        );
        let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
        let good = [&mine, &theirs].map(Answer::is_good);
        assert_eq!(good.iter().filter(|good| **good).count(), 1, "{mine:?} {theirs:?}");
        let loser = if good[0] { &theirs } else { &mine };
        assert!([403, 409].contains(&loser.status), "{loser:?}");
        let owner = if good[0] { A } else { B };
        let record = other.get(&format!("phone_numbers/{number}")).await.expect(200).json;
        assert_eq!(record["data"]["assigned_to"], owner, "{record}");
    }
    assert_eq!(violations(&*store).await, []);
}
