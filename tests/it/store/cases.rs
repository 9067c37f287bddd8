//! What every store must do. A case knows nothing of revisions and places in a feed but that they
//! can be compared, and it does not care whether a set that fails was applied in part.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use number_manager::store::{
    Body, Change, Changed, CommitError, DbName, Document, DocumentStore, Expect, IdRange, Kind,
    Lookup, Order, Query, Question, Rev, Seq, WRITE_ID, Write,
};
use serde_json::{Value, json};

type Store = dyn DocumentStore;

const RACERS: usize = 8;

pub(crate) fn body(value: Value) -> Body {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn numbers() -> DbName {
    DbName::new("numbers/+1415")
}

fn everything() -> IdRange {
    IdRange { from: "!".to_owned(), before: "~".to_owned() }
}

fn all() -> Query {
    Query {
        question: Question::All,
        range: everything(),
        order: Order::Ascending,
        after: None,
        limit: 100,
    }
}

fn of_carrier(name: Option<&str>) -> Query {
    Query { question: Question::Carrier(name.map(str::to_owned)), ..all() }
}

async fn with_numbers(store: &Store) -> DbName {
    store.create_database(&numbers()).await.unwrap();
    numbers()
}

async fn write(store: &Store, write: Write) -> Result<Rev, Kind> {
    match store.commit(vec![write]).await {
        Ok(committed) => Ok(committed.revs.into_iter().next().unwrap()),
        Err(CommitError { applied, failed, error }) => {
            assert_eq!((applied.len(), failed), (0, 0));
            Err(error.kind)
        }
    }
}

pub(crate) async fn create(store: &Store, db: &DbName, id: &str, members: Value) -> Rev {
    write(store, Write::put(db.clone(), id, Expect::Absent, body(members))).await.unwrap()
}

async fn update(store: &Store, db: &DbName, id: &str, rev: &Rev, members: Value) -> Rev {
    put_at(store, db, id, rev, members).await.unwrap()
}

async fn put_at(
    store: &Store,
    db: &DbName,
    id: &str,
    rev: &Rev,
    members: Value,
) -> Result<Rev, Kind> {
    write(store, Write::put(db.clone(), id, Expect::At(rev.clone()), body(members))).await
}

async fn delete(store: &Store, db: &DbName, id: &str, rev: &Rev) -> Result<Rev, Kind> {
    write(store, Write::delete(db.clone(), id, rev.clone(), body(json!({"was": id})))).await
}

async fn live(store: &Store, db: &DbName, id: &str) -> Document {
    store.get(db, id).await.unwrap().live().unwrap()
}

fn document(id: &str, rev: &Rev, members: Value) -> Document {
    Document { id: id.to_owned(), rev: rev.clone(), body: body(members), conflicts: Vec::new() }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// All pages of a query, each checked against the limit.
async fn pages(store: &Store, db: &DbName, mut query: Query) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = store.query(db, &query).await.unwrap();
        assert!(page.documents.len() <= query.limit, "more than asked for");
        ids.extend(page.documents.into_iter().map(|document| document.id));
        let Some(next) = page.next else { return ids };
        assert_ne!(query.after.as_ref(), Some(&next), "the page goes on where it began");
        query.after = Some(next);
    }
}

/// All changes behind a place, and the place behind them.
async fn feed(
    store: &Store,
    db: &DbName,
    since: Option<Seq>,
    limit: usize,
) -> (Vec<Changed>, Option<Seq>) {
    let (mut rows, mut place) = (Vec::new(), since);
    loop {
        let changes = store.changes(db, place.as_ref(), limit).await.unwrap();
        assert!(changes.rows.len() <= limit, "more than asked for");
        let before = place.replace(changes.last);
        if changes.rows.is_empty() {
            return (rows, place);
        }
        assert_ne!(before, place, "the feed goes on where it began");
        rows.extend(changes.rows);
    }
}

pub(crate) async fn a_missing_document_is_missing(store: &Store) {
    let db = with_numbers(store).await;
    assert_eq!(store.get(&db, "+14155550100").await.unwrap(), Lookup::Missing);
}

pub(crate) async fn a_missing_database_is_told_apart_where_it_matters(store: &Store) {
    let db = DbName::new("numbers/+1999");
    let ids = owned(&["a", "b"]);
    assert_eq!(store.get(&db, "a").await.unwrap(), Lookup::Missing);
    assert_eq!(store.get_many(&db, &ids).await.unwrap(), [Lookup::Missing, Lookup::Missing]);
    assert_eq!(store.revisions(&db, &ids).await.unwrap(), [None, None]);
    assert_eq!(store.checkpoint(&db, "c").await.unwrap(), None);

    let none = Kind::NoDatabase;
    assert_eq!(store.query(&db, &all()).await.unwrap_err().kind, none);
    assert_eq!(store.query(&db, &of_carrier(None)).await.unwrap_err().kind, none);
    assert_eq!(store.carrier_counts(&db, &everything()).await.unwrap_err().kind, none);
    assert_eq!(store.changes(&db, None, 10).await.unwrap_err().kind, none);
    assert_eq!(store.set_checkpoint(&db, "c", json!(1)).await.unwrap_err().kind, none);
    let put = Write::put(db.clone(), "a", Expect::Absent, Body::new());
    assert_eq!(write(store, put).await, Err(none));
    assert_eq!(store.databases("numbers/").await.unwrap(), [], "nothing may create a database");
}

