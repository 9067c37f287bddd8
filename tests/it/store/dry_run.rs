//! What a rehearsal adds to the contract: it lies over documents that exist, and they stay as
//! they are.

use std::{collections::BTreeMap, sync::Arc};

use number_manager::store::{
    Application, Change, DbName, Document, DocumentStore, Expect, IdRange, Kind, Lookup, Order,
    Query, Question, Rev, SharedStore, Write,
    dry_run::{Before, DryRunStore, Planned},
    sqlite::SqliteStore,
};
use serde_json::json;

use super::cases::{body, create, numbers};

/// A store with the numbers 100 to 119, all of carrier `knm_a`, and a rehearsal over it.
async fn rehearsal() -> (SharedStore, DryRunStore) {
    let below: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
    below.create_database(&numbers()).await.unwrap();
    for n in 100..120 {
        create(&*below, &numbers(), &id(n), json!({"pvt_module_name": "knm_a", "n": n})).await;
    }
    let over = DryRunStore::new(Arc::clone(&below));
    (below, over)
}

fn id(n: usize) -> String {
    format!("+14155550{n}")
}

fn range() -> IdRange {
    IdRange::starting_with("+")
}

async fn rev(store: &dyn DocumentStore, n: usize) -> Rev {
    store.get(&numbers(), &id(n)).await.unwrap().live().unwrap().rev
}

async fn convert(store: &dyn DocumentStore, n: usize) {
    let expect = Expect::At(rev(store, n).await);
    let members = body(json!({"pvt_module_name": "knm_b"}));
    store.commit(vec![Write::put(numbers(), id(n), expect, members)]).await.unwrap();
}

async fn delete(store: &dyn DocumentStore, n: usize) {
    let delete = Write::delete(numbers(), id(n), rev(store, n).await, body(json!({"was": n})));
    store.commit(vec![delete]).await.unwrap();
}

async fn pages(store: &dyn DocumentStore, mut query: Query) -> Vec<Document> {
    let mut found = Vec::new();
    loop {
        let page = store.query(&numbers(), &query).await.unwrap();
        assert!(page.documents.len() <= query.limit);
        found.extend(page.documents);
        let Some(next) = page.next else { return found };
        assert_ne!(query.after.as_ref(), Some(&next), "the page goes on where it began");
        query.after = Some(next);
    }
}

