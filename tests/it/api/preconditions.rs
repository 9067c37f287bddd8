//! `ETag`, `If-None-Match` and `If-Match`, and what happens when many write at once.

use std::collections::BTreeSet;

use axum::http::Method;
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, Answer, STRANGER};

over_both_stores! {
    every_write_gives_another_tag,
    a_reader_is_told_when_nothing_changed,
    a_writer_is_refused_when_something_changed,
    a_star_stands_for_any_version,
    a_list_of_tags_names_one_that_holds,
    odd_tags_hold_for_nothing,
    no_member_of_many_writers_is_lost,
    one_of_many_takers_wins,
    one_of_many_creators_wins,
}

fn held() -> Value {
    json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})
}

async fn ask(
    world: &World,
    method: Method,
    rest: &str,
    (name, value): (&str, &str),
    data: &Value,
) -> Answer {
    let ask = world.app.ask(method, &numbers(&format!("/{NUMBER}{rest}")));
    ask.token(&world.app.admin()).header(name, value).data(data).send().await
}

async fn tag(world: &World) -> String {
    let answer = world.about(Who::Admin, Method::GET, "", None).await;
    answer.header("etag").unwrap().to_owned()
}

async fn every_write_gives_another_tag(world: &World) {
    let mut seen = BTreeSet::new();
    for (method, rest, data) in [
        (Method::PUT, "", json!({"carrier_name": "inventory"})),
        (Method::POST, "", json!({"a": 1})),
        (Method::PATCH, "", json!({"a": 2})),
        (Method::PUT, "/reserve", json!({})),
        (Method::PUT, "/activate", json!({})),
        (Method::DELETE, "", json!({})),
    ] {
        let answer = world.about(Who::Admin, method.clone(), rest, Some(&data)).await;
        assert!(answer.status.is_success(), "{}", answer.text);
        let written = answer.header("etag").unwrap().to_owned();
        assert_eq!(written, tag(world).await, "{method} {rest}");
        assert!(written.starts_with('"') && written.ends_with('"'), "{written}");
        assert!(seen.insert(written), "{method} {rest} keeps the tag");
    }
}