pub(crate) async fn a_document_is_created_updated_and_deleted(store: &Store) {
    let db = with_numbers(store).await;
    let first = create(store, &db, "a", json!({"n": 1})).await;
    assert_eq!(live(store, &db, "a").await, document("a", &first, json!({"n": 1})));

    let second = update(store, &db, "a", &first, json!({"n": 2})).await;
    assert_ne!(first, second);
    assert_eq!(live(store, &db, "a").await, document("a", &second, json!({"n": 2})));

    let third = delete(store, &db, "a", &second).await.unwrap();
    assert_ne!(second, third);
    assert_eq!(store.get(&db, "a").await.unwrap().live(), None);
}

pub(crate) async fn a_second_create_conflicts(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({"n": 1})).await;
    let again = Write::put(db.clone(), "a", Expect::Absent, body(json!({"n": 2})));
    assert_eq!(write(store, again).await, Err(Kind::Conflict));
    assert_eq!(live(store, &db, "a").await, document("a", &rev, json!({"n": 1})));
}

pub(crate) async fn a_stale_revision_conflicts(store: &Store) {
    let db = with_numbers(store).await;
    let first = create(store, &db, "a", json!({"n": 1})).await;
    let second = update(store, &db, "a", &first, json!({"n": 2})).await;
    assert_eq!(put_at(store, &db, "a", &first, json!({"n": 3})).await, Err(Kind::Conflict));
    assert_eq!(live(store, &db, "a").await, document("a", &second, json!({"n": 2})));
}

pub(crate) async fn a_stale_delete_conflicts(store: &Store) {
    let db = with_numbers(store).await;
    let first = create(store, &db, "a", json!({"n": 1})).await;
    let second = update(store, &db, "a", &first, json!({"n": 2})).await;
    assert_eq!(delete(store, &db, "a", &first).await, Err(Kind::Conflict));
    assert_eq!(live(store, &db, "a").await, document("a", &second, json!({"n": 2})));
}

pub(crate) async fn a_write_at_a_revision_of_nothing_conflicts(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({})).await;
    assert_eq!(put_at(store, &db, "b", &rev, json!({})).await, Err(Kind::Conflict));
    assert_eq!(delete(store, &db, "b", &rev).await, Err(Kind::Conflict));
    assert_eq!(store.get(&db, "b").await.unwrap(), Lookup::Missing);
}

pub(crate) async fn a_tombstone_is_read_with_its_members(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({"n": 1})).await;
    let tombstone = json!({"pvt_assigned_to": "owner", "pvt_previously_assigned_to": "before"});
    let gone =
        write(store, Write::delete(db.clone(), "a", rev, body(tombstone.clone()))).await.unwrap();

    let expected = Lookup::Deleted(document("a", &gone, tombstone));
    assert_eq!(store.get(&db, "a").await.unwrap(), expected);
    assert_eq!(store.get_many(&db, &owned(&["a"])).await.unwrap(), [expected]);
    assert_eq!(store.revisions(&db, &owned(&["a"])).await.unwrap(), [None]);
}

pub(crate) async fn a_deleted_document_can_be_created_again(store: &Store) {
    let db = with_numbers(store).await;
    let first = create(store, &db, "a", json!({"n": 1})).await;
    let gone = delete(store, &db, "a", &first).await.unwrap();
    let again = create(store, &db, "a", json!({"n": 1})).await;
    assert_eq!(live(store, &db, "a").await, document("a", &again, json!({"n": 1})));
    assert!(again != first && again != gone, "a revision came back");
    assert_eq!(delete(store, &db, "a", &first).await, Err(Kind::Conflict));
}

pub(crate) async fn an_update_of_a_deleted_document_conflicts(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({"n": 1})).await;
    let gone = delete(store, &db, "a", &rev).await.unwrap();
    for stale in [rev, gone] {
        assert_eq!(put_at(store, &db, "a", &stale, json!({"n": 2})).await, Err(Kind::Conflict));
        assert_eq!(delete(store, &db, "a", &stale).await, Err(Kind::Conflict));
    }
    assert_eq!(store.get(&db, "a").await.unwrap().live(), None);
}

pub(crate) async fn five_workers_with_ten_increments_make_fifty(store: &Store) {
    let db = with_numbers(store).await;
    create(store, &db, "a", json!({"n": 0})).await;
    let worker = async || {
        for _ in 0..10 {
            loop {
                let found = live(store, &db, "a").await;
                let more = json!({"n": found.body["n"].as_u64().unwrap() + 1});
                match put_at(store, &db, "a", &found.rev, more).await {
                    Ok(_) => break,
                    Err(kind) => assert_eq!(kind, Kind::Conflict),
                }
            }
        }
    };
    join_all((0..5).map(|_| worker())).await;
    assert_eq!(live(store, &db, "a").await.body, body(json!({"n": 50})));
}

pub(crate) async fn one_of_two_racing_creates_wins(store: &Store) {
    let db = with_numbers(store).await;
    for id in ["a", "b", "c"] {
        let racer = |n: usize| {
            write(store, Write::put(db.clone(), id, Expect::Absent, body(json!({"by": n}))))
        };
        let results = join_all((0..RACERS).map(racer)).await;
        let winners: Vec<_> = results.iter().enumerate().filter(|(_, won)| won.is_ok()).collect();
        let [(winner, Ok(rev))] = winners[..] else { panic!("{winners:?}") };
        assert_eq!(live(store, &db, id).await, document(id, rev, json!({"by": winner})));
        assert!(results.iter().filter_map(|won| won.as_ref().err()).all(|k| *k == Kind::Conflict));
    }
}

