//! The removals: what goes, what stays, and that nothing goes for not having been seen.

use axum::http::Method;
use number_manager::store::{Body, DbName};
use serde_json::{Value, json};

use super::{
    repairs::{
        body, change, check_counts, delete, failures, found, journaled, keep_many, members, revert,
        run, run_on, with_faults,
    },
    world::{MADE, Who, World, account_db, number_db, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, PARENT},
    blind::Faults,
};

over_both_stores! {
    wrong_assignments_go,
    numbers_without_copies_go,
    copies_without_numbers_go,
    nothing_goes_unless_it_is_confirmed,
    what_was_removed_is_put_back,
    what_a_look_up_misses_stays,
    what_cannot_be_read_stays,
    all_of_many_pages_go_at_once,
    the_report_in_words,
}

const OPERATIONS: [&str; 3] =
    ["remove_wrong_assignments", "remove_orphan_numbers", "remove_orphan_mirrors"];

const RIGHT: &str = "+14155550101";
const MOVED: &str = "+14155550102";
const UNSAID: &str = "+14155550103";
const OWNED: &str = "+14155550104";
const NAMES_IT: &str = "+14165550105";
const UNREADABLE: &str = "+14165550106";
const DELETED: &str = "+14165550107";
const BARE: &str = "+14175550108";
const FREE: &str = "+14175550109";
const ABANDONED: &str = "+14175550110";
const NOWHERE: &str = "+14995550111";
const ALL: [&str; 11] =
    [RIGHT, MOVED, UNSAID, OWNED, NAMES_IT, UNREADABLE, DELETED, BARE, FREE, ABANDONED, NOWHERE];
/// An account that has no database.
const NO_DATABASE: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

fn of(owner: &str) -> Value {
    json!({"pvt_assigned_to": owner, "pvt_state": "in_service"})
}

fn alone(members: Value) -> Body {
    let mut alone = json!({
        "pvt_type": "number", "pvt_module_name": "knm_local", "pvt_state": "in_service",
        "pvt_created": MADE, "pvt_modified": MADE,
    });
    for (key, value) in body(members) {
        alone[key] = value;
    }
    body(alone)
}

/// Numbers and copies that do not go together, in the ways in which that can be.
async fn keep(world: &World) {
    let copies = account_db(ACCOUNT);
    world.keep(RIGHT, of(ACCOUNT)).await;
    // Somebody else's, and the copy says so.
    world.keep(MOVED, of(PARENT)).await;
    world.put(copies.clone(), MOVED, alone(of(PARENT))).await;
    // The copy says nothing, and there is no number.
    world.put(copies.clone(), UNSAID, alone(json!({}))).await;
    // The copy is wrong, and the number is the account's.
    world.keep(OWNED, of(ACCOUNT)).await;
    change(world, copies.clone(), OWNED, json!({"pvt_assigned_to": PARENT})).await;
    // The copy says it is the account's, and there is no number.
    world.put(copies.clone(), NAMES_IT, alone(of(ACCOUNT))).await;
    world.put(number_db(UNREADABLE), UNREADABLE, alone(json!({"pvt_assigned_to": 7}))).await;
    world.put(copies.clone(), UNREADABLE, alone(of(PARENT))).await;
    world.keep(DELETED, of(ACCOUNT)).await;
    delete(world, number_db(DELETED), DELETED).await;
    world.keep(BARE, of(ACCOUNT)).await;
    delete(world, copies.clone(), BARE).await;
    world.keep(FREE, json!({"pvt_state": "available"})).await;
    world.put(number_db(ABANDONED), ABANDONED, alone(of(NO_DATABASE))).await;
    // There is no database of numbers for this one.
    world.put(copies, NOWHERE, alone(of(PARENT))).await;
    // Neither stock nor what belongs to a month is looked at.
    world.put(DbName::new("numbers/managed"), "+14195550100", alone(of(ACCOUNT))).await;
    let month = format!("{}-202401", account_db(ACCOUNT));
    world.put(DbName::new(month), "+14195550101", alone(of(PARENT))).await;
}

fn confirmed(operation: &str) -> Value {
    json!({"scope": {"all": true}, "confirm": operation})
}

/// What is there: per number whether there is a document and whether the account has a copy.
async fn there(world: &World) -> Vec<(&'static str, bool, bool)> {
    let mut there = Vec::new();
    for number in ALL {
        let has_copy = world.copy(ACCOUNT, number).await.is_some();
        there.push((number, world.document(number).await.is_some(), has_copy));
    }
    there
}

