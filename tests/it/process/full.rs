//! The disk is full: what cannot be written is refused, nothing is written by half, and everything goes
//! on when there is room again.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    invariants::violations,
    process::{A, Home, of},
};

/// How large a file may become, in KiB.
const ROOM: u64 = 900;
/// How many numbers are made at most until there is no room.
const MOST: usize = 2_000;

fn number(place: usize) -> String {
    format!("+1415555{place:04}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_finds_no_room_is_refused_and_what_was_acknowledged_stays() {
    let mut home = Home::sqlite();
    home.limit_files(Some(ROOM));
    let service = home.start().await;
    let note = "x".repeat(4_000);
    let mut made = 0;
    let refused = loop {
        assert!(made < MOST, "there is room for everything");
        let answer = service.put(&of(A, &number(made)), json!({"note": note})).await;
        if !answer.is_good() {
            break answer;
        }
        made += 1;
    };
    assert!(made > 10, "{made}: {refused:?}");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.retry_after.is_some(), "{refused:?}");
    // What is there can be read all the time, and the process lives.
    let read = service.get(&of(A, &number(0))).await.expect(200);
    assert_eq!(read.json["data"]["note"], note);
    let again = service.put(&of(A, &number(made)), json!({"note": note})).await;
    assert_eq!(again.status, 503, "{again:?}");
    assert_eq!(service.status_of("livez").await, 200);
    service.kill();

    home.limit_files(None);
    {
        let store = home.store().await;
        assert_eq!(violations(&*store).await, []);
    }
    let service = home.start_bare().await;
    for place in 0..made {
        service.get(&of(A, &number(place))).await.expect(200);
    }
    service.get(&of(A, &number(made))).await.expect(404);
    service.ask(Method::PUT, &of(A, &number(made)), Value::Null).await.expect(201);
    service.stop().await;
    assert_eq!(violations(&*home.store().await).await, []);
}
