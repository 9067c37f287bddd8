//! The audit, and what is told of it.

use std::{collections::BTreeMap, sync::Arc};

use axum::http::Method;
use number_manager::{
    domain::{
        AccountId,
        clock::{Clock, FixedClock},
    },
    service::Audit,
    store::{Body, DbName, Expect, Write},
};
use serde_json::{Value, json};

use super::{
    copies::{bodies, counts, document, other, revert, run, run_meddled},
    world::{HOLDER, NUMBER, Who, World, account_db, number_db, over_both_stores},
};
use crate::support::app::{self, ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    every_kind_of_drift_is_found_and_repaired,
    what_is_no_copy_stays,
    parts_are_audited,
    what_is_known_is_told,
    a_number_that_moves_during_a_repair_leaves_no_copy,
    another_process_finishes_an_audit,
}

/// An account that there is not.
const NOBODY: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

type Found = BTreeMap<String, Vec<String>>;

/// What a job found: the ids by kind, sorted.
fn found(job: &Value) -> Found {
    let kinds = job["findings"].as_object().unwrap().iter();
    let ids = |found: &Value| {
        let ids = found["ids"].as_array().unwrap().iter();
        let mut ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        assert_eq!(found["count"], json!(ids.len()), "{found}");
        ids.sort_unstable();
        ids
    };
    kinds.map(|(kind, found)| (kind.clone(), ids(found))).collect()
}

fn wanted(kinds: &[(&str, &[&str])]) -> Found {
    let own = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    kinds.iter().map(|(kind, ids)| ((*kind).to_owned(), own(ids))).collect()
}

/// One number of each kind, and some that are right.
async fn drift(world: &World) {
    for (number, owner) in [("+14155550100", ACCOUNT), ("+14165550100", PARENT)] {
        for db in [number_db(number), account_db(owner)] {
            world.put(db, number, document(number, Some(owner))).await;
        }
    }
    let number = "+14155550101";
    world.put(number_db(number), number, document(number, Some(ACCOUNT))).await;
    let number = "+14155550102";
    world.put(number_db(number), number, document(number, Some(ACCOUNT))).await;
    world.put(account_db(ACCOUNT), number, other(number, ACCOUNT)).await;
    // Of no number at all, and of one that nobody owns.
    world.put(account_db(ACCOUNT), "+14175550103", document("+14175550103", Some(ACCOUNT))).await;
    let number = "+14165550104";
    let mut free = document(number, None);
    free.insert("pvt_previously_assigned_to".to_owned(), json!(PARENT));
    world.put(number_db(number), number, free).await;
    world.put(account_db(PARENT), number, document(number, Some(PARENT))).await;
    let number = "+14165550105";
    let mut moved = document(number, Some(STRANGER));
    moved.insert("pvt_previously_assigned_to".to_owned(), json!(ACCOUNT));
    world.put(number_db(number), number, moved.clone()).await;
    world.put(account_db(STRANGER), number, moved).await;
    world.put(account_db(ACCOUNT), number, document(number, Some(ACCOUNT))).await;
    let number = "+14155550106";
    world.put(number_db(number), number, document(number, Some(NOBODY))).await;
    let number = "+14155550107";
    let mut broken = document(number, Some(ACCOUNT));
    broken.insert("pvt_state".to_owned(), json!("nowhere"));
    world.put(number_db(number), number, broken).await;
    world.put(account_db(ACCOUNT), number, document(number, Some(ACCOUNT))).await;
    world.put(number_db("+14155550108"), "+14195550108", document("+14195550108", None)).await;
}

const UNDECIDED: &[(&str, &[&str])] = &[
    ("no_account", &["+14155550106"]),
    ("undecodable", &["+14155550107"]),
    ("wrong_database", &["+14195550108"]),
];
const REPAIRED: &[(&str, &[&str])] = &[
    ("extra", &["+14165550104", "+14175550103"]),
    ("missing", &["+14155550101"]),
    ("stale", &["+14155550102"]),
    ("wrong_owner", &["+14165550105"]),
];