async fn a_reader_is_told_when_nothing_changed(world: &World) {
    world.keep(NUMBER, held()).await;
    let tag = tag(world).await;
    for known in [tag.clone(), format!("W/{tag}"), format!("\"1-x\", {tag}"), "*".to_owned()] {
        let answer = ask(world, Method::GET, "", ("If-None-Match", &known), &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    for unknown in ["\"1-x\"", "", "1-x", "\"", "W/"] {
        let answer = ask(world, Method::GET, "", ("If-None-Match", unknown), &json!({})).await;
        answer.check_status(200);
    }
    world.about(HOLDER, Method::PATCH, "", Some(&json!({"a": 1}))).await.check_status(200);
    ask(world, Method::GET, "", ("If-None-Match", &tag), &json!({})).await.check_status(200);
}

async fn a_writer_is_refused_when_something_changed(world: &World) {
    world.keep(NUMBER, held()).await;
    let old = tag(world).await;
    let answer = ask(world, Method::PATCH, "", ("If-Match", &old), &json!({"a": 1})).await;
    answer.check_status(200);
    let now = answer.header("etag").unwrap().to_owned();
    let before = world.everything().await;
    let failed = json!({"message": "precondition failed"});
    for (method, rest) in [
        (Method::PUT, ""),
        (Method::POST, ""),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::DELETE, "?hard=true"),
        (Method::PUT, "/activate"),
        (Method::PUT, "/reserve"),
    ] {
        let answer = ask(world, method, rest, ("If-Match", &old), &json!({"a": 2})).await;
        answer.check_error(412, "precondition_failed", &failed);
    }
    assert_eq!(world.everything().await, before);
    ask(world, Method::POST, "", ("If-Match", &now), &json!({"a": 3})).await.check_status(200);
}

async fn a_star_stands_for_any_version(world: &World) {
    let failed = json!({"message": "precondition failed"});
    let before = world.everything().await;
    for (method, rest) in [(Method::PUT, ""), (Method::POST, ""), (Method::PUT, "/activate")] {
        let answer = ask(world, method, rest, ("If-Match", "*"), &json!({})).await;
        answer.check_error(412, "precondition_failed", &failed);
    }
    assert_eq!(world.everything().await, before);
    world.keep(NUMBER, held()).await;
    ask(world, Method::PATCH, "", ("If-Match", "*"), &json!({"a": 1})).await.check_status(200);
}

async fn a_list_of_tags_names_one_that_holds(world: &World) {
    world.keep(NUMBER, held()).await;
    let list = format!("\"1-x\", {}", tag(world).await);
    ask(world, Method::PATCH, "", ("If-Match", &list), &json!({"a": 1})).await.check_status(200);
    ask(world, Method::PATCH, "", ("If-Match", &list), &json!({"a": 2})).await.check_status(412);
}

async fn odd_tags_hold_for_nothing(world: &World) {
    world.keep(NUMBER, held()).await;
    let tag = tag(world).await;
    let before = world.everything().await;
    let weak = format!("W/{tag}");
    for odd in [weak.as_str(), "\"", "\"\"", "W/", "x y z", ","] {
        let answer = ask(world, Method::PATCH, "", ("If-Match", odd), &json!({"a": 1})).await;
        assert_eq!(answer.status.as_u16(), 412, "{odd}");
    }
    assert_eq!(world.everything().await, before);
}

async fn no_member_of_many_writers_is_lost(world: &World) {
    world.keep(NUMBER, held()).await;
    let write = async |index: u32| {
        let part = json!({ format!("m{index}"): index });
        // Whoever loses too often is told so, and tries again.
        loop {
            let answer = world.about(HOLDER, Method::PATCH, "", Some(&part)).await;
            match answer.status.as_u16() {
                200 => return,
                409 => assert_eq!(answer.json()["message"], "datastore_conflict"),
                _ => panic!("{}", answer.text),
            }
        }
    };
    join_all((0..16).map(write)).await;
    let data = world.about(HOLDER, Method::GET, "", None).await.data(200);
    let members: Map<String, Value> =
        (0..16).map(|index| (format!("m{index}"), json!(index))).collect();
    for (key, value) in members {
        assert_eq!(data.get(&key), Some(&value));
    }
}

async fn one_of_many_takers_wins(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let take = async |index: usize| {
        let account = [ACCOUNT, STRANGER][index % 2];
        let path = path_of(account, &format!("/{NUMBER}/activate"));
        let answer = world.ask(Who::Account(account), Method::PUT, &path, None).await;
        (account, answer)
    };
    let answers = join_all((0..16).map(take)).await;
    let owner = world.owner(NUMBER).await.unwrap();
    let mut winners = BTreeSet::new();
    for (account, answer) in &answers {
        match answer.status.as_u16() {
            201 => drop(winners.insert(*account)),
            // The other one had it first, or everybody was in everybody's way.
            403 | 409 => (),
            _ => panic!("{}", answer.text),
        }
    }
    assert_eq!(winners, BTreeSet::from([owner.as_str()]));
}

async fn one_of_many_creators_wins(world: &World) {
    let create = async |index: usize| {
        let path = path_of([ACCOUNT, STRANGER][index % 2], &format!("/{NUMBER}"));
        world.ask(Who::Admin, Method::PUT, &path, Some(&json!({"by": index}))).await
    };
    let answers = join_all((0..16).map(create)).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 201).collect();
    assert_eq!(won.len(), 1);
    for answer in &answers {
        assert!(matches!(answer.status.as_u16(), 201 | 409), "{}", answer.text);
    }
    assert_eq!(world.document(NUMBER).await.unwrap().body["by"], won[0].json()["data"]["by"]);
}
