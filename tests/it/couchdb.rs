//! What is true of the CouchDB backend beyond the store's contract: what it asks of the server,
//! and what it makes of the answers, of those that come late, and of those that do not come.

use std::time::{Duration, Instant};

use number_manager::store::{
    Body, Change, Committed, DbName, DocumentStore, Expect, IdRange, Kind, Lookup, Order, Query,
    Question, Rev, StoreError, WRITE_ID, Write,
    couchdb::{CouchConfig, CouchStore},
};
use serde_json::{Value, json};

use crate::support::{
    couch::{CouchServer, LIMIT_MS, Namespace},
    proxy::{Fault, Proxy},
};

const ID: &str = "+14155550100";

/// Later than the limits of a store with faults on its way, and than all repetitions of a call.
const LATE: Duration = Duration::from_secs(6);

fn numbers() -> DbName {
    DbName::new("numbers/+1415")
}

/// A body with a stamp of its own.
fn body(members: Value) -> Body {
    let mut body: Body = serde_json::from_value(members).unwrap();
    body.insert(WRITE_ID.to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    body
}

fn create(id: &str, members: Value) -> Write {
    Write::put(numbers(), id, Expect::Absent, body(members))
}

fn written(write: &Write) -> &Body {
    let (Change::Put(body) | Change::Delete(body)) = &write.change;
    body
}

async fn commit(store: &CouchStore, write: Write) -> Rev {
    store.commit(vec![write]).await.unwrap().revs.remove(0)
}

async fn commit_error(store: &CouchStore, write: Write) -> StoreError {
    store.commit(vec![write]).await.unwrap_err().error
}

async fn live(store: &CouchStore, id: &str) -> number_manager::store::Document {
    store.get(&numbers(), id).await.unwrap().live().unwrap()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// A store in a namespace with the database of the tests.
async fn ready() -> (Namespace, CouchStore) {
    let namespace = CouchServer::namespace();
    let store = namespace.store().await;
    store.create_database(&numbers()).await.unwrap();
    (namespace, store)
}

/// The same, with another store that has short limits and faults on its way.
async fn ready_with_faults() -> (Namespace, CouchStore, CouchStore, Proxy) {
    let (namespace, direct) = ready().await;
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let store = CouchStore::connect(namespace.config_through(proxy.host())).await.unwrap();
    proxy.seen();
    (namespace, direct, store, proxy)
}

#[tokio::test]
async fn names_and_ids_arrive_as_they_are_written() {
    let (_namespace, store) = ready().await;
    for id in [ID, "a b", "a+b", "a/b", "a%2Fb", "é", "a?b#c", "a.b"] {
        let rev = commit(&store, create(id, json!({"is": id}))).await;
        let document = live(&store, id).await;
        assert_eq!((document.id.as_str(), &document.rev), (id, &rev));
        assert_eq!(document.body["is"], id);
    }
    assert_eq!(store.databases("numbers/").await.unwrap(), [numbers()]);
    assert_eq!(store.databases("number_").await.unwrap(), []);
}

#[tokio::test]
async fn members_keep_their_order_and_numbers_their_type() {
    let (_namespace, store) = ready().await;
    let write = create(ID, json!({"z": 1, "a": {"y": 2, "b": [1, 2.5, null]}, "m": -3}));
    let wanted = serde_json::to_string(written(&write)).unwrap();
    commit(&store, write).await;
    assert_eq!(serde_json::to_string(&live(&store, ID).await.body).unwrap(), wanted);
}

#[tokio::test]
async fn an_id_that_addresses_something_else_is_refused_unsent() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    for id in ["", ".", "..", "_all_docs", "_x"] {
        assert_eq!(commit_error(&store, create(id, json!({}))).await.kind, Kind::Refused, "{id}");
        assert_eq!(store.get(&numbers(), id).await.unwrap(), Lookup::Missing, "{id}");
    }
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn a_tombstone_is_read_with_its_members() {
    let (_namespace, store) = ready().await;
    let rev = commit(&store, create(ID, json!({"n": 1}))).await;
    let delete = Write::delete(numbers(), ID, rev.clone(), body(json!({"owner": "a"})));
    let tombstone = written(&delete).clone();
    let gone = commit(&store, delete).await;
    let Lookup::Deleted(found) = store.get(&numbers(), ID).await.unwrap() else {
        panic!("not deleted")
    };
    assert_eq!((&found.rev, &found.body), (&gone, &tombstone));

    commit(&store, create("+2", json!({}))).await;
    let ids = [ID, "+3", "+2", ID].map(str::to_owned);
    let many = store.get_many(&numbers(), &ids).await.unwrap();
    assert_eq!(many[0], Lookup::Deleted(found.clone()));
    assert_eq!(many[1], Lookup::Missing);
    assert!(matches!(&many[2], Lookup::Live(document) if document.id == "+2"));
    assert_eq!(many[3], Lookup::Deleted(found));
    let revisions = store.revisions(&numbers(), &ids).await.unwrap();
    assert_eq!(
        revisions.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, false, true, false]
    );

    let stale = Write::put(numbers(), ID, Expect::At(rev), body(json!({})));
    assert_eq!(commit_error(&store, stale).await.kind, Kind::Conflict);
    commit(&store, create(ID, json!({"n": 2}))).await;
    assert_eq!(live(&store, ID).await.body["n"], 2);
}

#[tokio::test]
async fn no_ids_ask_the_server_nothing() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    assert_eq!(store.get_many(&numbers(), &[]).await.unwrap(), []);
    assert_eq!(store.revisions(&numbers(), &[]).await.unwrap(), []);
    assert!(store.commit_many(vec![]).await.is_empty());
    assert!(store.commit(vec![]).await.unwrap().quorum);
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn a_missing_database_is_told_from_a_missing_document() {
    let namespace = CouchServer::namespace();
    let store = namespace.store().await;
    let ids = [ID.to_owned()];
    assert_eq!(store.get(&numbers(), ID).await.unwrap(), Lookup::Missing);
    assert_eq!(store.get_many(&numbers(), &ids).await.unwrap(), [Lookup::Missing]);
    assert_eq!(store.revisions(&numbers(), &ids).await.unwrap(), [None]);
    assert_eq!(store.checkpoint(&numbers(), "x").await.unwrap(), None);
    assert_eq!(commit_error(&store, create(ID, json!({}))).await.kind, Kind::NoDatabase);
    let sets = vec![vec![create("+1", json!({}))], vec![create("+2", json!({}))]];
    for result in store.commit_many(sets).await {
        assert_eq!(result.unwrap_err().error.kind, Kind::NoDatabase);
    }
    let asked = store.set_checkpoint(&numbers(), "x", json!(1)).await;
    assert_eq!(asked.unwrap_err().kind, Kind::NoDatabase);
    assert_eq!(store.changes(&numbers(), None, 1).await.unwrap_err().kind, Kind::NoDatabase);
    let range = IdRange::starting_with("+");
    let counts = store.carrier_counts(&numbers(), &range).await;
    assert_eq!(counts.unwrap_err().kind, Kind::NoDatabase);
    for question in [Question::All, Question::Carrier(None)] {
        let page = store.query(&numbers(), &query(question, &range)).await;
        assert_eq!(page.unwrap_err().kind, Kind::NoDatabase);
    }
    let illegal = DbName::new("Numbers");
    assert_eq!(store.get(&illegal, ID).await.unwrap(), Lookup::Missing);
    assert_eq!(store.create_database(&illegal).await.unwrap_err().kind, Kind::Refused);
}

fn query(question: Question, range: &IdRange) -> Query {
    Query { question, range: range.clone(), order: Order::Ascending, after: None, limit: 2 }
}

/// All ids of an answer, page by page.
async fn walk(store: &CouchStore, mut query: Query) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = store.query(&numbers(), &query).await.unwrap();
        assert!(page.documents.len() <= query.limit);
        ids.extend(page.documents.into_iter().map(|document| document.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return ids,
        }
    }
}