async fn every_kind_of_drift_is_found_and_repaired(world: &World) {
    drift(world).await;
    let everything = wanted(&[UNDECIDED, REPAIRED].concat());
    let (raw, before) = (world.everything().await, bodies(world).await);
    for data in [
        json!({"scope": {"all": true}}),
        json!({"scope": {"all": true}, "page_size": 1}),
        json!({"scope": {"all": true}, "page_size": 2, "concurrency": 1}),
        json!({"scope": {"all": true}, "repair": true, "dry_run": true}),
    ] {
        let job = run(world, "audit", &data).await;
        assert_eq!((&job["state"], found(&job)), (&json!("succeeded"), everything.clone()));
        assert_eq!(counts(&job)[0], if data["repair"] == true { 5 } else { 0 });
        assert_eq!(world.everything().await, raw, "{data} changed something");
    }
    let data = json!({"scope": {"all": true}, "repair": true});
    let job = run(world, "audit", &data).await;
    assert_eq!((found(&job), counts(&job)[0]), (everything, 5));
    let (repaired, numbers) = (world.everything().await, "numbers/");
    let job_again = run(world, "audit", &data).await;
    assert_eq!((found(&job_again), counts(&job_again)[0]), (wanted(UNDECIDED), 0));
    assert_eq!(world.everything().await, repaired);
    let of_numbers = |raw: &[String]| -> Vec<String> {
        raw.iter().filter(|it| it.starts_with(numbers)).cloned().collect()
    };
    assert_eq!(of_numbers(&repaired), of_numbers(&raw), "a number was written");
    let held = world.copy(ACCOUNT, "+14155550107").await;
    assert!(held.is_some(), "the copy of what cannot be read stays");
    assert_eq!(counts(&revert(world, &job).await)[0], 5);
    assert_eq!(bodies(world).await, before);
    world.clear().await;
}

/// Something of the account's own that happens to have the id of a number.
async fn what_is_no_copy_stays(world: &World) {
    let mut body = document(NUMBER, Some(ACCOUNT));
    body.insert("pvt_type".to_owned(), json!("callflow"));
    world.put(account_db(ACCOUNT), NUMBER, body).await;
    let before = world.everything().await;
    let job = run(world, "audit", &json!({"scope": {"all": true}, "repair": true})).await;
    assert_eq!((&job["state"], found(&job)), (&json!("succeeded"), wanted(&[])));
    assert_eq!(world.everything().await, before);
    world.clear().await;
}

async fn parts_are_audited(world: &World) {
    drift(world).await;
    let raw = world.everything().await;
    for (scope, kinds) in [
        (
            json!({"databases": ["+1415"]}),
            wanted(
                &[UNDECIDED, &[("missing", &["+14155550101"]), ("stale", &["+14155550102"])]]
                    .concat(),
            ),
        ),
        (
            json!({"databases": ["+1416"]}),
            wanted(&[("extra", &["+14165550104"]), ("wrong_owner", &["+14165550105"])]),
        ),
        (
            json!({"prefix": "+1415555010"}),
            wanted(&[
                ("missing", &["+14155550101"]),
                ("stale", &["+14155550102"]),
                ("no_account", &["+14155550106"]),
                ("undecodable", &["+14155550107"]),
            ]),
        ),
        (
            json!({"accounts": [ACCOUNT]}),
            wanted(&[
                ("extra", &["+14175550103"]),
                ("missing", &["+14155550101"]),
                ("stale", &["+14155550102"]),
                ("wrong_owner", &["+14165550105"]),
            ]),
        ),
        (json!({"accounts": [PARENT, STRANGER]}), wanted(&[("extra", &["+14165550104"])])),
    ] {
        for page_size in [1, 100] {
            let data = json!({"scope": scope, "page_size": page_size});
            assert_eq!(found(&run(world, "audit", &data).await), kinds, "{data}");
        }
    }
    assert_eq!(world.everything().await, raw);
    for scope in [json!({"databases": ["+1415", "+1416"]}), json!({"accounts": [ACCOUNT]})] {
        let data = json!({"scope": scope, "repair": true});
        run(world, "audit", &data).await;
    }
    let job = run(world, "audit", &json!({"scope": {"all": true}})).await;
    assert_eq!(found(&job), wanted(UNDECIDED));
    world.clear().await;
}

async fn what_is_known_is_told(world: &World) {
    let path = "/v2/consistency";
    let nothing = json!({
        "last_audit": null, "running": null, "follower": null,
        "carriers": {"disconnects": [], "purchases": []}, "providers": [], "letters": [],
    });
    assert_eq!(world.ask(Who::Admin, Method::GET, path, None).await.data(200), nothing);
    for who in [Who::Nobody, HOLDER] {
        let status = if who == HOLDER { 403 } else { 401 };
        world.ask(who, Method::GET, path, None).await.check_status(status);
    }
    world.put(number_db(NUMBER), NUMBER, document(NUMBER, Some(ACCOUNT))).await;
    // Neither a part nor a rehearsal says anything of everything.
    run(world, "audit", &json!({"scope": {"accounts": [ACCOUNT]}})).await;
    run(world, "audit", &json!({"scope": {"all": true}, "dry_run": true})).await;
    assert_eq!(world.ask(Who::Admin, Method::GET, path, None).await.data(200), nothing);
    for repair in [false, true] {
        let job = run(world, "audit", &json!({"scope": {"all": true}, "repair": repair})).await;
        let told = world.ask(Who::Admin, Method::GET, path, None).await.data(200);
        let last = &told["last_audit"];
        assert_eq!((&last["job"], &last["repair"]), (&job["id"], &json!(repair)));
        assert_eq!((&last["findings"], &last["counts"]), (&job["findings"], &job["counts"]));
        assert_eq!(last["findings"], json!({"missing": {"count": 1, "ids": [NUMBER]}}));
        assert_eq!(last["finished"], "2024-05-01T12:00:00Z");
        assert_eq!((&told["running"], &told["follower"]), (&json!(null), &json!(null)));
    }
}

