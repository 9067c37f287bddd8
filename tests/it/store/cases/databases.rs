//! Databases: listed, made, dropped and migrated.

use super::*;

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