/// Runs an operation twice and checks that exactly these are gone: first numbers, then copies.
async fn check_gone(world: &World, operation: &str, numbers: &[&str], copies: &[&str]) -> Value {
    let mut wanted = there(world).await;
    for (number, is_there, has_copy) in &mut wanted {
        *is_there &= !numbers.contains(number);
        *has_copy &= !copies.contains(number);
    }
    let job = run(world, operation, &confirmed(operation)).await;
    assert_eq!(there(world).await, wanted, "{operation} {job}");
    for (db, id) in [
        (DbName::new("numbers/managed"), "+14195550100"),
        (DbName::new(format!("{}-202401", account_db(ACCOUNT))), "+14195550101"),
    ] {
        assert!(world.store.get(&db, id).await.unwrap().live().is_some(), "{operation} {db}");
    }
    let before = world.everything().await;
    let again = run(world, operation, &confirmed(operation)).await;
    assert_eq!(again["counts"]["changed"], 0, "{operation} {again}");
    assert_eq!(world.everything().await, before);
    job
}

async fn done_with(world: &World) {
    let month = DbName::new(format!("{}-202401", account_db(ACCOUNT)));
    for db in [DbName::new("numbers/managed"), month] {
        for id in ["+14195550100", "+14195550101"] {
            if world.store.get(&db, id).await.unwrap().live().is_some() {
                delete(world, db.clone(), id).await;
            }
        }
    }
    world.clear().await;
}

async fn wrong_assignments_go(world: &World) {
    keep(world).await;
    let number = world.document(OWNED).await.unwrap();
    let job = check_gone(world, "remove_wrong_assignments", &[], &[MOVED, UNSAID]).await;
    // Two are gone, one was put right, two could not be read.
    check_counts(&job, "partial", [9, 3, 4, 0, 2]);
    let failed = [(UNREADABLE, "datastore_fault"), (NOWHERE, "datastore_fault")];
    assert_eq!(failures(&job), failed);
    assert_eq!(world.document(OWNED).await.as_ref(), Some(&number));
    assert_eq!(world.copy(ACCOUNT, OWNED).await.unwrap().body, number.body);
    assert!(world.copy(PARENT, MOVED).await.is_some());
    done_with(world).await;
}

async fn numbers_without_copies_go(world: &World) {
    keep(world).await;
    let gone = [BARE, ABANDONED];
    let job = check_gone(world, "remove_orphan_numbers", &gone, &[]).await;
    check_counts(&job, "partial", [7, 2, 3, 1, 1]);
    assert_eq!(failures(&job), [(UNREADABLE, "datastore_fault")]);
    assert_eq!(found(&job, "no_account"), json!([ABANDONED]));
    done_with(world).await;
}

async fn copies_without_numbers_go(world: &World) {
    keep(world).await;
    let gone = [UNSAID, NAMES_IT, DELETED];
    let job = check_gone(world, "remove_orphan_mirrors", &[], &gone).await;
    check_counts(&job, "partial", [9, 3, 5, 0, 1]);
    assert_eq!(failures(&job), [(NOWHERE, "datastore_fault")]);
    // What is no number's is not touched, whatever its id begins with.
    done_with(world).await;
    let flow = json!({"pvt_type": "callflow", "numbers": []});
    world.put(account_db(ACCOUNT), NAMES_IT, body(flow)).await;
    let more = json!({"pvt_type": "number"});
    world.put(account_db(ACCOUNT), "+x", body(more)).await;
    let job = run(world, "remove_orphan_mirrors", &confirmed("remove_orphan_mirrors")).await;
    check_counts(&job, "succeeded", [2, 0, 0, 2, 0]);
    done_with(world).await;
}

async fn nothing_goes_unless_it_is_confirmed(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    for operation in OPERATIONS {
        let job = run(world, operation, &json!({"scope": {"all": true}, "page_size": 1})).await;
        assert_eq!(job["options"]["dry_run"], true, "{job}");
        let wanted = if operation == "remove_orphan_numbers" { 2 } else { 3 };
        assert_eq!(job["counts"]["changed"], wanted, "{job}");
        for data in [
            json!({"scope": {"all": true}, "confirm": "yes"}),
            json!({"scope": {"all": true}, "dry_run": false}),
            json!({"scope": {"numbers": [RIGHT]}, "confirm": operation}),
        ] {
            let path = format!("/v2/maintenance/{operation}");
            let answer = world.ask(Who::Admin, Method::POST, &path, Some(&data)).await;
            assert_eq!(answer.status.as_u16(), 400, "{operation} {data}");
        }
        assert_eq!(world.everything().await, before, "{operation}");
    }
    done_with(world).await;
}

async fn what_was_removed_is_put_back(world: &World) {
    for operation in OPERATIONS {
        keep(world).await;
        let before = members(world, &ALL).await;
        let job = run(world, operation, &confirmed(operation)).await;
        assert_ne!(members(world, &ALL).await, before);
        let taken_back = revert(world, &job).await;
        assert_eq!(taken_back["counts"]["changed"], job["counts"]["changed"], "{taken_back}");
        assert_eq!(taken_back["state"], "succeeded");
        assert_eq!(members(world, &ALL).await, before, "{operation}");
        done_with(world).await;
    }
}