async fn a_number_that_moves_during_a_repair_leaves_no_copy(world: &World) {
    let data = json!({"scope": {"all": true}, "repair": true});
    let job = run_meddled(world, "audit", &data).await;
    assert_eq!(found(&job), wanted(&[("missing", &["+14155550100"])]));
}

/// The pages of an account, each by a process of its own, none of which saw the numbers.
async fn another_process_finishes_an_audit(world: &World) {
    drift(world).await;
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at("2024-05-01T12:00:00Z".parse().unwrap()));
    let service = app::service(&world.store, &clock);
    let account = AccountId::parse(ACCOUNT).unwrap();
    let (mut kinds, mut after) = (Vec::new(), None::<String>);
    loop {
        let audit = Audit::new(false, false);
        let page = service.audit_copies(&audit, &account, after.as_deref(), 1).await.unwrap();
        kinds.extend(page.found.into_iter().map(|(kind, id)| format!("{kind} {id}")));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    kinds.sort_unstable();
    let wanted = [
        "extra +14175550103",
        "missing +14155550101",
        "stale +14155550102",
        "wrong_owner +14165550105",
    ];
    assert_eq!(kinds, wanted);
    world.clear().await;
}

/// Stores a version that lost, beside the one that counts.
async fn store_loser(world: &World, number: &str, mut body: Body) {
    body.insert("_id".to_owned(), json!(number));
    body.insert("_rev".to_owned(), json!("1-00000000000000000000000000000000"));
    let url = world.database_url("numbers%2F%2B1415/_bulk_docs");
    let body = json!({"new_edits": false, "docs": [body]}).to_string();
    let request = reqwest::Client::new().post(url).body(body);
    let sent = request.header("content-type", "application/json").send().await.unwrap();
    assert!(sent.status().is_success());
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_one_owner_are_put_right_and_others_are_not() {
    let world = World::couchdb().await;
    let (same, different) = ("+14155550100", "+14155550101");
    for (number, loser) in [(same, ACCOUNT), (different, STRANGER)] {
        for db in [number_db(number), account_db(ACCOUNT)] {
            world.put(db, number, document(number, Some(ACCOUNT))).await;
        }
        store_loser(&world, number, other(number, loser)).await;
    }
    let winners = [world.document(same).await.unwrap(), world.document(different).await.unwrap()];
    let everything = wanted(&[("conflicting", &[same]), ("conflicting_owners", &[different])]);
    for data in [
        json!({"scope": {"all": true}}),
        json!({"scope": {"all": true}, "repair": true, "dry_run": true}),
        json!({"scope": {"all": true}, "repair": true}),
    ] {
        assert_eq!(found(&run(&world, "audit", &data).await), everything, "{data}");
    }
    let job = run(&world, "audit", &json!({"scope": {"all": true}, "repair": true})).await;
    assert_eq!(found(&job), wanted(&[("conflicting_owners", &[different])]));
    let now = world.document(same).await.unwrap();
    assert_eq!((now.rev, now.conflicts.len()), (winners[0].rev.clone(), 0));
    assert_eq!(world.document(different).await.as_ref(), Some(&winners[1]));
}

/// The account of a place.
fn account(place: usize) -> String {
    format!("{place:032x}")
}

/// Many numbers, some of them with each kind of drift; returns what there is to find.
async fn many(world: &World) -> [Found; 2] {
    for place in 0..20 {
        let path = format!("/v2/accounts/{}", account(place));
        let data = json!({"name": place.to_string()});
        let made = world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await;
        made.check_status(201);
    }
    let (mut repaired, mut undecided) = (Found::new(), Found::new());
    let mut sets: Vec<Vec<Write>> = Vec::new();
    for area in 1415..1420 {
        world.store.create_database(&DbName::new(format!("numbers/+{area}"))).await.unwrap();
    }
    for place in 0..3000 {
        let number = format!("+{}555{place:04}", 1415 + place % 5);
        let (owner, others) = (account(place / 7 % 20), account((place / 7 + 1) % 20));
        let body = document(&number, Some(&owner));
        let put = |db, body| Write::put(db, number.as_str(), Expect::Absent, body);
        let (of_number, copy) =
            (put(number_db(&number), body.clone()), put(account_db(&owner), body.clone()));
        let find = |kind: &str, into: &mut Found| {
            into.entry(kind.to_owned()).or_default().push(number.clone());
        };
        sets.push(match place % 100 {
            11 => {
                find("missing", &mut repaired);
                vec![of_number]
            }
            22 => {
                find("stale", &mut repaired);
                vec![of_number, put(account_db(&owner), other(&number, &owner))]
            }
            33 => {
                find("extra", &mut repaired);
                vec![copy]
            }
            44 => {
                find("wrong_owner", &mut repaired);
                vec![of_number, copy, put(account_db(&others), document(&number, Some(&others)))]
            }
            55 => {
                find("extra", &mut repaired);
                vec![put(number_db(&number), document(&number, None)), copy]
            }
            66 => {
                find("no_account", &mut undecided);
                vec![put(number_db(&number), document(&number, Some(NOBODY)))]
            }
            77 => {
                find("undecodable", &mut undecided);
                let mut broken = body;
                broken.insert("pvt_assigned_to".to_owned(), json!(7));
                vec![put(number_db(&number), broken), copy]
            }
            88 if place % 200 == 88 => {
                find("wrong_database", &mut undecided);
                let free = document(&number, None);
                vec![put(DbName::new(format!("numbers/+{}", 1415 + (place + 1) % 5)), free)]
            }
            99 => vec![put(number_db(&number), document(&number, None))],
            _ => vec![of_number, copy],
        });
    }
    for stored in world.store.commit_many(sets).await {
        stored.unwrap();
    }
    for found in [&mut repaired, &mut undecided] {
        for ids in found.values_mut() {
            ids.sort_unstable();
        }
    }
    [repaired, undecided]
}

#[tokio::test(flavor = "multi_thread")]
async fn many_numbers_are_audited_and_repaired() {
    let world = World::embedded().await;
    let [repaired, undecided] = many(&world).await;
    let mut everything = repaired.clone();
    everything.extend(undecided.clone());
    let raw = world.everything().await;
    for data in [json!({"scope": {"all": true}}), json!({"scope": {"all": true}, "page_size": 7})] {
        assert_eq!(found(&run(&world, "audit", &data).await), everything, "{data}");
    }
    assert_eq!(world.everything().await, raw);
    let job = run(&world, "audit", &json!({"scope": {"all": true}, "repair": true})).await;
    assert_eq!(found(&job), everything);
    let wrong: usize = repaired.values().map(Vec::len).sum();
    assert_eq!(counts(&job)[0], wrong as u64);
    let job = run(&world, "audit", &json!({"scope": {"all": true}, "repair": true})).await;
    assert_eq!((found(&job), counts(&job)[0]), (undecided, 0));
}

/// Versions that contradict each other are made by a cluster only.
#[tokio::test(flavor = "multi_thread")]
async fn versions_of_copies_that_lost_are_found_and_removed() {
    let world = World::couchdb().await;
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let lost = json!({
        "_id": NUMBER, "_rev": "1-00000000000000000000000000000000", "note": "from elsewhere",
    });
    let db = account_db(ACCOUNT);
    let name = db.as_str().replace('/', "%2F");
    let url = world.database_url(&format!("{name}/_bulk_docs"));
    let body = json!({"new_edits": false, "docs": [lost]}).to_string();
    let request = reqwest::Client::new().post(url).body(body);
    let sent = request.header("content-type", "application/json").send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    let versions = async || world.store.live_versions(&db, NUMBER).await.unwrap().len();
    assert_eq!(versions().await, 2);
    let kinds = wanted(&[("conflicting_copy", &[NUMBER])]);
    for scope in [json!({"all": true}), json!({"accounts": [ACCOUNT]})] {
        let job = run(&world, "audit", &json!({ "scope": scope })).await;
        assert_eq!(found(&job), kinds, "{job}");
    }
    assert_eq!(versions().await, 2, "nothing is repaired that was not asked for");
    run(&world, "audit", &json!({"scope": {"all": true}, "repair": true})).await;
    assert_eq!(versions().await, 1);
    let again = run(&world, "audit", &json!({"scope": {"all": true}})).await;
    assert_eq!(found(&again), wanted(&[]), "{again}");
    world.check_invariants().await;
}