pub(crate) async fn odd_ids_are_kept_apart(store: &Store) {
    let db = with_numbers(store).await;
    let ids = [
        "+14155550100",
        "a/b",
        "a%2Fb",
        "a b",
        "a+b",
        "a%20b",
        "a%b",
        "a?b=c&d",
        "a#b",
        "\"a\"",
        "'a'",
        "a\\b",
        "ä",
        "日本",
        "a\u{301}",
        "á",
        "A",
        "a",
        ".a",
        "\u{1F4DE}",
    ];
    let mut expected = Vec::new();
    for id in ids {
        let rev = create(store, &db, id, json!({"is": id})).await;
        expected.push(document(id, &rev, json!({"is": id})));
    }
    for document in &expected {
        assert_eq!(live(store, &db, &document.id).await, *document);
    }
    let found = store.get_many(&db, &owned(&ids)).await.unwrap();
    assert_eq!(found, expected.iter().cloned().map(Lookup::Live).collect::<Vec<_>>());

    let range = IdRange { from: "!".to_owned(), before: "\u{10FFFF}".to_owned() };
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    let sorted: Vec<_> = expected.iter().map(|document| document.id.clone()).collect();
    for limit in [1, 2, 100] {
        let query = Query { limit, range: range.clone(), ..all() };
        assert_eq!(pages(store, &db, query).await, sorted);
    }
    for document in expected {
        delete(store, &db, &document.id, &document.rev).await.unwrap();
    }
    assert_eq!(pages(store, &db, Query { range, ..all() }).await, [""; 0]);
}

pub(crate) async fn odd_database_names_are_kept_apart(store: &Store) {
    let names = ["numbers/+1415", "numbers+1415", "numbers/1415", "account/00/11/22-(a)$_"];
    for name in names.map(DbName::new) {
        store.create_database(&name).await.unwrap();
        create(store, &name, "a", json!({"in": name.as_str()})).await;
    }
    for name in names.map(DbName::new) {
        assert_eq!(live(store, &name, "a").await.body, body(json!({"in": name.as_str()})));
    }
}

pub(crate) async fn members_keep_their_types_and_their_order(store: &Store) {
    let db = with_numbers(store).await;
    let members = json!({
        "zebra": 1, "apple": "1", "mango": [3, 1, 2], "pvt_unknown": {"z": null, "a": {}, "m": []},
        "half": 0.5, "less": -7, "large": 9_007_199_254_740_991_u64, "yes": true, "nothing": null,
        "text": "line\nbreak \u{0} \u{1F4DE} \"quoted\" \\ ä", "": "empty key",
    });
    survives_being_written_back(store, &db, "a", &members.to_string()).await;
}

pub(crate) async fn fractions_keep_every_digit(store: &Store) {
    let db = with_numbers(store).await;
    // A good hundred, some of which a reader that is a digit short would change.
    let fractions: Vec<f64> = (1..120).map(|n| f64::from(n).sqrt().exp() / 977.0).collect();
    let members = json!({"half": 1.5, "tiny": 1e-7, "many": fractions});
    survives_being_written_back(store, &db, "a", &members.to_string()).await;
}

/// What a server that is written in JavaScript cannot keep.
pub(crate) async fn members_survive_that_javascript_would_change(store: &Store) {
    let db = with_numbers(store).await;
    let texts = [
        r#"{"b":1,"10":2,"9":3,"a":4}"#,
        r#"{"above":9007199254740993,"below":-9007199254740993,"half":1.5}"#,
        r#"{"most":18446744073709551615,"least":-9223372036854775808}"#,
        r#"{"whole":1.0,"large":1e+30,"list":[2.0,{"x":-3.0}]}"#,
    ];
    for (n, text) in texts.into_iter().enumerate() {
        survives_being_written_back(store, &db, &format!("+{n}"), text).await;
    }
}

/// Writes members, reads them, writes them back, and compares their text: objects are equal in
/// any order, and numbers in more than one spelling.
async fn survives_being_written_back(store: &Store, db: &DbName, id: &str, members: &str) {
    let rev = create(store, db, id, serde_json::from_str(members).unwrap()).await;
    let read = Value::Object(live(store, db, id).await.body);
    assert_eq!(read.to_string(), members);
    update(store, db, id, &rev, read).await;
    let again = Value::Object(live(store, db, id).await.body);
    assert_eq!(again.to_string(), members);
}

pub(crate) async fn what_could_not_be_addressed_is_refused(store: &Store) {
    let db = with_numbers(store).await;
    for id in ["", ".", "..", "_all_docs", "_local/a", "_design/"] {
        let put = Write::put(db.clone(), id, Expect::Absent, Body::new());
        assert_eq!(write(store, put.clone()).await, Err(Kind::Refused), "{id}");
        let many = store.commit_many(vec![vec![put]]).await.remove(0);
        assert_eq!(many.unwrap_err().error.kind, Kind::Refused, "{id}");
        assert_eq!(store.get(&db, id).await.unwrap(), Lookup::Missing, "{id}");
    }
    let foreign = body(json!({"_foreign": 1}));
    let put = Write::put(db.clone(), "a", Expect::Absent, foreign);
    assert_eq!(write(store, put).await, Err(Kind::Refused));
}

pub(crate) async fn members_of_the_store_are_not_the_bodys(store: &Store) {
    let db = with_numbers(store).await;
    let told = json!({"_id": "b", "n": 1, "_rev": "9-x", "_deleted": true, "_conflicts": []});
    let rev = create(store, &db, "a", told).await;
    assert_eq!(live(store, &db, "a").await, document("a", &rev, json!({"n": 1})));
    assert_eq!(store.get(&db, "b").await.unwrap(), Lookup::Missing);
}

