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

/// The design document of the release before, which knew carriers and no owners.
async fn put_design(namespace: &Namespace, database: &str, views: Value) {
    let url = namespace.database_url(&format!("{database}/_design/number_manager"));
    let client = reqwest::Client::new();
    let stored: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    let mut design = json!({"language": "javascript", "views": views});
    if let Some(rev) = stored.get("_rev") {
        design["_rev"] = rev.clone();
    }
    let put = client.put(&url).body(design.to_string()).header("content-type", "application/json");
    put.send().await.unwrap().error_for_status().unwrap();
}

async fn views_of(namespace: &Namespace, database: &str) -> Vec<String> {
    let url = namespace.database_url(&format!("{database}/_design/number_manager"));
    let stored: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    let views = stored["views"].as_object();
    views.into_iter().flat_map(|views| views.keys().cloned()).collect()
}

#[tokio::test]
async fn the_index_of_an_older_release_is_upgraded_when_a_new_question_is_asked() {
    let (namespace, store) = ready().await;
    let carriers = json!({"carriers": {
        "map": "function (doc) { emit([doc.pvt_module_name || null, ''], null); }",
        "reduce": "_count",
    }});
    put_design(&namespace, "numbers%2F%2B1415", carriers).await;
    commit(&store, create(ID, json!({"pvt_assigned_to": "o"}))).await;
    let all = IdRange::starting_with("+");
    // The old view was read and is warm.
    store.carrier_counts(&numbers(), &all).await.unwrap();
    let of = |owner: Option<&str>| query(Question::Owner(owner.map(str::to_owned)), &all);
    assert_eq!(walk(&store, of(Some("o"))).await, [ID]);
    assert_eq!(walk(&store, of(None)).await, [""; 0]);
    assert_eq!(walk(&store, query(Question::Carrier(None), &all)).await, [ID]);
    assert_eq!(views_of(&namespace, "numbers%2F%2B1415").await, ["carriers", "owners"]);
}

const ACCOUNT: &str = "account%2F0f%2F0f%2F0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

fn account() -> DbName {
    DbName::new("account/0f/0f/0f0f0f0f0f0f0f0f0f0f0f0f0f0f")
}

/// An account's database as somebody else made it, with a callflow of the number.
async fn foreign_account(namespace: &Namespace) {
    let client = reqwest::Client::new();
    let made = client.put(namespace.database_url(ACCOUNT)).send().await.unwrap();
    made.error_for_status().unwrap();
    put_callflow(namespace).await;
}

/// A callflow of the number, as somebody else writes it.
async fn put_callflow(namespace: &Namespace) {
    let client = reqwest::Client::new();
    let flow = json!({"pvt_type": "callflow", "numbers": [ID]}).to_string();
    let put = client.put(namespace.database_url(&format!("{ACCOUNT}/flow"))).body(flow);
    let put = put.header("content-type", "application/json").send().await.unwrap();
    put.error_for_status().unwrap();
}

#[tokio::test]
async fn an_accounts_index_is_installed_when_it_is_first_asked_for_and_not_before() {
    let namespace = CouchServer::namespace();
    let store = namespace.store().await;
    foreign_account(&namespace).await;
    let write = Write::put(account(), ID, Expect::Absent, body(json!({"pvt_type": "number"})));
    commit(&store, write).await;
    assert!(store.get(&account(), "flow").await.unwrap().live().is_some());
    assert_eq!(views_of(&namespace, ACCOUNT).await, [""; 0]);

    let asked = [ID.to_owned(), "+1".to_owned()];
    let flow = Application { app: "callflow", id: "flow".to_owned() };
    let expected = [vec![flow], vec![]];
    assert_eq!(store.applications(&account(), &asked).await.unwrap(), expected);
    assert_eq!(views_of(&namespace, ACCOUNT).await, ["applications"]);

    // Something else of that name.
    put_design(&namespace, ACCOUNT, json!({})).await;
    assert_eq!(store.applications(&account(), &asked).await.unwrap(), expected);

    let month = namespace.database_url(&format!("{ACCOUNT}-202603"));
    reqwest::Client::new().put(month).send().await.unwrap().error_for_status().unwrap();
    put_design(&namespace, ACCOUNT, json!({})).await;
    assert_eq!(store.migrate(&[]).await.unwrap(), [format!("{}: indexes upgraded", account())]);
    assert_eq!(views_of(&namespace, ACCOUNT).await, ["applications"]);
}

#[tokio::test]
async fn an_index_of_applications_that_fails_is_no_answer() {
    let namespace = CouchServer::namespace();
    namespace.store().await.create_database(&account()).await.unwrap();
    put_callflow(&namespace).await;
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let store = CouchStore::connect(namespace.config_through(proxy.host())).await.unwrap();
    let asked = [ID.to_owned()];
    let missing = r#"{"error":"not_found","reason":"missing_named_view"}"#;
    let failed = r#"{"error":"compilation_error","reason":"x"}"#;
    let no_rows = r#"{"error":"timeout","reason":"x"}"#;
    let strange = r#"{"rows":[{"id":"flow","key":"+14155550100","value":"pivot"}]}"#;
    let other = r#"{"rows":[{"id":"flow","key":"+14155550100","value":null}]}"#;
    for (status, answer) in
        [(404, missing), (500, failed), (200, no_rows), (200, strange), (200, other), (200, "{")]
    {
        proxy.rule(move |line| line.contains("_view").then_some(Fault::Answer(status, answer)));
        let error = store.applications(&account(), &asked).await.unwrap_err();
        assert_ne!(error.kind, Kind::NoDatabase, "{answer}");
    }
    proxy.end_rule();
    assert_eq!(store.applications(&account(), &asked).await.unwrap()[0].len(), 1);
}

#[tokio::test]
async fn many_numbers_are_one_question() {
    let namespace = CouchServer::namespace();
    namespace.store().await.create_database(&account()).await.unwrap();
    put_callflow(&namespace).await;
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let config = namespace.config_through(proxy.host());
    let at_once = config.bulk_size;
    let store = CouchStore::connect(config).await.unwrap();
    let asked: Vec<String> = (0..=at_once).map(|n| format!("+1415{n:07}")).collect();
    proxy.seen();
    let found = store.applications(&account(), &asked).await.unwrap();
    assert!(found.len() == asked.len() && found.iter().all(Vec::is_empty));
    assert_eq!(proxy.seen().len(), 2);
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
