//! The feed as events.

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures::StreamExt;
use number_manager::auth::Claims;
use tokio::time::timeout;
use tower::ServiceExt;

use super::*;

over_both_stores! {
    events_come_as_they_happen_and_go_on_where_they_were,
    there_are_only_so_many_listeners,
    whoever_listens_is_sent_away_at_the_stop,
    a_token_that_is_denied_hears_no_more,
}

/// Somebody who listens.
struct Ear {
    body: BodyDataStream,
    text: String,
}

/// An event.
#[derive(Debug)]
struct Heard {
    event: String,
    id: String,
    data: Value,
}

impl Ear {
    /// Listens from a place on; `last`: as who comes back does.
    async fn open(world: &World, token: &str, since: &str, last: Option<&str>) -> Self {
        let uri = format!("/v2/changes?feed=eventsource&since={since}");
        let mut request = Request::get(uri).header("x-auth-token", token);
        request = request.header("accept-encoding", "gzip");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world.app.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(!response.headers().contains_key("content-encoding"), "it is held back");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// What comes next, a comment or an event; none at the end.
    async fn part(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let part = self.text[..end].to_owned();
                self.text.drain(..end + 2);
                return Some(part);
            }
            let more = timeout(PATIENCE, self.body.next()).await.expect("silence")?;
            self.text.push_str(std::str::from_utf8(&more.unwrap()).unwrap());
        }
    }

    /// The next event.
    async fn hear(&mut self) -> Heard {
        loop {
            let part = self.part().await.expect("the end");
            if part.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = part.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().to_owned()
            };
            let data = serde_json::from_str(&field("data: ")).unwrap();
            return Heard { event: field("event: "), id: field("id: "), data };
        }
    }

    /// The next change.
    async fn change(&mut self) -> Heard {
        loop {
            let heard = self.hear().await;
            if heard.event == "change" {
                return heard;
            }
            assert_eq!(
                (heard.event.as_str(), &heard.data["cursor"]),
                ("bookmark", &json!(heard.id))
            );
        }
    }
}

async fn create(world: &World, at: usize) -> String {
    let id = format!("+1415555{at:04}");
    ask(world, Method::PUT, &format!("/{id}"), json!({})).await;
    id
}

async fn events_come_as_they_happen_and_go_on_where_they_were(world: &World) {
    let follower = keeper(world);
    let admin = world.app.admin();
    let mut ear = Ear::open(world, &admin, "now", None).await;
    let first = ear.hear().await;
    assert_eq!(first.event, "bookmark", "{first:?}");
    // Something is said though nothing happens.
    while !ear.part().await.unwrap().starts_with(": ") {}
    let one = create(world, 1).await;
    let heard = ear.change().await;
    assert_eq!(heard.data["number"], one);
    let two = create(world, 2).await;
    let last = ear.change().await;
    assert_eq!(last.data["number"], two);
    drop(ear);
    // Whoever comes back says where it was, and that comes first.
    let three = create(world, 3).await;
    let mut ear = Ear::open(world, &admin, "0", Some(&last.id)).await;
    assert_eq!(ear.change().await.data["number"], three);
    // From a place in the middle of a page things come again, and none is left out.
    let mut ear = Ear::open(world, &admin, "0", None).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(ear.change().await.data["number"].as_str().unwrap().to_owned());
    }
    seen.sort();
    assert_eq!(seen, [one, two, three]);
    // Nothing for a stranger but how far it came.
    let token = world.app.account(STRANGER);
    let mut ear = Ear::open(world, &token, "0", None).await;
    let heard = ear.hear().await;
    assert_eq!(heard.event, "bookmark");
    assert_eq!(all(world, Who::Admin, &heard.id, 100).await.0, [json!(null); 0]);
    follower.stop().await;
}

async fn there_are_only_so_many_listeners(world: &World) {
    let admin = world.app.admin();
    let mut ears = Vec::new();
    for _ in 0..3 {
        ears.push(Ear::open(world, &admin, "now", None).await);
    }
    for form in ["eventsource", "longpoll"] {
        let path = format!("/v2/changes?feed={form}");
        let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
        answer.check_error(503, "too_many_streams", &json!({"message": "too many streams"}));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    page(world, Who::Admin, "").await;
    ears.pop();
    Ear::open(world, &admin, "now", None).await;
}

async fn whoever_listens_is_sent_away_at_the_stop(world: &World) {
    let mut ear = Ear::open(world, &world.app.admin(), "now", None).await;
    let waiting = async {
        sleep(Duration::from_millis(50)).await;
        world.app.stop();
    };
    let (waited, ()) = tokio::join!(page(world, Who::Admin, "feed=longpoll&since=now"), waiting);
    assert_eq!(waited["changes"], json!([]));
    while ear.part().await.is_some() {}
}

async fn a_token_that_is_denied_hears_no_more(world: &World) {
    let claims = Claims {
        account_id: Some(ACCOUNT.to_owned()),
        jti: Some("a-listener".to_owned()),
        ..Claims::default()
    };
    let mut ear = Ear::open(world, &world.app.token(claims), "now", None).await;
    ear.hear().await;
    let revoke = json!({"jti": "a-listener"});
    let revoked = world.ask(Who::Admin, Method::POST, "/v2/tokens/revoke", Some(&revoke)).await;
    assert!(revoked.status.is_success(), "{}", revoked.text);
    while ear.part().await.is_some() {}
}