pub(crate) async fn get_many_answers_in_the_order_asked(store: &Store) {
    let db = with_numbers(store).await;
    let a = create(store, &db, "a", json!({"is": "a"})).await;
    let b = create(store, &db, "b", json!({"is": "b"})).await;
    let c = create(store, &db, "c", json!({"is": "c"})).await;
    let gone = delete(store, &db, "b", &b).await.unwrap();

    let ids = owned(&["c", "never", "b", "a", "c"]);
    let of_c = Lookup::Live(document("c", &c, json!({"is": "c"})));
    let expected = [
        of_c.clone(),
        Lookup::Missing,
        Lookup::Deleted(document("b", &gone, json!({"was": "b"}))),
        Lookup::Live(document("a", &a, json!({"is": "a"}))),
        of_c,
    ];
    assert_eq!(store.get_many(&db, &ids).await.unwrap(), expected);
    assert_eq!(store.get_many(&db, &[]).await.unwrap(), []);
}

pub(crate) async fn revisions_answer_in_the_order_asked(store: &Store) {
    let db = with_numbers(store).await;
    let a = create(store, &db, "a", json!({})).await;
    let b = create(store, &db, "b", json!({})).await;
    let c = create(store, &db, "c", json!({})).await;
    delete(store, &db, "b", &b).await.unwrap();

    let ids = owned(&["c", "never", "b", "a", "c"]);
    let expected = [Some(c.clone()), None, None, Some(a), Some(c)];
    assert_eq!(store.revisions(&db, &ids).await.unwrap(), expected);
    assert_eq!(store.revisions(&db, &[]).await.unwrap(), []);
}

pub(crate) async fn pages_lose_and_repeat_nothing(store: &Store) {
    let db = with_numbers(store).await;
    let ids: Vec<String> = (100..112).map(|n| format!("+14155550{n}")).collect();
    let mut kept = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let rev = create(store, &db, id, json!({"n": n})).await;
        if n % 4 == 3 {
            delete(store, &db, id, &rev).await.unwrap();
        } else {
            kept.push(id.clone());
        }
    }
    for limit in 1..=ids.len() {
        for question in [Question::All, Question::Carrier(None)] {
            let up = Query { question, limit, ..all() };
            assert_eq!(pages(store, &db, up.clone()).await, kept, "up by {limit}");
            let mut down = pages(store, &db, Query { order: Order::Descending, ..up }).await;
            down.reverse();
            assert_eq!(down, kept, "down by {limit}");
        }
    }
}

pub(crate) async fn a_page_keeps_to_its_range(store: &Store) {
    let db = with_numbers(store).await;
    for id in ["+1", "+10", "+11", "+110", "+119", "+12", "a"] {
        create(store, &db, id, json!({})).await;
    }
    let ids = async |range: IdRange, order, limit| {
        pages(store, &db, Query { range, order, limit, ..all() }).await
    };
    let range = |from: &str, before: &str| IdRange { from: from.into(), before: before.into() };
    for limit in [1, 2, 10] {
        let up = ids(range("+10", "+12"), Order::Ascending, limit).await;
        assert_eq!(up, ["+10", "+11", "+110", "+119"]);
        let down = ids(range("+10", "+12"), Order::Descending, limit).await;
        assert_eq!(down, ["+119", "+110", "+11", "+10"]);
        let prefixed = ids(IdRange::starting_with("+11"), Order::Ascending, limit).await;
        assert_eq!(prefixed, ["+11", "+110", "+119"]);
        assert_eq!(ids(range("+13", "+2"), Order::Ascending, limit).await, [""; 0]);
    }
}

pub(crate) async fn design_documents_are_in_no_answer(store: &Store) {
    let db = with_numbers(store).await;
    let before = store.changes(&db, None, 10).await.unwrap();
    assert_eq!(before.rows, []);
    create(store, &db, "_design/ours", json!({"language": "javascript"})).await;
    let rev = create(store, &db, "a", json!({})).await;
    let expected = [Changed { id: "a".to_owned(), rev, deleted: false }];
    for limit in [1, 10] {
        assert_eq!(feed(store, &db, None, limit).await.0, expected);
        assert_eq!(feed(store, &db, Some(before.last.clone()), limit).await.0, expected);
    }
    let range = IdRange { from: "+".to_owned(), before: "~".to_owned() };
    for query in [all(), of_carrier(None)] {
        let query = Query { range: range.clone(), ..query };
        assert_eq!(pages(store, &db, query.clone()).await, ["a"]);
        let down = Query { order: Order::Descending, limit: 1, ..query };
        assert_eq!(pages(store, &db, down).await, ["a"]);
    }
    assert_eq!(store.carrier_counts(&db, &range).await.unwrap(), BTreeMap::from([(None, 1)]));
}

pub(crate) async fn a_carrier_is_found_by_its_exact_name(store: &Store) {
    let db = with_numbers(store).await;
    let names = [
        "knm_a",
        "knm_A",
        "knm-a",
        "knma",
        "knm_a ",
        "knm a",
        "Knm_a",
        "wnm_a",
        "knm_ä",
        "a\"b'c",
        "a/b+c%20&d",
        "日本",
        "[1]",
        "null",
    ];
    for (n, name) in names.iter().enumerate() {
        create(store, &db, &format!("new{n:02}"), json!({"pvt_module_name": name})).await;
        create(store, &db, &format!("old{n:02}"), json!({"pvt_carrier_module": name})).await;
    }
    let both = json!({"pvt_carrier_module": "knm_a", "pvt_module_name": "knm_b"});
    create(store, &db, "both", both).await;
    create(store, &db, "none", json!({"module_name": "knm_a"})).await;

    for (n, name) in names.iter().enumerate() {
        let found = pages(store, &db, of_carrier(Some(name))).await;
        assert_eq!(found, [format!("new{n:02}"), format!("old{n:02}")], "{name}");
    }
    assert_eq!(pages(store, &db, of_carrier(Some("knm_b"))).await, ["both"]);
    assert_eq!(pages(store, &db, of_carrier(None)).await, ["none"]);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_"))).await, [""; 0]);
}

