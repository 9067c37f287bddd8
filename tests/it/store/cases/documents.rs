//! Single documents: what is read, written, and told apart.

use super::*;

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
    for asked in [&[][..], &owned(&["+1"])] {
        assert_eq!(store.applications(&db, asked).await.unwrap_err().kind, none);
    }
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
