//! Which databases changed, and what documents were before.

use std::time::Instant;

use super::*;

#[tokio::test]
async fn the_server_tells_which_of_our_databases_changed() {
    let (_namespace, store) = ready().await;
    let wait = Duration::from_secs(5);
    let mut place = store.updates(None, wait).await.unwrap().expect("the server tells").last;
    commit(&store, create(ID, json!({}))).await;
    let begun = Instant::now();
    loop {
        let updates = store.updates(Some(&place), wait).await.unwrap().unwrap();
        // Nobody else's are told.
        assert!(updates.databases.iter().all(|db| *db == numbers()), "{updates:?}");
        if updates.databases.contains(&numbers()) {
            break;
        }
        assert!(begun.elapsed() < 4 * LATE, "{updates:?}");
        place = updates.last;
    }
}

#[tokio::test]
async fn what_a_document_was_before_it_was_deleted_is_told() {
    let (namespace, store) = ready().await;
    let before = async |id: &str| store.before_deletion(&numbers(), id).await.unwrap();
    commit(&store, create(ID, json!({"owner": "a"}))).await;
    assert_eq!((before(ID).await, before("+1").await), (None, None));
    let found = store.get(&numbers(), ID).await.unwrap().live().unwrap();
    let url = namespace.database_url("numbers%2F%2B1415/%2B14155550100?rev=");
    let sent = reqwest::Client::new().delete(url + found.rev.as_str()).send().await.unwrap();
    sent.error_for_status().unwrap();
    assert_eq!(before(ID).await, Some(found));
}
