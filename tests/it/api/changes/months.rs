//! The turn of a month, and what is kept.

use number_manager::{
    domain::{Clock, FixedClock},
    repository::Event,
    store::DbName,
};

use super::*;

over_both_stores! {
    a_cursor_goes_on_over_the_turn_of_months,
    whoever_was_paused_over_the_turn_is_heard,
    what_is_not_kept_is_gone,
    a_cursor_from_before_the_first_change_is_good,
}

fn set(world: &World, time: &str) {
    world.app.clock().set(time.parse().unwrap());
}

fn feed(month: &str) -> DbName {
    DbName::new(format!("number_manager_feed-{month}"))
}

/// Numbers of changes.
fn of(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|it| it["number"].as_str().unwrap()).collect()
}

/// An event that nobody has looked for.
fn event(number: &str) -> Event {
    let event = json!({
        "number": number, "kind": "updated", "revision": format!("1-{number}"),
        "time": "2024-05-31T23:59:59Z",
    });
    serde_json::from_value(event).unwrap()
}

/// The feed as a process whose clock says so appends to it.
fn by(world: &World, time: &str) -> EventRepository {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(time.parse().unwrap()));
    EventRepository::new(world.store.clone(), clock)
}

async fn append(events: &EventRepository, number: &str) {
    for done in events.append(&[event(number)]).await {
        done.unwrap();
    }
}

async fn a_cursor_goes_on_over_the_turn_of_months(world: &World) {
    let follower = keeper(world);
    let mut cursor = "0".to_owned();
    for (time, number) in [
        ("2024-05-31T23:59:58Z", "+14155550101"),
        ("2024-06-01T00:00:01Z", "+14155550102"),
        // A month in which nothing happened lies in between.
        ("2024-08-01T00:00:00Z", "+14155550103"),
    ] {
        set(world, time);
        ask(world, Method::PUT, &format!("/{number}"), json!({})).await;
        let (changes, end) = told(world, Who::Admin, &cursor, |_| true).await;
        assert_eq!(of(&changes), [number]);
        cursor = end;
    }
    follower.stop().await;
    let names = world.store.databases("number_manager_feed-").await.unwrap();
    assert_eq!(names, ["202405", "202406", "202408"].map(feed));
    let (changes, _) = all(world, Who::Admin, "0", 1).await;
    assert_eq!(of(&changes), ["+14155550101", "+14155550102", "+14155550103"]);
}

async fn whoever_was_paused_over_the_turn_is_heard(world: &World) {
    let late = by(world, "2024-05-31T23:59:59Z");
    append(&late, "+14155550101").await;
    let next = by(world, "2024-06-01T00:00:01Z");
    append(&next, "+14155550102").await;
    let (changes, cursor) = all(world, Who::Admin, "0", 100).await;
    assert_eq!(of(&changes), ["+14155550101", "+14155550102"]);
    // It believes still that it is May.
    append(&late, "+14155550103").await;
    assert!(
        world
            .store
            .get(&feed("202405"), "+14155550103@1-+14155550103")
            .await
            .unwrap()
            .live()
            .is_some()
    );
    let (changes, cursor) = all(world, Who::Admin, &cursor, 100).await;
    assert_eq!(of(&changes), ["+14155550103"]);
    // Who begins to follow looks what there is: a clock that is behind does not put events back.
    let behind = by(world, "2024-05-31T23:59:59Z");
    behind.begin().await.unwrap();
    append(&behind, "+14155550104").await;
    assert!(
        world
            .store
            .get(&feed("202406"), "+14155550104@1-+14155550104")
            .await
            .unwrap()
            .live()
            .is_some()
    );
    let (changes, _) = all(world, Who::Admin, &cursor, 100).await;
    assert_eq!(of(&changes), ["+14155550104"]);
    // What is told again is recognised.
    append(&behind, "+14155550104").await;
    assert_eq!(all(world, Who::Admin, "0", 100).await.0.len(), 4);
}

async fn what_is_not_kept_is_gone(world: &World) {
    append(&by(world, "2024-05-31T00:00:00Z"), "+14155550101").await;
    let (_, old) = all(world, Who::Admin, "0", 100).await;
    append(&by(world, "2024-06-01T00:00:00Z"), "+14155550102").await;
    let (_, kept) = all(world, Who::Admin, &old, 100).await;
    set(world, "2024-09-05T12:00:00Z");
    append(&by(world, "2024-09-05T12:00:00Z"), "+14155550103").await;

    let expire = json!({"scope": {"all": true}, "confirm": "expire"});
    let path = "/v2/maintenance/expire?wait=20";
    let job = world.ask(Who::Admin, Method::POST, path, Some(&expire)).await.data(200);
    assert_eq!(job["findings"]["database_expired"]["ids"], json!([feed("202405").as_str()]));

    let (changes, _) = all(world, Who::Admin, &kept, 100).await;
    assert_eq!(of(&changes), ["+14155550103"], "the month before is gone, this one is not");
    let (changes, _) = all(world, Who::Admin, "0", 100).await;
    assert_eq!(of(&changes), ["+14155550102", "+14155550103"]);
    for form in ["", "&feed=longpoll", "&feed=eventsource"] {
        let path = format!("/v2/changes?since={old}{form}");
        let gone = world.ask(Who::Admin, Method::GET, &path, None).await;
        let present = gone.json()["data"]["cursor"].as_str().unwrap().to_owned();
        let message = "what follows the cursor is not kept any more";
        gone.check_error(410, "cursor_gone", &json!({"message": message, "cursor": present}));
        assert_eq!(all(world, Who::Admin, &present, 100).await.0, [json!(null); 0]);
        append(&by(world, "2024-09-05T12:00:00Z"), &format!("+1415555020{}", form.len() % 10))
            .await;
        assert_eq!(all(world, Who::Admin, &present, 100).await.0.len(), 1);
    }
}

async fn a_cursor_from_before_the_first_change_is_good(world: &World) {
    let now = page(world, Who::Admin, "since=now").await;
    let cursor = now["cursor"].as_str().unwrap();
    assert_eq!(all(world, Who::Admin, cursor, 100).await.0, [json!(null); 0]);
    append(&by(world, "2024-05-01T12:00:01Z"), "+14155550101").await;
    append(&by(world, "2024-06-01T12:00:01Z"), "+14155550102").await;
    let (changes, _) = all(world, Who::Admin, cursor, 100).await;
    assert_eq!(of(&changes), ["+14155550101", "+14155550102"]);
}
