//! The community's scripts: every page by `next_start_key`, then `fix`.

use super::*;

over_both_stores! {
    every_page_is_followed,
}

async fn every_page_is_followed(world: &World) {
    let all: Vec<String> = (0..7).map(|i| format!("+1415555010{i}")).collect();
    for number in &all {
        hold(world, number, "in_service").await;
    }
    let user = Who::Account(ACCOUNT);
    let (mut merged, mut query) = (Vec::new(), "?page_size=3".to_owned());
    for _ in 0..all.len() {
        let answer = world.ask(user, Method::GET, &numbers(&query), None).await;
        merged.extend(names(&answer.data(200)["numbers"]).into_iter().map(str::to_owned));
        let Some(next) = answer.json()["next_start_key"].as_str().map(str::to_owned) else { break };
        query = format!("?page_size=3&start_key={next}");
    }
    merged.sort();
    assert_eq!(merged, all);
    let path = numbers("/fix");
    let fixed = world.ask(user, Method::POST, &path, Some(&json!({}))).await.data(200);
    assert_eq!(fixed["numbers"].as_object().unwrap().len(), all.len());
}