pub(crate) async fn a_carrier_is_found_right_after_it_was_written(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({"pvt_module_name": "knm_a"})).await;
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, ["a"]);
    let rev = update(store, &db, "a", &rev, json!({"pvt_module_name": "knm_b"})).await;
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, [""; 0]);
    let found = store.query(&db, &of_carrier(Some("knm_b"))).await.unwrap().documents;
    assert_eq!(found, [document("a", &rev, json!({"pvt_module_name": "knm_b"}))]);
    delete(store, &db, "a", &rev).await.unwrap();
    assert_eq!(pages(store, &db, of_carrier(Some("knm_b"))).await, [""; 0]);
}

pub(crate) async fn pages_lose_nothing_while_the_carrier_changes(store: &Store) {
    let db = with_numbers(store).await;
    let ids: Vec<String> = (100..120).map(|n| format!("+14155550{n}")).collect();
    for id in &ids {
        create(store, &db, id, json!({"pvt_module_name": "knm_a"})).await;
    }
    let mut query = Query { limit: 3, ..of_carrier(Some("knm_a")) };
    let mut converted = BTreeSet::new();
    loop {
        let page = store.query(&db, &query).await.unwrap();
        for found in page.documents {
            // A page of an index may be behind; the document itself is not.
            let now = live(store, &db, &found.id).await;
            update(store, &db, &found.id, &now.rev, json!({"pvt_module_name": "knm_b"})).await;
            assert!(converted.insert(found.id), "seen twice");
        }
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert_eq!(converted.into_iter().collect::<Vec<_>>(), ids);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, [""; 0]);
}

pub(crate) async fn what_is_no_string_is_no_carrier(store: &Store) {
    let db = with_numbers(store).await;
    for (id, name) in [("a", json!(7)), ("b", json!({"x": 1})), ("c", json!(null))] {
        create(store, &db, id, json!({"pvt_module_name": name})).await;
    }
    create(store, &db, "d", json!({"pvt_module_name": null, "pvt_carrier_module": "knm_d"})).await;
    assert_eq!(pages(store, &db, of_carrier(None)).await, ["a", "b", "c"]);
    assert_eq!(pages(store, &db, of_carrier(Some("7"))).await, [""; 0]);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_d"))).await, ["d"]);
    let counts = store.carrier_counts(&db, &everything()).await.unwrap();
    assert_eq!(counts, BTreeMap::from([(None, 3), (Some("knm_d".to_owned()), 1)]));
}

pub(crate) async fn carriers_are_counted_within_a_range(store: &Store) {
    let db = with_numbers(store).await;
    assert_eq!(store.carrier_counts(&db, &everything()).await.unwrap(), BTreeMap::new());
    for n in 100..110 {
        let carrier = if n % 2 == 0 { "knm_a" } else { "knm_A" };
        create(store, &db, &format!("+14155550{n}"), json!({"pvt_module_name": carrier})).await;
    }
    let rev = create(store, &db, "+14155550200", json!({"pvt_module_name": "knm_c"})).await;
    create(store, &db, "+14155550201", json!({})).await;

    let count = async |range: &IdRange| store.carrier_counts(&db, range).await.unwrap();
    let named = |name: &str| Some(name.to_owned());
    let mut expected =
        BTreeMap::from([(None, 1), (named("knm_a"), 5), (named("knm_A"), 5), (named("knm_c"), 1)]);
    assert_eq!(count(&everything()).await, expected);
    let some = IdRange { from: "+14155550104".to_owned(), before: "+14155550107".to_owned() };
    assert_eq!(count(&some).await, BTreeMap::from([(named("knm_a"), 2), (named("knm_A"), 1)]));

    delete(store, &db, "+14155550200", &rev).await.unwrap();
    expected.remove(&named("knm_c"));
    assert_eq!(count(&everything()).await, expected);
}

pub(crate) async fn databases_are_listed_by_prefix_in_byte_order(store: &Store) {
    let mut names = [
        "numbers/managed",
        "numbers/+1416",
        "accounts",
        "numbers/+1415",
        "numbers/+44",
        "numbers",
        "number_manager",
        "numbers/+141",
    ];
    for name in names {
        store.create_database(&DbName::new(name)).await.unwrap();
    }
    names.sort_unstable();
    let listed = async |prefix| store.databases(prefix).await.unwrap();
    let dbs = |names: &[&str]| names.iter().map(|name| DbName::new(*name)).collect::<Vec<_>>();
    assert_eq!(listed("").await, dbs(&names));
    assert_eq!(listed("numbers/+141").await, dbs(&names[3..6]));
    assert_eq!(listed("numbers/+1415").await, dbs(&["numbers/+1415"]));
    assert_eq!(listed("numbers/m").await, dbs(&["numbers/managed"]));
    assert_eq!(listed("numbers/x").await, []);
}

pub(crate) async fn a_database_can_be_created_again_and_by_many_at_once(store: &Store) {
    let db = numbers();
    for result in join_all((0..RACERS).map(|_| store.create_database(&db))).await {
        result.unwrap();
    }
    create(store, &db, "a", json!({})).await;
    store.create_database(&db).await.unwrap();
    assert!(store.get(&db, "a").await.unwrap().live().is_some(), "creating it emptied it");
    assert_eq!(store.databases("numbers/").await.unwrap(), [db]);
}

