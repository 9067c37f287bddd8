//! Sets of writes, and writes that are asked for again.

use super::*;

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
