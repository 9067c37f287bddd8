//! Jobs: plans and what is made of them, undo, stopping and going on, and two that would meet.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use jiff::SignedDuration;
use number_manager::store::{Body, Expect, SharedStore, Write};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{UNLIMITED, Who, World, account_db, number_db, over_both_stores};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, TestApp},
    meddling::MeddlingStore,
};

over_both_stores! {
    a_plan_is_done_and_nothing_else,
    what_was_changed_since_the_plan_is_left_alone,
    what_was_done_is_taken_back,
    what_was_changed_since_is_not_taken_back,
    nothing_is_done_twice,
    a_job_is_stopped_and_goes_on,
    a_job_is_stopped_for_good,
    two_of_a_kind_do_not_meet,
    somebody_else_writes_in_between,
    each_page_is_journaled,
    a_job_that_nobody_runs_is_found,
    a_job_of_a_dead_process_goes_on_where_it_was,
    whoever_lost_the_lease_stops,
    old_jobs_are_forgotten,
}

/// How many numbers most cases have: more than one page in each of two databases.
pub(super) const NUMBERS: usize = 24;

pub(super) fn number(place: usize) -> String {
    let area = if place.is_multiple_of(2) { 1415 } else { 1416 };
    format!("+{area}555{place:04}")
}

fn ids() -> Vec<String> {
    (0..NUMBERS).map(number).collect()
}

/// Numbers of `knm_telnyx`; two of three are somebody's.
pub(super) async fn keep(world: &World) {
    for (place, number) in ids().iter().enumerate() {
        let mut members = json!({
            "pvt_module_name": "knm_telnyx", "pvt_state": "available", "note": place,
            "pvt_carrier_data": {"order": place},
        });
        if place % 3 != 0 {
            members["pvt_assigned_to"] = json!([ACCOUNT, PARENT][place % 2]);
            members["pvt_state"] = json!("in_service");
        }
        world.keep(number, members).await;
    }
}

pub(super) fn conversion() -> Value {
    json!({
        "source": "knm_telnyx", "target": "knm_bandwidth2", "scope": {"all": true}, "page_size": 5,
    })
}

pub(super) fn with(mut data: Value, key: &str, value: Value) -> Value {
    data[key] = value;
    data
}

pub(super) async fn ask(world: &World, path: &str, data: &Value) -> Answer {
    world.ask(Who::Admin, Method::POST, path, Some(data)).await
}

async fn convert(world: &World, data: &Value) -> Value {
    ask(world, "/v2/maintenance/convert_carrier?wait=20", data).await.data(200)
}

async fn act(world: &World, job: &Value, action: &str) -> Answer {
    let path = format!("/v2/jobs/{}/{action}", job["id"].as_str().unwrap());
    ask(world, &path, &json!({})).await
}

async fn look(world: &World, job: &Value) -> Value {
    let path = format!("/v2/jobs/{}", job["id"].as_str().unwrap());
    world.ask(Who::Admin, Method::GET, &path, None).await.data(200)
}