pub(crate) async fn only_dated_databases_can_be_dropped(store: &Store) {
    let dated = ["number_manager_feed-202603", "number_manager_requests-20260301"];
    let others = ["numbers/+1415", "number_manager", "number_manager_jobs", "accounts"];
    for name in dated.iter().chain(&others) {
        store.create_database(&DbName::new(*name)).await.unwrap();
    }
    for name in others {
        let refused = store.drop_database(&DbName::new(name)).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Refused, "{name}");
    }
    for name in dated {
        store.drop_database(&DbName::new(name)).await.unwrap();
        store.drop_database(&DbName::new(name)).await.unwrap();
    }
    assert_eq!(store.databases("").await.unwrap().len(), others.len());
}

pub(crate) async fn a_dropped_database_comes_back_empty(store: &Store) {
    let db = DbName::new("number_manager_feed-202603");
    store.create_database(&db).await.unwrap();
    create(store, &db, "a", json!({})).await;
    let rev = create(store, &db, "b", json!({})).await;
    delete(store, &db, "b", &rev).await.unwrap();
    store.set_checkpoint(&db, "c", json!(1)).await.unwrap();

    store.drop_database(&db).await.unwrap();
    assert_eq!(store.get(&db, "a").await.unwrap(), Lookup::Missing);
    assert_eq!(store.query(&db, &all()).await.unwrap_err().kind, Kind::NoDatabase);
    let put = Write::put(db.clone(), "a", Expect::Absent, Body::new());
    assert_eq!(write(store, put).await, Err(Kind::NoDatabase));

    store.create_database(&db).await.unwrap();
    assert_eq!(
        store.get_many(&db, &owned(&["a", "b"])).await.unwrap(),
        [Lookup::Missing, Lookup::Missing]
    );
    assert_eq!(store.checkpoint(&db, "c").await.unwrap(), None);
    assert_eq!(pages(store, &db, all()).await, [""; 0]);
    assert_eq!(store.carrier_counts(&db, &everything()).await.unwrap(), BTreeMap::new());
    assert_eq!(feed(store, &db, None, 10).await.0, []);
    create(store, &db, "a", json!({"n": 2})).await;
    assert_eq!(live(store, &db, "a").await.body, body(json!({"n": 2})));
}

pub(crate) async fn changes_name_each_document_once_with_its_latest_revision(store: &Store) {
    let db = with_numbers(store).await;
    let a = create(store, &db, "a", json!({"n": 1})).await;
    let b = create(store, &db, "b", json!({"n": 1})).await;
    let c = create(store, &db, "c", json!({"n": 1})).await;
    let a = update(store, &db, "a", &a, json!({"n": 2})).await;
    let b = delete(store, &db, "b", &b).await.unwrap();

    let changed =
        |id: &str, rev: &Rev, deleted| Changed { id: id.into(), rev: rev.clone(), deleted };
    let expected = [changed("a", &a, false), changed("b", &b, true), changed("c", &c, false)];
    assert_eq!(sorted(store.changes(&db, None, 100).await.unwrap().rows), expected);
}

pub(crate) async fn pages_of_changes_lose_and_repeat_nothing(store: &Store) {
    let db = with_numbers(store).await;
    let mut ids = BTreeSet::new();
    for n in 100..110 {
        let id = format!("+14155550{n}");
        let rev = create(store, &db, &id, json!({})).await;
        if n % 3 == 0 {
            delete(store, &db, &id, &rev).await.unwrap();
        }
        ids.insert(id);
    }
    let whole = sorted(feed(store, &db, None, 100).await.0);
    assert_eq!(whole.iter().map(|row| row.id.clone()).collect::<BTreeSet<_>>(), ids);
    assert_eq!(whole.len(), ids.len());
    for limit in 1..=ids.len() {
        assert_eq!(sorted(feed(store, &db, None, limit).await.0), whole, "by {limit}");
    }
}

/// Between documents a feed may have any order.
fn sorted(mut rows: Vec<Changed>) -> Vec<Changed> {
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    rows
}

pub(crate) async fn a_feed_without_news_stays_where_it_is(store: &Store) {
    let db = with_numbers(store).await;
    create(store, &db, "a", json!({})).await;
    let last = store.changes(&db, None, 10).await.unwrap().last;
    store.set_checkpoint(&db, "c", json!(1)).await.unwrap();
    let nothing = store.changes(&db, Some(&last), 10).await.unwrap();
    assert_eq!((nothing.rows, &nothing.last), (vec![], &last));
    let nothing = store.changes(&db, Some(&last), 0).await.unwrap();
    assert_eq!((nothing.rows, &nothing.last), (vec![], &last));
}

pub(crate) async fn a_feed_goes_on_where_it_was(store: &Store) {
    let db = with_numbers(store).await;
    let a = create(store, &db, "a", json!({})).await;
    create(store, &db, "b", json!({})).await;
    let (_, place) = feed(store, &db, None, 10).await;
    update(store, &db, "a", &a, json!({"n": 2})).await;
    create(store, &db, "c", json!({})).await;
    let ids = |rows| sorted(rows).into_iter().map(|row| row.id).collect::<Vec<_>>();
    let (news, place) = feed(store, &db, place, 1).await;
    assert_eq!(ids(news), ["a", "c"]);
    assert_eq!(feed(store, &db, place, 10).await.0, []);
}

