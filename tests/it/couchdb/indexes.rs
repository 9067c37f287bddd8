//! Our design documents, and what is found by them.

use super::*;

#[tokio::test]
async fn carriers_are_found_in_the_order_of_bytes() {
    let (_namespace, store) = ready().await;
    let mut ids = ["+1", "+", ",", "B", "a", "é", "😀", "A b"];
    let sets = ids.map(|id| vec![create(id, json!({"pvt_module_name": "knm_local"}))]).to_vec();
    store.commit_many(sets).await.into_iter().for_each(|result| drop(result.unwrap()));
    ids.sort_unstable();
    let local = Question::Carrier(Some("knm_local".into()));
    let all = IdRange { from: String::new(), before: "\u{10ffff}".into() };
    assert_eq!(walk(&store, query(local.clone(), &all)).await, ids);
    assert_eq!(walk(&store, query(local, &IdRange::starting_with("+"))).await, ["+", "+1"]);
    let counts = store.carrier_counts(&numbers(), &IdRange::starting_with("+")).await.unwrap();
    assert_eq!(counts.into_values().collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_missing_index_is_installed_when_it_is_asked_for() {
    let (namespace, store) = ready().await;
    let url = namespace.database_url("numbers%2F%2B1415/_design/number_manager");
    let client = reqwest::Client::new();
    let design: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    let rev = design["_rev"].as_str().unwrap();
    client.delete(format!("{url}?rev={rev}")).send().await.unwrap().error_for_status().unwrap();
    commit(&store, create(ID, json!({}))).await;
    let asked = query(Question::Carrier(None), &IdRange::starting_with("+"));
    assert_eq!(walk(&store, asked.clone()).await, [ID]);

    let other = json!({"language": "javascript", "views": {}, "_rev": null});
    let design: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    let mut stale = other;
    stale["_rev"] = design["_rev"].clone();
    let put = client.put(&url).body(stale.to_string()).header("content-type", "application/json");
    put.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(walk(&store, asked).await, [ID]);
}

#[tokio::test]
async fn migrating_says_what_it_changed_and_changes_nothing_twice() {
    let namespace = CouchServer::namespace();
    let store = namespace.store().await;
    let bare = reqwest::Client::new().put(namespace.database_url("numbers%2F%2B1212"));
    bare.send().await.unwrap().error_for_status().unwrap();
    let wanted = [DbName::new("number_manager"), numbers()];
    let lines = store.migrate(&wanted).await.unwrap();
    assert_eq!(
        lines,
        [
            "created database number_manager",
            "numbers/+1212: indexes installed",
            "created database numbers/+1415",
        ]
    );
    assert_eq!(store.migrate(&wanted).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_index_that_is_still_being_built_is_waited_for() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    commit(&store, create(ID, json!({}))).await;
    for _ in 0..2 {
        proxy.fail("GET", "_view", Fault::DelayAnswer(LATE));
    }
    let asked = query(Question::Carrier(None), &IdRange::starting_with("+"));
    assert_eq!(walk(&store, asked).await, [ID]);
}