/// Everything that a store answers about its numbers.
async fn contents(store: &dyn DocumentStore) -> (Vec<DbName>, Vec<Document>, usize) {
    let all = Query {
        question: Question::All,
        range: IdRange { from: "!".to_owned(), before: "~".to_owned() },
        order: Order::Ascending,
        after: None,
        limit: 1000,
    };
    let changes = store.changes(&numbers(), None, 1000).await.unwrap().rows.len();
    (store.databases("").await.unwrap(), pages(store, all).await, changes)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_below() {
    let (below, over) = rehearsal().await;
    let before = contents(&*below).await;
    convert(&over, 100).await;
    delete(&over, 101).await;
    create(&over, &numbers(), "new", json!({})).await;
    over.create_database(&DbName::new("accounts")).await.unwrap();
    over.migrate(&[DbName::new("number_manager")]).await.unwrap();
    over.set_checkpoint(&numbers(), "c", json!(1)).await.unwrap();
    let put = Write::put(numbers(), "bulk", Expect::Absent, body(json!({})));
    over.commit_many(vec![vec![put]]).await.remove(0).unwrap();
    assert_eq!(contents(&*below).await, before);
    assert_eq!(below.checkpoint(&numbers(), "c").await.unwrap(), None);
    assert_ne!(contents(&over).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_both_layers_once_and_in_order() {
    let (below, over) = rehearsal().await;
    // The same is done to a plain store, which says what the answers must be.
    let plain: &dyn DocumentStore = &*below;
    let dropped = [100, 104, 105, 106, 119];
    let converted = [101, 110, 118];
    let added = ["+1415555", "+141555501005", "+14155550109x", "+141555501999", "+2"];
    for n in dropped {
        delete(&over, n).await;
    }
    for n in converted {
        convert(&over, n).await;
    }
    for new in added {
        create(&over, &numbers(), new, json!({"pvt_module_name": "knm_a"})).await;
    }
    let mut expected = BTreeMap::new();
    for n in (100..120).filter(|n| !dropped.contains(n)) {
        expected.insert(id(n), if converted.contains(&n) { "knm_b" } else { "knm_a" });
    }
    expected.extend(added.map(|new| (new.to_owned(), "knm_a")));

    for carrier in [None, Some("knm_a"), Some("knm_b")] {
        let ids: Vec<_> = expected
            .iter()
            .filter(|(_, of)| carrier.is_none_or(|carrier| carrier == **of))
            .map(|(id, _)| id.clone())
            .collect();
        let question = match carrier {
            None => Question::All,
            Some(name) => Question::Carrier(Some(name.to_owned())),
        };
        for limit in 1..=26 {
            let mut query = Query {
                question: question.clone(),
                range: range(),
                order: Order::Ascending,
                after: None,
                limit,
            };
            let found = |documents: Vec<Document>| {
                documents.into_iter().map(|document| document.id).collect::<Vec<_>>()
            };
            assert_eq!(found(pages(&over, query.clone()).await), ids, "up by {limit}");
            query.order = Order::Descending;
            let mut down = found(pages(&over, query).await);
            down.reverse();
            assert_eq!(down, ids, "down by {limit}");
        }
    }
    assert_eq!(contents(plain).await.1.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_take_the_overlay_into_account() {
    let (_below, over) = rehearsal().await;
    convert(&over, 100).await;
    convert(&over, 101).await;
    delete(&over, 101).await;
    delete(&over, 102).await;
    create(&over, &numbers(), "+1415", json!({})).await;
    let counts = over.carrier_counts(&numbers(), &range()).await.unwrap();
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(counts, BTreeMap::from([(None, 1), (named("knm_a"), 17), (named("knm_b"), 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_and_applications_take_the_overlay_into_account() {
    let (below, over) = rehearsal().await;
    let flow = |numbers: &[&str]| json!({"pvt_type": "callflow", "numbers": numbers});
    create(&*below, &numbers(), "flow-a", flow(&["1", "2"])).await;
    create(&*below, &numbers(), "flow-b", flow(&["2"])).await;
    for (id, members) in
        [("flow-a", flow(&["2", "3"])), ("+14155550100", json!({"pvt_assigned_to": "o"}))]
    {
        let rev = over.get(&numbers(), id).await.unwrap().live().unwrap().rev;
        let put = Write::put(numbers(), id, Expect::At(rev), body(members));
        over.commit(vec![put]).await.unwrap();
    }
    let trunk = json!({"pvt_type": "sys_info", "servers": [{"DIDs": {"3": {}}}]});
    create(&over, &numbers(), "trunk", trunk).await;
    let rev = over.get(&numbers(), "flow-b").await.unwrap().live().unwrap().rev;
    over.commit(vec![Write::delete(numbers(), "flow-b", rev, body(flow(&["2"])))]).await.unwrap();

    let asked = ["1", "2", "3", "2"].map(str::to_owned);
    let of = |app, id: &str| Application { app, id: id.to_owned() };
    let flow = || of("callflow", "flow-a");
    let expected = [vec![], vec![flow()], vec![flow(), of("trunkstore", "trunk")], vec![flow()]];
    assert_eq!(over.applications(&numbers(), &asked).await.unwrap(), expected);

    let of_owner = |owner: Option<&str>| Query {
        question: Question::Owner(owner.map(str::to_owned)),
        range: range(),
        order: Order::Ascending,
        after: None,
        limit: 7,
    };
    assert_eq!(pages(&over, of_owner(Some("o"))).await[0].id, id(100));
    assert_eq!(pages(&over, of_owner(None)).await.len(), 19);
    assert_eq!(pages(&*below, of_owner(Some("o"))).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_feed_has_both_layers_from_an_older_place_too() {
    let (below, over) = rehearsal().await;
    let middle = below.changes(&numbers(), None, 15).await.unwrap().last;
    convert(&over, 117).await;
    delete(&over, 100).await;
    for (since, limit, expected) in [(None, 20, 20), (None, 3, 20), (Some(&middle), 2, 6)] {
        let (mut rows, mut place) = (Vec::new(), since.cloned());
        loop {
            let changes = over.changes(&numbers(), place.as_ref(), limit).await.unwrap();
            place = Some(changes.last);
            if changes.rows.is_empty() {
                break;
            }
            assert!(changes.rows.len() <= limit);
            rows.extend(changes.rows);
        }
        assert_eq!(rows.len(), expected);
        let last: Vec<_> = rows[expected - 2..].iter().map(|row| (&*row.id, row.deleted)).collect();
        assert_eq!(last, [(&*id(117), false), (&*id(100), true)]);
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows.dedup_by(|a, b| a.id == b.id);
        assert_eq!(rows.len(), expected, "a document is there twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_what_would_have_been_written() {
    let (below, over) = rehearsal().await;
    let at = Expect::At(rev(&*below, 100).await);
    convert(&over, 100).await;
    let at_rehearsed = Expect::At(rev(&over, 100).await);
    delete(&over, 100).await;
    create(&over, &numbers(), "+1415", json!({"n": 1})).await;
    let failing = vec![
        Write::put(numbers(), "lost", Expect::Absent, body(json!({}))),
        Write::put(numbers(), "+1415", Expect::Absent, body(json!({}))),
    ];
    let error = over.commit(failing).await.unwrap_err();
    assert_eq!((error.failed, error.error.kind, error.applied), (1, Kind::Conflict, vec![]));
    assert_eq!(over.get(&numbers(), "lost").await.unwrap(), Lookup::Missing);

    let planned = |set, id: String, expect, before, change| Planned {
        set,
        db: numbers(),
        id,
        expect,
        before,
        change,
    };
    let original = Before::Members(body(json!({"pvt_module_name": "knm_a", "n": 100})));
    let rehearsed = body(json!({"pvt_module_name": "knm_b"}));
    let (again, converted) = (Before::Members(rehearsed.clone()), Change::Put(rehearsed));
    let created = Change::Put(body(json!({"n": 1})));
    let deleted = Change::Delete(body(json!({"was": 100})));
    assert_eq!(
        over.journal(),
        [
            planned(1, id(100), at, original, converted),
            planned(2, id(100), at_rehearsed, again, deleted),
            planned(3, "+1415".to_owned(), Expect::Absent, Before::Nothing, created),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_dropped_is_hidden_even_when_it_is_made_again() {
    let (below, _) = rehearsal().await;
    let db = DbName::new("number_manager_feed-202603");
    below.create_database(&db).await.unwrap();
    create(&*below, &db, "a", json!({})).await;
    below.set_checkpoint(&db, "c", json!(1)).await.unwrap();
    let over = DryRunStore::new(Arc::clone(&below));
    over.drop_database(&db).await.unwrap();
    assert!(!over.databases("number").await.unwrap().contains(&db));
    assert_eq!(over.get(&db, "a").await.unwrap(), Lookup::Missing);
    assert_eq!(over.changes(&db, None, 9).await.unwrap_err().kind, Kind::NoDatabase);

    over.create_database(&db).await.unwrap();
    assert!(over.databases("number").await.unwrap().contains(&db));
    assert_eq!(over.get_many(&db, &["a".to_owned()]).await.unwrap(), [Lookup::Missing]);
    assert_eq!(over.changes(&db, None, 9).await.unwrap().rows, []);
    assert_eq!(over.checkpoint(&db, "c").await.unwrap(), None);
    create(&over, &db, "a", json!({"n": 2})).await;
    assert!(below.get(&db, "a").await.unwrap().live().is_some());
}