async fn what_a_look_up_misses_stays(world: &World) {
    for number in [RIGHT, MOVED] {
        world.keep(number, of(ACCOUNT)).await;
    }
    let before = world.everything().await;
    let overlooked = vec![RIGHT, MOVED];
    let app = with_faults(world, Faults { overlooked, ..Faults::default() }).await;
    for operation in OPERATIONS {
        let job = run_on(&app, operation, &confirmed(operation)).await;
        check_counts(&job, "succeeded", [2, 0, 2, 0, 0]);
        assert_eq!(world.everything().await, before, "{operation}");
    }
}

/// Each removal, over a store that cannot say what is on the other side.
async fn what_cannot_be_read_stays(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let (numbers, accounts) = (DbName::new("numbers/"), DbName::new("account/"));
    for (operation, calls) in [
        ("remove_wrong_assignments", vec![("get", &numbers)]),
        ("remove_wrong_assignments", vec![("databases", &numbers)]),
        ("remove_orphan_numbers", vec![("revisions", &accounts)]),
        ("remove_orphan_numbers", vec![("get", &accounts)]),
        ("remove_orphan_numbers", vec![("get", &numbers)]),
        ("remove_orphan_mirrors", vec![("revisions", &numbers)]),
        ("remove_orphan_mirrors", vec![("get", &numbers)]),
        ("remove_orphan_mirrors", vec![("databases", &numbers)]),
    ] {
        let unreadable = calls.iter().map(|(call, db)| (*call, (*db).clone())).collect();
        let app = with_faults(world, Faults { unreadable, ..Faults::default() }).await;
        let job = run_on(&app, operation, &confirmed(operation)).await;
        assert_eq!(job["counts"]["changed"], 0, "{operation} {calls:?} {job}");
        assert_ne!(job["counts"]["failed"], 0, "{operation} {calls:?} {job}");
        assert_eq!(world.everything().await, before, "{operation} {calls:?}");
    }
    // Which accounts there are must be known, too.
    let unreadable = vec![("databases", accounts)];
    let app = with_faults(world, Faults { unreadable, ..Faults::default() }).await;
    let data = json!({"scope": {"databases": ["+1417"]}, "confirm": "remove_orphan_numbers"});
    let job = run_on(&app, "remove_orphan_numbers", &data).await;
    assert_eq!((&job["state"], &job["counts"]["changed"]), (&json!("failed"), &json!(0)));
    assert_eq!(world.everything().await, before);
    // One that cannot be read does not hold up the others.
    let unreadable = vec![("revisions", account_db(PARENT))];
    let app = with_faults(world, Faults { unreadable, ..Faults::default() }).await;
    let job = run_on(&app, "remove_orphan_numbers", &confirmed("remove_orphan_numbers")).await;
    assert_eq!(job["counts"]["changed"], 2, "{job}");
    assert!(failures(&job).contains(&(MOVED, "datastore_fault")), "{job}");
    done_with(world).await;
}

/// The pages stay where they are while what they show goes away.
async fn all_of_many_pages_go_at_once(world: &World) {
    const NUMBERS: u64 = 2500;
    let numbers: Vec<String> = (0..NUMBERS).map(|n| format!("+1418555{n:04}")).collect();
    keep_many(world, &numbers, json!({"pvt_assigned_to": PARENT})).await;
    let mut data = confirmed("remove_wrong_assignments");
    data["page_size"] = json!(500);
    let job = run(world, "remove_wrong_assignments", &data).await;
    check_counts(&job, "succeeded", [NUMBERS, NUMBERS, 0, 0, 0]);
    assert_eq!(journaled(world, &job).await, numbers, "each copy once");
    for number in &numbers {
        assert_eq!(world.copy(ACCOUNT, number).await, None, "{number}");
    }
    // Their owner has none, so they are orphans now.
    let mut data = confirmed("remove_orphan_numbers");
    data["page_size"] = json!(500);
    let job = run(world, "remove_orphan_numbers", &data).await;
    check_counts(&job, "succeeded", [NUMBERS, NUMBERS, 0, 0, 0]);
    assert_eq!(journaled(world, &job).await, numbers, "each number once");
}

async fn the_report_in_words(world: &World) {
    keep(world).await;
    let data = json!({"scope": {"accounts": [ACCOUNT]}, "confirm": "remove_wrong_assignments"});
    let path = "/v2/maintenance/remove_wrong_assignments";
    let ask = world.app.ask(Method::POST, path).token(&world.app.admin());
    let answer = ask.header("Accept", "text/plain").data(&data).send().await;
    answer.check_status(200);
    let begins = "::: start removing wrong assigned numbers from 1 account dbs\n\
        (1) processing 'account%2F0f%2F0f%2F0f0f0f0f0f0f0f0f0f0f0f0f0f0f' database\n     \
        3 wrong assignments to remove\n     +14165550106 failed: ";
    assert!(answer.text.starts_with(begins), "{}", answer.text);
    assert!(answer.text.ends_with("::: done. 2 failed\n\n"), "{}", answer.text);
    done_with(world).await;
}