async fn with_carriers() -> (Namespace, CouchStore) {
    let (namespace, store) = ready().await;
    let carriers = [
        json!({"pvt_module_name": "knm_local"}),
        json!({"pvt_module_name": "knm_bandwidth2"}),
        json!({"pvt_carrier_module": "knm_local"}),
        json!({"other": 1}),
        json!({"pvt_module_name": "knm_local", "pvt_carrier_module": "x"}),
    ];
    let sets =
        (0..5).zip(carriers).map(|(n, members)| vec![create(&format!("+141555501{n}"), members)]);
    for result in store.commit_many(sets.collect()).await {
        result.unwrap();
    }
    (namespace, store)
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing_in_either_direction() {
    let (_namespace, store) = with_carriers().await;
    let all = ["+1415555010", "+1415555011", "+1415555012", "+1415555013", "+1415555014"];
    for limit in 1..7 {
        let up = Query { limit, ..query(Question::All, &IdRange::starting_with("+1415")) };
        assert_eq!(walk(&store, up.clone()).await, all, "{limit}");
        let mut down = walk(&store, Query { order: Order::Descending, ..up }).await;
        down.reverse();
        assert_eq!(down, all, "{limit}");
    }
    let range = IdRange { from: all[1].into(), before: all[3].into() };
    assert_eq!(walk(&store, query(Question::All, &range)).await, all[1..3]);
    let down = Query { order: Order::Descending, ..query(Question::All, &range) };
    assert_eq!(walk(&store, down).await, [all[2], all[1]]);
    let none = IdRange { from: "b".into(), before: "a".into() };
    assert_eq!(walk(&store, query(Question::All, &none)).await, [""; 0]);
    let whole = IdRange { from: String::new(), before: "~".into() };
    assert_eq!(walk(&store, query(Question::All, &whole)).await, all);
}

#[tokio::test]
async fn carriers_are_found_and_counted_within_a_range() {
    let (_namespace, store) = with_carriers().await;
    let range = IdRange::starting_with("+1415");
    let local = Question::Carrier(Some("knm_local".into()));
    let wanted = ["+1415555010", "+1415555012", "+1415555014"];
    assert_eq!(walk(&store, query(local.clone(), &range)).await, wanted);
    let down = Query { order: Order::Descending, ..query(local.clone(), &range) };
    let mut down = walk(&store, down).await;
    down.reverse();
    assert_eq!(down, wanted);
    assert_eq!(walk(&store, query(Question::Carrier(None), &range)).await, ["+1415555013"]);
    let part = IdRange { from: "+1415555011".into(), before: "+1415555014".into() };
    assert_eq!(walk(&store, query(local, &part)).await, ["+1415555012"]);

    let name = |name: &str| Some(name.to_owned());
    let counts = store.carrier_counts(&numbers(), &range).await.unwrap();
    let wanted = [(None, 1), (name("knm_bandwidth2"), 1), (name("knm_local"), 3)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), wanted);
    let counts = store.carrier_counts(&numbers(), &part).await.unwrap();
    let wanted = [(None, 1), (name("knm_bandwidth2"), 1), (name("knm_local"), 1)];
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), wanted);
}

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
            "number_manager: database created",
            "numbers/+1212: indexes installed",
            "numbers/+1415: database created",
        ]
    );
    assert_eq!(store.migrate(&wanted).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn only_dated_databases_are_dropped() {
    let (_namespace, store) = ready().await;
    assert_eq!(store.drop_database(&numbers()).await.unwrap_err().kind, Kind::Refused);
    let dated = DbName::new("number_manager_feed-202601");
    store.create_database(&dated).await.unwrap();
    store.create_database(&dated).await.unwrap();
    store.drop_database(&dated).await.unwrap();
    store.drop_database(&dated).await.unwrap();
    assert_eq!(store.databases("").await.unwrap(), [numbers()]);
}

#[tokio::test]
async fn the_feed_shows_each_document_once_and_stands_still_without_changes() {
    let (_namespace, store) = ready().await;
    let rev = commit(&store, create("+1", json!({}))).await;
    commit(&store, create("+2", json!({}))).await;
    let gone = commit(&store, Write::delete(numbers(), "+1", rev, body(json!({})))).await;
    let mut since = None;
    let mut seen = Vec::new();
    loop {
        let changes = store.changes(&numbers(), since.as_ref(), 1).await.unwrap();
        if since.as_ref() == Some(&changes.last) {
            break;
        }
        seen.extend(changes.rows.into_iter().map(|row| (row.id, row.deleted, row.rev)));
        since = Some(changes.last);
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[0].0.as_str(), seen[0].1, &seen[0].2), ("+1", true, &gone));
    assert_eq!((seen[1].0.as_str(), seen[1].1), ("+2", false));
    let none = store.changes(&numbers(), since.as_ref(), 0).await.unwrap();
    assert_eq!((none.rows.len(), Some(none.last)), (0, since));
}