pub(crate) async fn checkpoints_are_kept_per_database(store: &Store) {
    let db = with_numbers(store).await;
    let other = DbName::new("numbers/+1416");
    store.create_database(&other).await.unwrap();
    assert_eq!(store.checkpoint(&db, "follower").await.unwrap(), None);
    store.set_checkpoint(&db, "follower", json!({"since": "1", "epoch": 3})).await.unwrap();
    store.set_checkpoint(&db, "audit", json!("x")).await.unwrap();
    store.set_checkpoint(&db, "a/1", Value::Null).await.unwrap();
    store.set_checkpoint(&db, "follower", json!({"since": "2", "epoch": 3})).await.unwrap();

    let expected = Some(json!({"since": "2", "epoch": 3}));
    assert_eq!(store.checkpoint(&db, "follower").await.unwrap(), expected);
    assert_eq!(store.checkpoint(&db, "audit").await.unwrap(), Some(json!("x")));
    assert_eq!(store.checkpoint(&db, "a/1").await.unwrap(), Some(Value::Null));
    assert_eq!(store.checkpoint(&other, "follower").await.unwrap(), None);
    assert_eq!(pages(store, &db, all()).await, [""; 0], "a checkpoint is not a document");
    assert_eq!(feed(store, &db, None, 10).await.0, [], "nor is it in the feed");
}

pub(crate) async fn a_set_ends_at_the_first_write_that_fails(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "b", json!({"n": 1})).await;
    let stale = rev.clone();
    update(store, &db, "b", &rev, json!({"n": 2})).await;
    let error = store
        .commit(vec![
            Write::put(db.clone(), "a", Expect::Absent, body(json!({"n": 1}))),
            Write::put(db.clone(), "b", Expect::At(stale), body(json!({"n": 3}))),
            Write::put(db.clone(), "c", Expect::Absent, body(json!({"n": 1}))),
        ])
        .await
        .unwrap_err();
    assert_eq!((error.failed, error.error.kind), (1, Kind::Conflict));
    assert_eq!((error.error.db.as_str(), error.error.id.as_str()), (db.as_str(), "b"));

    // Whole or not at all; or up to the write that failed, and then it says so.
    let written = store.revisions(&db, &owned(&["a"])).await.unwrap();
    assert_eq!(written.into_iter().flatten().collect::<Vec<_>>(), error.applied);
    assert_eq!(live(store, &db, "b").await.body, body(json!({"n": 2})));
    assert_eq!(store.get(&db, "c").await.unwrap(), Lookup::Missing);
}

pub(crate) async fn a_set_is_applied_in_order(store: &Store) {
    let db = with_numbers(store).await;
    let a = create(store, &db, "a", json!({})).await;
    // The second write can only be made after the first.
    let committed = store
        .commit(vec![
            Write::delete(db.clone(), "a", a, body(json!({"was": "a"}))),
            Write::put(db.clone(), "a", Expect::Absent, body(json!({"n": 2}))),
            Write::put(db.clone(), "b", Expect::Absent, body(json!({"n": 3}))),
        ])
        .await
        .unwrap();
    assert!(committed.quorum);
    assert_eq!(committed.revs.len(), 3);
    assert_eq!(live(store, &db, "a").await, document("a", &committed.revs[1], json!({"n": 2})));
    assert_eq!(live(store, &db, "b").await, document("b", &committed.revs[2], json!({"n": 3})));
    assert_eq!(store.commit(vec![]).await.unwrap().revs, []);
}

pub(crate) async fn a_set_over_two_databases_is_applied_whole(store: &Store) {
    let (db, mirror) = (with_numbers(store).await, DbName::new("account/00/11/22"));
    let set = |mirror: &DbName| {
        let put = |db: &DbName| {
            Write::put(db.clone(), "+14155550100", Expect::Absent, body(json!({"n": 1})))
        };
        vec![put(&db), put(mirror)]
    };
    let error = store.commit(set(&mirror)).await.unwrap_err();
    assert_eq!((error.failed, error.error.kind), (1, Kind::NoDatabase));
    if let [rev] = &error.applied[..] {
        delete(store, &db, "+14155550100", rev).await.unwrap();
    }
    assert_eq!(store.get(&db, "+14155550100").await.unwrap().live(), None);

    store.create_database(&mirror).await.unwrap();
    let revs = store.commit(set(&mirror)).await.unwrap().revs;
    for (db, rev) in [&db, &mirror].into_iter().zip(&revs) {
        assert_eq!(live(store, db, "+14155550100").await.rev, *rev);
    }
}

pub(crate) async fn many_sets_answer_one_by_one(store: &Store) {
    let db = with_numbers(store).await;
    let nowhere = DbName::new("numbers/+1999");
    let taken = create(store, &db, "taken", json!({"n": 1})).await;
    let put =
        |db: &DbName, id: &str| Write::put(db.clone(), id, Expect::Absent, body(json!({"id": id})));
    let results = store
        .commit_many(vec![
            vec![put(&db, "a1"), put(&db, "a2")],
            vec![put(&db, "taken"), put(&db, "b2")],
            vec![put(&db, "c1"), put(&nowhere, "c2"), put(&db, "c3")],
            vec![],
            vec![put(&db, "e1"), put(&db, "")],
            vec![put(&db, "f1")],
            vec![Write::delete(db.clone(), "g", taken.clone(), Body::new())],
            vec![put(&db, "h1"), put(&db, "h2"), put(&db, "h3")],
        ])
        .await;

    let outcome: Vec<_> = results
        .iter()
        .map(|result| match result {
            Ok(committed) => Ok(committed.revs.len()),
            Err(error) => Err((error.failed, error.error.kind)),
        })
        .collect();
    assert_eq!(
        outcome,
        [
            Ok(2),
            Err((0, Kind::Conflict)),
            Err((1, Kind::NoDatabase)),
            Ok(0),
            Err((1, Kind::Refused)),
            Ok(1),
            Err((0, Kind::Conflict)),
            Ok(3),
        ]
    );
    for id in ["a1", "a2", "f1", "h1", "h2", "h3"] {
        assert_eq!(live(store, &db, id).await.body, body(json!({"id": id})));
    }
    for id in ["b2", "c3", "g"] {
        assert_eq!(store.get(&db, id).await.unwrap(), Lookup::Missing, "{id}");
    }
    for (id, result) in [("c1", &results[2]), ("e1", &results[4])] {
        let written = store.revisions(&db, &owned(&[id])).await.unwrap();
        let applied = &result.as_ref().unwrap_err().applied;
        assert_eq!(
            written.iter().flatten().collect::<Vec<_>>(),
            applied.iter().collect::<Vec<_>>()
        );
    }
    assert_eq!(live(store, &db, "taken").await.rev, taken);
}