/// The job once it is as it should be.
pub(super) async fn until(world: &World, job: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1000 {
        let now = look(world, job).await;
        if is_so(&now) {
            return now;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{} stays as it is", look(world, job).await);
}

pub(super) async fn ended(world: &World, job: &Value) -> Value {
    until(world, job, |job| !["queued", "running", "paused"].contains(&text(job, "state"))).await
}

pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

/// The members of every number and copy that a write does not touch by itself.
async fn members(world: &World) -> Vec<(String, String, Body)> {
    let mut all = Vec::new();
    for number in ids() {
        let accounts = [ACCOUNT, PARENT].map(account_db);
        for db in [number_db(&number)].into_iter().chain(accounts) {
            if let Some(mut found) = world.store.get(&db, &number).await.unwrap().live() {
                for stamp in ["pvt_write_id", "pvt_modified"] {
                    found.body.shift_remove(stamp);
                }
                all.push((db.to_string(), number.clone(), found.body));
            }
        }
    }
    all
}

pub(super) async fn carriers(world: &World) -> Vec<String> {
    let mut carriers = Vec::new();
    for number in ids() {
        let document = world.document(&number).await.unwrap();
        carriers.push(text(&Value::Object(document.body), "pvt_module_name").to_owned());
    }
    carriers
}

pub(super) fn converted(carriers: &[String]) -> usize {
    carriers.iter().filter(|carrier| *carrier == "knm_bandwidth2").count()
}

/// Every part of a plan or a journal.
async fn parts(world: &World, path: &str) -> Vec<Value> {
    let (mut writes, mut place) = (Vec::new(), String::new());
    loop {
        let answer = world.ask(Who::Admin, Method::GET, &format!("{path}{place}"), None).await;
        writes.extend(answer.data(200).as_array().unwrap().iter().cloned());
        match answer.json()["next_start_key"].as_str() {
            Some(next) => place = format!("?start_key={next}"),
            None => return writes,
        }
    }
}

async fn a_plan_is_done_and_nothing_else(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let plan = convert(world, &with(conversion(), "dry_run", json!(true))).await;
    assert_eq!((text(&plan, "state"), &plan["counts"]["changed"]), ("succeeded", &json!(NUMBERS)));
    assert_eq!(world.everything().await, before, "a plan writes nothing");
    let writes = parts(world, text(&plan, "plan")).await;
    let copies = NUMBERS - NUMBERS.div_ceil(3);
    assert_eq!(writes.len(), NUMBERS + copies);
    let own = writes.iter().find(|it| it["id"] == number(1) && it["is_copy"] == false).unwrap();
    assert_eq!(
        (&own["before"]["pvt_module_name"], &own["after"]["pvt_module_name"]),
        (&json!("knm_telnyx"), &json!("knm_bandwidth2"))
    );
    assert_eq!(own["before"].get("note"), None, "only members that differ are recorded");
    let revision = world.document(&number(1)).await.unwrap().rev;
    assert_eq!((text(own, "expected"), text(own, "action")), (revision.as_str(), "change"));
    // A number of that carrier that came later is not in the plan.
    let late = "+14155559999";
    let members = json!({"pvt_module_name": "knm_telnyx", "pvt_state": "available"});
    world.keep(late, members).await;
    let applied = ended(world, &act(world, &plan, "apply").await.data(202)).await;
    let counts = json!({
        "read": NUMBERS, "changed": NUMBERS, "unchanged": 0, "skipped": 0, "failed": 0,
    });
    assert_eq!((text(&applied, "state"), &applied["counts"]), ("succeeded", &counts));
    assert_eq!(converted(&carriers(world).await), NUMBERS);
    assert_eq!(world.document(late).await.unwrap().body["pvt_module_name"], "knm_telnyx");
    // A plan that was done is done.
    let again = ended(world, &act(world, &plan, "apply").await.data(202)).await;
    assert_eq!(
        (&again["counts"]["changed"], &again["counts"]["unchanged"]),
        (&json!(0), &json!(NUMBERS))
    );
    act(world, &plan, "revert").await.check_status(409);
    act(world, &applied, "apply").await.check_status(409);
}

async fn what_was_changed_since_the_plan_is_left_alone(world: &World) {
    keep(world).await;
    let plan = convert(world, &with(conversion(), "dry_run", json!(true))).await;
    for place in [1, 2, 5] {
        let path = format!(
            "/v2/accounts/{}/phone_numbers/{}",
            [ACCOUNT, PARENT][place % 2],
            number(place)
        );
        let data = json!({"note": "edited"});
        world.ask(Who::Admin, Method::PATCH, &path, Some(&data)).await.check_status(200);
    }
    let applied = ended(world, &act(world, &plan, "apply").await.data(202)).await;
    let counts = json!({
        "read": NUMBERS, "changed": NUMBERS - 3, "unchanged": 0, "skipped": 0, "failed": 3,
    });
    assert_eq!((text(&applied, "state"), &applied["counts"]), ("partial", &counts));
    let stale: Vec<&str> =
        applied["failures"].as_array().unwrap().iter().map(|it| text(it, "error")).collect();
    assert_eq!(stale, ["stale"; 3]);
    assert_eq!(converted(&carriers(world).await), NUMBERS - 3);
    assert_eq!(world.document(&number(5)).await.unwrap().body["note"], "edited");
}

async fn what_was_done_is_taken_back(world: &World) {
    keep(world).await;
    let before = members(world).await;
    let done = convert(world, &conversion()).await;
    assert_eq!(text(&done, "state"), "succeeded");
    assert_ne!(members(world).await, before);
    let taken_back = ended(world, &act(world, &done, "revert").await.data(202)).await;
    assert_eq!(
        (text(&taken_back, "state"), &taken_back["counts"]["changed"]),
        ("succeeded", &json!(NUMBERS))
    );
    assert_eq!(members(world).await, before);
    // What was taken back can be done once more the same way.
    let again = ended(world, &act(world, &taken_back, "revert").await.data(202)).await;
    assert_eq!(again["counts"]["changed"], NUMBERS);
    assert_eq!(converted(&carriers(world).await), NUMBERS);
}

async fn what_was_changed_since_is_not_taken_back(world: &World) {
    keep(world).await;
    let done = convert(world, &conversion()).await;
    let path = format!("/v2/accounts/{PARENT}/phone_numbers/{}", number(1));
    let data = json!({"note": "edited"});
    world.ask(Who::Admin, Method::PATCH, &path, Some(&data)).await.check_status(200);
    let taken_back = ended(world, &act(world, &done, "revert").await.data(202)).await;
    assert_eq!(
        (text(&taken_back, "state"), &taken_back["counts"]["failed"]),
        ("partial", &json!(1))
    );
    let left = carriers(world).await;
    assert_eq!((converted(&left), left[1].as_str()), (1, "knm_bandwidth2"));
}

async fn nothing_is_done_twice(world: &World) {
    keep(world).await;
    convert(world, &conversion()).await;
    let before = world.everything().await;
    let again = convert(world, &conversion()).await;
    assert_eq!((text(&again, "state"), &again["counts"]["changed"]), ("succeeded", &json!(0)));
    assert_eq!(world.everything().await, before);
}

/// A conversion that takes some time: a page has one number, and pauses follow.
fn slow() -> Value {
    let data = with(conversion(), "page_size", json!(1));
    with(with(data, "pause_ms", json!(60)), "concurrency", json!(1))
}

async fn a_job_is_stopped_and_goes_on(world: &World) {
    keep(world).await;
    let job = ask(world, "/v2/maintenance/convert_carrier", &slow()).await.data(202);
    until(world, &job, |job| job["counts"]["changed"].as_u64() > Some(0)).await;
    act(world, &job, "pause").await.check_status(200);
    until(world, &job, |job| job["state"] == "paused").await;
    let some = converted(&carriers(world).await);
    assert!((1..NUMBERS).contains(&some), "{some}");
    sleep(Duration::from_millis(150)).await;
    assert_eq!(converted(&carriers(world).await), some, "it stands still");
    act(world, &job, "resume").await.check_status(200);
    let done = ended(world, &job).await;
    assert_eq!((text(&done, "state"), &done["counts"]["changed"]), ("succeeded", &json!(NUMBERS)));
    assert_eq!(converted(&carriers(world).await), NUMBERS);
    each_was_written_once(world).await;
    act(world, &job, "pause").await.check_status(409);
    act(world, &job, "resume").await.check_status(409);
    act(world, &job, "cancel").await.check_status(409);
}

/// Every number has exactly two revisions, the one that it was kept with and another.
async fn each_was_written_once(world: &World) {
    for number in ids() {
        let revision = world.document(&number).await.unwrap().rev;
        assert!(revision.as_str().starts_with("2-"), "{number} is at {}", revision.as_str());
    }
}

async fn a_job_is_stopped_for_good(world: &World) {
    keep(world).await;
    let job = ask(world, "/v2/maintenance/convert_carrier", &slow()).await.data(202);
    until(world, &job, |job| job["counts"]["changed"].as_u64() > Some(0)).await;
    let path = format!("/v2/jobs/{}", text(&job, "id"));
    world.ask(Who::Admin, Method::DELETE, &path, None).await.check_status(200);
    let ended = ended(world, &job).await;
    assert_eq!(text(&ended, "state"), "cancelled");
    let some = converted(&carriers(world).await);
    assert!((1..NUMBERS).contains(&some), "{some}");
    // What it did can be taken back, and the way is free for another.
    let taken_back = act(world, &job, "revert").await.data(202);
    let taken_back = self::ended(world, &taken_back).await;
    assert_eq!(taken_back["counts"]["changed"], some);
    assert_eq!(convert(world, &conversion()).await["counts"]["changed"], NUMBERS);
}

async fn two_of_a_kind_do_not_meet(world: &World) {
    keep(world).await;
    let scope = |databases: Value| with(slow(), "scope", json!({ "databases": databases }));
    let path = "/v2/maintenance/convert_carrier";
    let first = ask(world, path, &scope(json!(["+1415"]))).await.data(202);
    for other in [scope(json!(["+1416", "+14155"])), slow()] {
        let refused = ask(world, path, &other).await;
        refused.check_status(409);
        let said = refused.json();
        assert_eq!(
            (&said["message"], &said["data"]["job"]),
            (&json!("job_is_running"), &first["id"])
        );
    }
    // A plan gets in nobody's way, and neither does a job elsewhere.
    ask(world, path, &with(conversion(), "dry_run", json!(true))).await.check_status(202);
    let elsewhere = ask(world, path, &scope(json!(["+1416"]))).await.data(202);
    // Another process is told, too.
    let other = world.beside().await;
    let ask = other.ask(Method::POST, path).token(&other.admin()).data(&slow());
    ask.send().await.check_status(409);
    for job in [&first, &elsewhere] {
        assert_eq!(ended(world, job).await["counts"]["changed"], NUMBERS / 2);
    }
    each_was_written_once(world).await;
}

/// Changes a number behind the back of whoever is about to write it.
pub(super) async fn meddle(store: SharedStore, number: String) {
    let mut found = store.get(&number_db(&number), &number).await.unwrap().live().unwrap();
    found.body.insert("note".to_owned(), "meddled".into());
    let expect = Expect::At(found.rev);
    let write = Write::put(number_db(&number), number, expect, found.body);
    store.commit(vec![write]).await.unwrap();
}

async fn somebody_else_writes_in_between(world: &World) {
    keep(world).await;
    let inner = world.store.clone();
    let target = number(3);
    let store = MeddlingStore::new(world.store.clone(), move |sets| {
        let hit = sets.iter().flatten().any(|write| {
            write.id == target && write.db == number_db(&target) && write.expect != Expect::Absent
        });
        let (inner, target) = (inner.clone(), target.clone());
        hit.then(|| Box::pin(meddle(inner, target)) as _)
    });
    let app = TestApp::over(Arc::new(store), UNLIMITED).await;
    let path = "/v2/maintenance/convert_carrier?wait=20";
    let asked = app.ask(Method::POST, path).token(&app.admin()).data(&conversion());
    let done = asked.send().await.data(200);
    assert_eq!((text(&done, "state"), &done["counts"]["changed"]), ("succeeded", &json!(NUMBERS)));
    let document = world.document(&number(3)).await.unwrap().body;
    let seen = (&document["note"], &document["pvt_module_name"]);
    assert_eq!(seen, (&json!("meddled"), &json!("knm_bandwidth2")), "neither write is lost");
}

async fn each_page_is_journaled(world: &World) {
    keep(world).await;
    let job = convert(world, &conversion()).await;
    let writes = parts(world, text(&job, "journal")).await;
    let mut seen: Vec<&str> =
        writes.iter().filter(|it| it["is_copy"] == false).map(|it| text(it, "id")).collect();
    seen.sort_unstable();
    let mut all = ids();
    all.sort_unstable();
    assert_eq!(seen, all);
    let plan = format!("/v2/jobs/{}/plan", text(&job, "id"));
    world.ask(Who::Admin, Method::GET, &plan, None).await.check_status(404);
}

/// What a job looks like whose process died: it runs, and its lease has run out.
async fn die(world: &World, id: &str) {
    let db = number_manager::store::DbName::new("number_manager_jobs");
    let mut found = world.store.get(&db, &format!("job:{id}")).await.unwrap().live().unwrap();
    let job = &mut found.body["job"];
    job["state"] = json!("running");
    job["finished"] = Value::Null;
    job["lease"]["until_ms"] = json!(0);
    job["done"] = json!({"below": 0, "beyond": []});
    for counted in ["counts", "live"] {
        job[counted] = json!({"read": 0, "changed": 0, "unchanged": 0, "skipped": 0, "failed": 0});
    }
    let write = Write::put(db.clone(), format!("job:{id}"), Expect::At(found.rev), found.body);
    world.store.commit(vec![write]).await.unwrap();
    let found = world.store.get(&db, "active").await.unwrap().live().unwrap();
    let mut body = found.body;
    body["jobs"][id] = json!({"operation": "convert_carrier", "databases": null, "entered_ms": 0});
    let write = Write::put(db, "active", Expect::At(found.rev), body);
    world.store.commit(vec![write]).await.unwrap();
}

/// A process beside, which looks for jobs that nobody runs.
async fn watcher(world: &World) -> TestApp {
    let app = world.beside().await;
    let jobs = app.jobs().clone();
    tokio::spawn(async move { jobs.watch().await });
    app
}

async fn a_job_that_nobody_runs_is_found(world: &World) {
    keep(world).await;
    let job = convert(world, &conversion()).await;
    die(world, text(&job, "id")).await;
    let _watcher = watcher(world).await;
    let done = ended(world, &job).await;
    // What the journal says was done counts as done, once.
    assert_eq!((text(&done, "state"), &done["counts"]["changed"]), ("succeeded", &json!(NUMBERS)));
    each_was_written_once(world).await;
}

async fn a_job_of_a_dead_process_goes_on_where_it_was(world: &World) {
    keep(world).await;
    let job = convert(world, &conversion()).await;
    let id = text(&job, "id");
    // The last page was recorded and half of it written when the process died.
    let last = parts(world, text(&job, "journal")).await;
    let undone: Vec<&Value> = last.iter().rev().take(3).collect();
    for write in &undone {
        let db = number_manager::store::DbName::new(text(write, "database"));
        let mut found = world.store.get(&db, text(write, "id")).await.unwrap().live().unwrap();
        found.body.insert("pvt_module_name".to_owned(), "knm_telnyx".into());
        let put = Write::put(db, text(write, "id"), Expect::At(found.rev), found.body);
        world.store.commit(vec![put]).await.unwrap();
    }
    die(world, id).await;
    let _watcher = watcher(world).await;
    let done = ended(world, &job).await;
    // Those three are at another revision than was planned, so they are planned again. What was done
    // before is neither looked at again nor forgotten.
    let all =
        json!({"read": NUMBERS, "changed": NUMBERS, "unchanged": 0, "skipped": 0, "failed": 0});
    assert_eq!((text(&done, "state"), &done["counts"]), ("succeeded", &all), "{done}");
    assert_eq!(converted(&carriers(world).await), NUMBERS);
}

async fn whoever_lost_the_lease_stops(world: &World) {
    keep(world).await;
    let job = ask(world, "/v2/maintenance/convert_carrier", &slow()).await.data(202);
    until(world, &job, |job| job["counts"]["changed"].as_u64() > Some(0)).await;
    // Somebody else takes it, as after a long pause of this process.
    let db = number_manager::store::DbName::new("number_manager_jobs");
    let id = format!("job:{}", text(&job, "id"));
    loop {
        let mut found = world.store.get(&db, &id).await.unwrap().live().unwrap();
        let epoch = found.body["job"]["lease"]["epoch"].as_u64().unwrap();
        found.body["job"]["lease"] =
            json!({"holder": "another", "epoch": epoch + 1, "until_ms": i64::MAX / 2});
        let write = Write::put(db.clone(), id.as_str(), Expect::At(found.rev), found.body);
        if world.store.commit(vec![write]).await.is_ok() {
            break;
        }
    }
    // It notices when it next gives a sign of life; what it still wrote it had recorded before.
    sleep(Duration::from_millis(250)).await;
    let some = converted(&carriers(world).await);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(converted(&carriers(world).await), some, "it has stopped");
    assert!(some < NUMBERS, "it had ended before");
    assert_eq!(look(world, &job).await["state"], "running", "it is the other one's");
    // The page that it was at is the other one's to finish, whom there is not.
    world.clear().await;
}

async fn old_jobs_are_forgotten(world: &World) {
    keep(world).await;
    let old = convert(world, &conversion()).await;
    let path = format!("/v2/jobs/{}", text(&old, "id"));
    let jobs = world.app.jobs();
    jobs.forget_old().await.unwrap();
    world.ask(Who::Admin, Method::GET, &path, None).await.check_status(200);
    world.app.clock().advance(SignedDuration::from_hours(24 * 31));
    let young = convert(world, &conversion()).await;
    jobs.forget_old().await.unwrap();
    world.ask(Who::Admin, Method::GET, &path, None).await.check_status(404);
    assert_eq!(text(&look(world, &young).await, "state"), "succeeded");
    let db = number_manager::store::DbName::new("number_manager_jobs");
    let left = world.store.changes(&db, None, 1000).await.unwrap().rows;
    let live: Vec<_> = left.into_iter().filter(|row| !row.deleted).map(|row| row.id).collect();
    assert!(live.iter().all(|id| !id.contains(text(&old, "id"))), "{live:?}");
}