#[tokio::test]
async fn a_checkpoint_is_read_back_and_is_in_no_feed() {
    let (_namespace, store) = ready().await;
    assert_eq!(store.checkpoint(&numbers(), "follower/1").await.unwrap(), None);
    let before = store.changes(&numbers(), None, 100).await.unwrap();
    for value in [json!({"seq": "1-x"}), json!(7), json!(null)] {
        store.set_checkpoint(&numbers(), "follower/1", value.clone()).await.unwrap();
        assert_eq!(store.checkpoint(&numbers(), "follower/1").await.unwrap(), Some(value));
    }
    let after = store.changes(&numbers(), Some(&before.last), 100).await.unwrap();
    assert_eq!(after.rows, []);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_made_once() {
    for fault in [
        Fault::LoseAnswer,
        Fault::CutAnswer,
        Fault::DelayAnswer(LATE),
        Fault::AnswerInstead(503, ""),
        Fault::AnswerInstead(500, r#"{"error":"timeout","reason":"x"}"#),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        proxy.fail("PUT", "5550100", fault.clone());
        let write = create(ID, json!({"n": 1}));
        let rev = commit(&store, write.clone()).await;
        let document = live(&direct, ID).await;
        assert_eq!((&document.rev, &document.body), (&rev, written(&write)), "{fault:?}");
        assert!(rev.as_str().starts_with("1-"), "{fault:?} made {rev:?}");
        let puts = proxy.seen().iter().filter(|line| line.starts_with("PUT")).count();
        assert_eq!(puts, 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_made_once() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let rev = commit(&store, create(ID, json!({}))).await;
    proxy.fail("PUT", "5550100", Fault::LoseAnswer);
    let gone = commit(&store, Write::delete(numbers(), ID, rev, body(json!({"o": 1})))).await;
    let Lookup::Deleted(found) = store.get(&numbers(), ID).await.unwrap() else {
        panic!("not deleted")
    };
    assert_eq!(found.rev, gone);
}

#[tokio::test]
async fn a_write_that_never_arrived_is_sent_again() {
    for fault in [
        Fault::LoseRequest,
        Fault::Answer(503, ""),
        Fault::Answer(500, r#"{"error":"error","reason":"all_dbs_active"}"#),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        proxy.fail("PUT", "5550100", fault.clone());
        let rev = commit(&store, create(ID, json!({}))).await;
        assert_eq!(live(&direct, ID).await.rev, rev, "{fault:?}");
        let write = Write::put(numbers(), ID, Expect::At(rev), body(json!({"n": 2})));
        proxy.fail("PUT", "5550100", fault);
        let rev = commit(&store, write).await;
        assert_eq!(live(&direct, ID).await.rev, rev);
    }
}

#[tokio::test]
async fn a_request_that_arrives_after_its_repetition_does_no_harm() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    proxy.fail("PUT", "5550100", Fault::DelayRequest(LATE));
    let rev = commit(&store, create(ID, json!({"n": 1}))).await;
    tokio::time::sleep(LATE).await;
    assert_eq!(live(&direct, ID).await.rev, rev);
}

#[tokio::test]
async fn a_conflict_with_ones_own_write_is_success() {
    let (_namespace, store) = ready().await;
    let write = create(ID, json!({}));
    let rev = commit(&store, write.clone()).await;
    assert_eq!(commit(&store, write).await, rev);
    let next = Write::put(numbers(), ID, Expect::At(rev), body(json!({"n": 2})));
    let rev = commit(&store, next.clone()).await;
    assert_eq!(commit(&store, next).await, rev);
    assert_eq!(commit_error(&store, create(ID, json!({}))).await.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_body_without_a_stamp_is_never_taken_for_ones_own() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let write = Write::put(numbers(), ID, Expect::Absent, Body::new());
    commit(&store, write.clone()).await;
    assert_eq!(commit_error(&store, write).await.kind, Kind::Conflict);
    let write = Write::put(numbers(), "+2", Expect::Absent, Body::new());
    proxy.fail("PUT", "2B2", Fault::LoseAnswer);
    assert_eq!(commit_error(&store, write).await.kind, Kind::Conflict);
    let write = Write::put(numbers(), "+3", Expect::Absent, Body::new());
    proxy.fail("PUT", "2B3", Fault::LoseRequest);
    commit(&store, write).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_write_that_was_written_over_is_still_success() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    let first = commit(&direct, create(ID, json!({"n": 1}))).await;
    proxy.fail("PUT", "5550100", Fault::DelayAnswer(LATE));
    let ours = Write::put(numbers(), ID, Expect::At(first), body(json!({"n": 2})));
    let over = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let rev = live(&direct, ID).await.rev;
        commit(&direct, Write::put(numbers(), ID, Expect::At(rev), body(json!({"n": 3})))).await
    };
    let (ours, theirs) = tokio::join!(commit(&store, ours), over);
    assert!(ours.as_str().starts_with("2-") && theirs.as_str().starts_with("3-"));
    assert_eq!(live(&direct, ID).await.body["n"], 3);
}

#[tokio::test]
async fn a_lost_request_whose_document_was_changed_since_is_a_conflict() {
    let (_namespace, direct, store, proxy) = ready_with_faults().await;
    let first = commit(&direct, create(ID, json!({"n": 1}))).await;
    let other = Write::put(numbers(), ID, Expect::At(first.clone()), body(json!({"n": 2})));
    commit(&direct, other).await;
    proxy.fail("PUT", "5550100", Fault::LoseRequest);
    let ours = Write::put(numbers(), ID, Expect::At(first), body(json!({"n": 3})));
    assert_eq!(commit_error(&store, ours).await.kind, Kind::Conflict);
    assert_eq!(live(&direct, ID).await.body["n"], 2);
}

#[tokio::test]
async fn a_missed_quorum_is_reported() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let answer = r#"{"ok":true,"id":"x","rev":"1-abc"}"#;
    proxy.fail("PUT", "5550100", Fault::AnswerInstead(202, answer));
    let set = vec![create(ID, json!({})), create("+2", json!({}))];
    let done = store.commit(set).await.unwrap();
    assert!(!done.quorum);
    assert_eq!(done.revs.len(), 2);
    let rows =
        r#"[{"ok":true,"id":"+3","rev":"1-a"},{"ok":true,"id":"+4","rev":"1-b","accepted":true}]"#;
    proxy.fail("POST", "_bulk_docs", Fault::AnswerInstead(202, rows));
    let sets = ["+3", "+4"].map(|id| vec![create(id, json!({}))]).to_vec();
    let done: Vec<Committed> =
        store.commit_many(sets).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().map(|done| done.quorum).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_set_stops_at_the_first_write_that_is_not_made() {
    let (_namespace, store) = ready().await;
    commit(&store, create("+2", json!({}))).await;
    let set = ["+1", "+2", "+3"].map(|id| create(id, json!({}))).to_vec();
    let error = store.commit(set).await.unwrap_err();
    assert_eq!((error.failed, error.applied.len()), (1, 1));
    assert_eq!((error.error.kind, error.error.id.as_str()), (Kind::Conflict, "+2"));
    assert_eq!(store.get(&numbers(), "+3").await.unwrap(), Lookup::Missing);
}

#[tokio::test]
async fn bulk_writes_fail_each_on_its_own() {
    let (_namespace, store) = ready().await;
    let other = DbName::new("account/ab/cd");
    store.create_database(&other).await.unwrap();
    let taken = create("+2", json!({}));
    let rev = commit(&store, taken.clone()).await;
    let mirror = |id: &str| Write::put(other.clone(), id, Expect::Absent, body(json!({})));
    let missing = Write::put(DbName::new("nowhere"), "+6", Expect::Absent, body(json!({})));
    let sets = vec![
        vec![create("+1", json!({})), mirror("+1")],
        vec![create("+2", json!({})), mirror("+2")],
        vec![taken, mirror("+3")],
        vec![create("_illegal", json!({})), mirror("+4")],
        vec![create("+5", json!({})), missing],
        vec![],
    ];
    let results = store.commit_many(sets).await;
    assert_eq!(results.len(), 6);
    assert_eq!(results[0].as_ref().unwrap().revs.len(), 2);
    let kinds = |place: usize| {
        let error = results[place].as_ref().unwrap_err();
        (error.error.kind, error.failed, error.applied.len())
    };
    assert_eq!(kinds(1), (Kind::Conflict, 0, 0));
    assert_eq!(results[2].as_ref().unwrap().revs[0], rev);
    assert_eq!(kinds(3), (Kind::Refused, 0, 0));
    assert_eq!(kinds(4), (Kind::NoDatabase, 1, 1));
    assert!(results[5].as_ref().unwrap().revs.is_empty());
    let mirrors = ["+1", "+2", "+3", "+4"].map(str::to_owned);
    let found = store.revisions(&other, &mirrors).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, false]);
}

#[tokio::test]
async fn one_bad_document_does_not_fail_its_chunk() {
    let (_namespace, store) = ready().await;
    let bad = create("+2", json!({"_illegal": 1}));
    let sets = vec![vec![create("+1", json!({}))], vec![bad], vec![create("+3", json!({}))]];
    let results = store.commit_many(sets).await;
    assert!(results[0].is_ok() && results[2].is_ok(), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap_err().error.kind, Kind::Refused);
}

#[tokio::test]
async fn a_chunk_whose_answer_was_lost_is_made_once() {
    for fault in [
        Fault::LoseAnswer,
        Fault::CutAnswer,
        Fault::DelayAnswer(LATE),
        Fault::LoseRequest,
        Fault::Answer(503, ""),
        Fault::DelayRequest(LATE),
    ] {
        let (_namespace, direct, store, proxy) = ready_with_faults().await;
        commit(&direct, create("+2", json!({"other": true}))).await;
        proxy.fail("POST", "_bulk_docs", fault.clone());
        let sets = ["+1", "+2", "+3"].map(|id| vec![create(id, json!({}))]).to_vec();
        let results = store.commit_many(sets).await;
        let error = &results[1].as_ref().unwrap_err().error;
        assert_eq!(error.kind, Kind::Conflict, "{fault:?}");
        for (place, id) in [(0, "+1"), (2, "+3")] {
            let done = results[place].as_ref().unwrap();
            assert_eq!(live(&direct, id).await.rev, done.revs[0], "{fault:?}");
            assert!(done.revs[0].as_str().starts_with("1-"), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_read_is_repeated_while_it_fails_for_a_passing_reason() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let rev = commit(&store, create(ID, json!({}))).await;
    for fault in
        [Fault::LoseRequest, Fault::CutAnswer, Fault::Answer(503, ""), Fault::Answer(429, "")]
    {
        proxy.fail("GET", "5550100", fault);
        assert_eq!(live(&store, ID).await.rev, rev);
    }
    proxy.fail("GET", "5550100", Fault::Answer(404, "<html>no such page</html>"));
    let error = store.get(&numbers(), ID).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unexpected);
}

#[tokio::test]
async fn a_call_ends_within_its_limits() {
    let (_namespace, _direct, store, proxy) = ready_with_faults().await;
    let silence = Fault::DelayAnswer(LATE);
    proxy.fail("GET", "5550100", silence.clone());
    let begun = Instant::now();
    assert_eq!(store.get(&numbers(), ID).await.unwrap_err().kind, Kind::Unavailable);
    assert!(begun.elapsed() < Duration::from_millis(LIMIT_MS + 1_000), "{:?}", begun.elapsed());
    for _ in 0..9 {
        proxy.fail("", "5550100", silence.clone());
    }
    let begun = Instant::now();
    assert_eq!(commit_error(&store, create(ID, json!({}))).await.kind, Kind::Unavailable);
    assert!(begun.elapsed() < Duration::from_millis(3 * LIMIT_MS + 1_000), "{:?}", begun.elapsed());
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

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let server = CouchServer::shared();
    let proxy = Proxy::start(server.host()).await;
    // A user of its own: CouchDB locks out a name after five wrong passwords.
    let user = format!("nobody{}", uuid::Uuid::new_v4().simple());
    let url = format!("http://{user}:wr0ngpw@{}", proxy.host());
    let config = CouchConfig { url: url.into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert_eq!(proxy.seen().len(), 1);
    assert!(!chain(&error).contains("wr0ngpw"));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://admin:hunter2@{closed}");
    let config = CouchConfig { url: url.into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(chain(&error).contains(&format!("cannot connect to {closed}")), "{}", chain(&error));
    assert!(!chain(&error).contains("hunter2"));
}

#[tokio::test]
async fn errors_and_debug_show_no_secret_and_no_url() {
    let (namespace, _direct, store, proxy) = ready_with_faults().await;
    for _ in 0..9 {
        proxy.fail("GET", "5550100", Fault::LoseRequest);
    }
    let error = store.get(&numbers(), ID).await.unwrap_err();
    let shown = format!("{store:?} {:?} {}", namespace.config(), chain(&error));
    for secret in ["secret", "YWRtaW4", "http://", "Basic"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn an_unusable_setting_is_named() {
    let config = CouchConfig { url: "localhost:5984".into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert!(chain(&error).contains("couchdb.url must begin with http://"), "{}", chain(&error));
}

#[tokio::test]
async fn a_server_that_answers_lets_us_in() {
    let namespace = CouchServer::namespace();
    namespace.store().await.ping().await.unwrap();
}

#[tokio::test]
async fn a_validation_function_refuses_a_document() {
    let (namespace, store) = ready().await;
    let design = json!({"validate_doc_update": "function (doc) { if (doc.bad) { throw({forbidden: 'bad'}); } }"});
    let url = namespace.database_url("numbers%2F%2B1415/_design/guard");
    let put = reqwest::Client::new().put(url).header("content-type", "application/json");
    put.body(design.to_string()).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(commit_error(&store, create(ID, json!({"bad": 1}))).await.kind, Kind::Refused);
    let sets = vec![vec![create("+1", json!({"bad": 1}))], vec![create("+2", json!({}))]];
    let results = store.commit_many(sets).await;
    assert_eq!(results[0].as_ref().unwrap_err().error.kind, Kind::Refused);
    assert!(results[1].is_ok());
}

#[tokio::test]
async fn writers_of_one_checkpoint_do_not_fail_each_other() {
    let (_namespace, store) = ready().await;
    let db = numbers();
    let writes = (0..4).map(|n| store.set_checkpoint(&db, "shared", json!(n)));
    for result in futures::future::join_all(writes).await {
        result.unwrap();
    }
    let stored = store.checkpoint(&db, "shared").await.unwrap().unwrap();
    assert!((0..4).any(|n| stored == n), "{stored}");
}