pub(crate) async fn three_hundred_sets_are_all_applied(store: &Store) {
    let dbs = ["numbers/+1415", "numbers/+1416", "account/00/11/22"].map(DbName::new);
    for db in &dbs {
        store.create_database(db).await.unwrap();
    }
    let put = |db: &DbName, n: usize| {
        Write::put(db.clone(), format!("+1415555{n:04}"), Expect::Absent, body(json!({"n": n})))
    };
    let set = |n| vec![put(&dbs[n % 2], n), put(&dbs[2], n)];
    let results = store.commit_many((0..300).map(set).collect()).await;
    assert_eq!(results.len(), 300);
    let revs: Vec<Rev> = results.into_iter().map(|result| result.unwrap().revs.remove(1)).collect();
    let ids: Vec<String> = (0..300).map(|n| format!("+1415555{n:04}")).collect();
    let stored = store.revisions(&dbs[2], &ids).await.unwrap();
    assert_eq!(stored, revs.into_iter().map(Some).collect::<Vec<_>>());
    for (half, db) in dbs[..2].iter().enumerate() {
        let expected: Vec<_> = ids.iter().skip(half).step_by(2).cloned().collect();
        assert_eq!(pages(store, db, all()).await, expected);
    }
}

pub(crate) async fn migrating_twice_changes_nothing_the_second_time(store: &Store) {
    let wanted = [numbers(), DbName::new("accounts")];
    store.create_database(&DbName::new("numbers/+1416")).await.unwrap();
    let changed = store.migrate(&wanted).await.unwrap();
    for db in &wanted {
        assert!(changed.iter().any(|line| line.contains(db.as_str())), "{db} in {changed:?}");
    }
    assert_eq!(store.migrate(&wanted).await.unwrap(), [""; 0]);
    assert_eq!(store.databases("").await.unwrap().len(), 3);
}

pub(crate) async fn a_store_that_is_there_answers_a_ping(store: &Store) {
    store.ping().await.unwrap();
}

/// Asks for a write again, in both ways, and for another one with its stamp.
async fn asked_again(store: &Store, asked: Write) -> Rev {
    let rev = write(store, asked.clone()).await.unwrap();
    assert_eq!(write(store, asked.clone()).await.unwrap(), rev);
    let beside = Write::put(asked.db.clone(), "beside", Expect::Absent, Body::new());
    let many = vec![vec![asked.clone()], vec![beside]];
    assert_eq!(store.commit_many(many).await.remove(0).unwrap().revs, std::slice::from_ref(&rev));

    let mut other = asked;
    let (Change::Put(body) | Change::Delete(body)) = &mut other.change;
    body.insert("more".to_owned(), json!(1));
    assert_eq!(write(store, other).await, Err(Kind::Conflict), "the stamp of another write");
    rev
}

pub(crate) async fn a_write_that_is_asked_for_again_is_made_once(store: &Store) {
    let db = with_numbers(store).await;
    let stamped = |n: u64| body(json!({"n": n, "price": 1.0, WRITE_ID: format!("write {n}")}));
    let put = |n, expect| Write::put(db.clone(), "a", expect, stamped(n));
    let first = asked_again(store, put(1, Expect::Absent)).await;
    let second = asked_again(store, put(2, Expect::At(first.clone()))).await;
    // Written back as it was read, stamp and all: that is another write, made once more.
    let third = write(store, put(2, Expect::At(second.clone()))).await.unwrap();
    assert_ne!(third, second);
    let delete = Write::delete(db.clone(), "a", third, stamped(3));
    let gone = asked_again(store, delete.clone()).await;
    let at_gone = Write::delete(db.clone(), "a", gone, stamped(3));
    assert_eq!(write(store, at_gone).await, Err(Kind::Conflict), "there is nothing to delete");

    asked_again(store, put(4, Expect::Absent)).await;
    assert_eq!(write(store, put(1, Expect::Absent)).await, Err(Kind::Conflict), "long ago");
    assert_eq!(write(store, delete).await, Err(Kind::Conflict), "long ago");
    assert_eq!(feed(store, &db, None, 10).await.0.len(), 2);
}

pub(crate) async fn a_write_without_a_stamp_is_never_taken_for_another(store: &Store) {
    let db = with_numbers(store).await;
    for members in [json!({"n": 1}), json!({"n": 1, WRITE_ID: null})] {
        let rev = create(store, &db, "a", members.clone()).await;
        let again = Write::put(db.clone(), "a", Expect::Absent, body(members.clone()));
        assert_eq!(write(store, again).await, Err(Kind::Conflict));
        let next = update(store, &db, "a", &rev, members.clone()).await;
        assert_eq!(put_at(store, &db, "a", &rev, members).await, Err(Kind::Conflict));
        delete(store, &db, "a", &next).await.unwrap();
    }
}
