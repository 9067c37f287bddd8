//! Feeds of changes, and the checkpoints of those who follow them.

use super::*;

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

pub(crate) async fn every_write_changes_the_version_of_its_database(store: &Store) {
    let db = with_numbers(store).await;
    let other = DbName::new("numbers/+1416");
    let missing = store.version(&other).await.unwrap_err();
    assert_eq!(missing.kind, Kind::NoDatabase);
    store.create_database(&other).await.unwrap();
    let of_other = store.version(&other).await.unwrap();

    let mut seen = vec![store.version(&db).await.unwrap()];
    let a = create(store, &db, "a", json!({})).await;
    seen.push(store.version(&db).await.unwrap());
    assert_eq!(store.version(&db).await.unwrap(), seen[1], "nothing was written");
    let a = update(store, &db, "a", &a, json!({"n": 1})).await;
    seen.push(store.version(&db).await.unwrap());
    create(store, &db, "b", json!({})).await;
    seen.push(store.version(&db).await.unwrap());
    delete(store, &db, "a", &a).await.unwrap();
    seen.push(store.version(&db).await.unwrap());
    create(store, &db, "a", json!({})).await;
    seen.push(store.version(&db).await.unwrap());
    let distinct: BTreeSet<&str> = seen.iter().map(Seq::as_str).collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");
    assert_eq!(store.version(&other).await.unwrap(), of_other, "another database was written");
}

pub(crate) async fn versions_of_many_are_those_of_each(store: &Store) {
    let db = with_numbers(store).await;
    let dbs: Vec<DbName> = (0..120).map(|n| DbName::new(format!("numbers/+2{n:03}"))).collect();
    for db in dbs.iter().step_by(40) {
        store.create_database(db).await.unwrap();
        create(store, db, "a", json!({})).await;
    }
    let asked: Vec<DbName> = [&dbs[..], &[db]].concat();
    let told = store.versions(&asked).await.unwrap();
    for (place, (db, told)) in asked.iter().zip(&told).enumerate() {
        let is_there = place.is_multiple_of(40);
        assert_eq!(told.is_some(), is_there, "{db}");
        if let Some(told) = told {
            assert_eq!(*told, store.version(db).await.unwrap(), "{db}");
        }
    }
    assert_eq!((told.len(), store.versions(&[]).await.unwrap()), (asked.len(), vec![]));
    let before = told[40].clone().unwrap();
    create(store, &asked[40], "b", json!({})).await;
    let after = store.versions(&asked[40..41]).await.unwrap().remove(0).unwrap();
    assert!(after != before && after.count() >= before.count(), "{before:?} {after:?}");
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
