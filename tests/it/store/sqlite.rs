//! What only the embedded store does: a file that is opened, closed, and opened again.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use number_manager::store::{
    Application, DbName, DocumentStore, Expect, IdRange, Kind, Order, Query, Question, Write,
    sqlite::{OpenError, SqliteConfig, SqliteStore},
};
use serde_json::json;
use tempfile::TempDir;

use super::cases::{self, body, create, numbers};

fn open(folder: &TempDir) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&file(folder), &SqliteConfig::default())
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("new").join("store.sqlite")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_open_is_refused_until_the_first_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).unwrap();
    let refused = open(&folder).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { path } if path.ends_with("store.sqlite")));
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
    drop(store);
    open(&folder).unwrap();
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn another_name_of_the_same_file_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder).unwrap();
    let link = folder.path().join("link.sqlite");
    std::os::unix::fs::symlink(file(&folder), &link).unwrap();
    let refused = SqliteStore::open(&link, &SqliteConfig::default()).unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reopened_file_has_everything_and_its_feed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let db = numbers();
    let store = open(&folder).unwrap();
    store.create_database(&db).await.unwrap();
    let a = create(&store, &db, "a", json!({"z": 1, "a": 2})).await;
    let b = create(&store, &db, "b", json!({})).await;
    let gone = Write::delete(db.clone(), "b", b, body(json!({"was": "b"})));
    store.commit(vec![gone]).await.unwrap();
    store.set_checkpoint(&db, "c", json!([1])).await.unwrap();
    let ids = ["a".to_owned(), "b".to_owned()];
    let before = store.get_many(&db, &ids).await.unwrap();
    let feed = store.changes(&db, None, 10).await.unwrap();
    drop(store);

    let store = open(&folder).unwrap();
    assert_eq!(store.get_many(&db, &ids).await.unwrap(), before);
    assert_eq!(store.checkpoint(&db, "c").await.unwrap(), Some(json!([1])));
    assert_eq!(store.changes(&db, None, 10).await.unwrap(), feed);
    let put = Write::put(db.clone(), "a", Expect::At(a), body(json!({"n": 2})));
    let rev = store.commit(vec![put]).await.unwrap().revs.remove(0);
    let news = store.changes(&db, Some(&feed.last), 10).await.unwrap();
    assert_eq!(news.rows.into_iter().map(|row| row.rev).collect::<Vec<_>>(), [rev]);
}

#[tokio::test(flavor = "multi_thread")]
async fn places_in_the_feed_of_a_dropped_database_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let db = DbName::new("number_manager_feed-202603");
    let store = open(&folder).unwrap();
    store.create_database(&db).await.unwrap();
    for id in ["a", "b", "c"] {
        create(&store, &db, id, json!({})).await;
    }
    let place = store.changes(&db, None, 10).await.unwrap().last;
    store.drop_database(&db).await.unwrap();
    drop(store);

    let store = open(&folder).unwrap();
    store.create_database(&db).await.unwrap();
    create(&store, &db, "a", json!({})).await;
    let news = store.changes(&db, Some(&place), 10).await.unwrap().rows;
    assert_eq!(news.len(), 1, "the change is behind every place given out before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_first_schema_gets_the_indexes_of_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.sqlite");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../../migrations/sqlite/0001_documents.sql")).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute("INSERT INTO databases (name) VALUES ('d')", []).unwrap();
    let flow = json!({"pvt_type": "callflow", "numbers": ["1", "2"], "pvt_assigned_to": "o"});
    let trunk = json!({"pvt_type": "sys_info", "servers": [{"DIDs": {"2": {}}}]});
    for (seq, (id, deleted, body)) in [
        ("flow", false, flow.to_string()),
        ("gone", true, flow.to_string()),
        ("_design/x", false, flow.to_string()),
        ("trunk", false, trunk.to_string()),
        ("number", false, json!({"pvt_assigned_to": "o"}).to_string()),
    ]
    .into_iter()
    .enumerate()
    {
        let seq = i64::try_from(seq).unwrap();
        old.execute(
            "INSERT INTO documents (db, id, rev, seq, deleted, body) VALUES ('d', ?1, '1-a', ?2, ?3, ?4)",
            rusqlite::params![id, seq, deleted, body],
        )
        .unwrap();
    }
    drop(old);

    for _ in 0..2 {
        let store = SqliteStore::open(&path, &SqliteConfig::default()).unwrap();
        let db = DbName::new("d");
        let asked = ["1", "2", "3"].map(str::to_owned);
        let found = store.applications(&db, &asked).await.unwrap();
        let ids = |of: &[Application]| of.iter().map(|it| it.id.clone()).collect::<Vec<_>>();
        let found: Vec<_> = found.iter().map(|of| ids(of)).collect();
        assert_eq!(found, [vec!["flow".to_owned()], vec!["flow".into(), "trunk".into()], vec![]]);
        let query = Query {
            question: Question::Owner(Some("o".to_owned())),
            range: IdRange { from: String::new(), before: "~".to_owned() },
            order: Order::Ascending,
            after: None,
            limit: 9,
        };
        let owned = store.query(&db, &query).await.unwrap().documents;
        assert_eq!(owned.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["flow", "number"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_build_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&folder).unwrap());
    let outside = rusqlite::Connection::open(file(&folder)).unwrap();
    outside.pragma_update(None, "user_version", 999).unwrap();
    drop(outside);
    let refused = open(&folder).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 999, .. }), "{refused}");
    assert!(refused.to_string().contains("schema 999"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "something else entirely, and long enough to be looked at".repeat(99))
        .unwrap();
    let refused = SqliteStore::open(&path, &SqliteConfig::default()).unwrap_err();
    assert!(matches!(refused, OpenError::Database { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_locked_from_outside_is_unavailable_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = SqliteConfig { busy_timeout_ms: 10, ..SqliteConfig::default() };
    let store = SqliteStore::open(&file(&folder), &config).unwrap();
    let outside = rusqlite::Connection::open(file(&folder)).unwrap();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = store.create_database(&numbers()).await.unwrap_err();
    assert_eq!(failed.kind, Kind::Unavailable);
    assert!(failed.source.unwrap().to_string().contains("locked"));
    store.databases("").await.unwrap();
    outside.execute_batch("ROLLBACK").unwrap();
    store.create_database(&numbers()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_not_answered_in_time_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let config = SqliteConfig {
        busy_timeout_ms: 2_000,
        call_timeout_ms: 20.try_into().unwrap(),
        ..SqliteConfig::default()
    };
    let store = SqliteStore::open(&file(&folder), &config).unwrap();
    let outside = rusqlite::Connection::open(file(&folder)).unwrap();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let put = Write::put(numbers(), "a", Expect::Absent, body(json!({})));
    let failed = store.commit(vec![put]).await.unwrap_err();
    assert_eq!(failed.error.kind, Kind::Unavailable);
    outside.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_fails_leaves_nothing_behind() {
    let store = SqliteStore::in_memory().unwrap();
    let db = numbers();
    store.create_database(&db).await.unwrap();
    create(&store, &db, "b", json!({})).await;
    let put = |id: &str| Write::put(db.clone(), id, Expect::Absent, body(json!({})));
    let error = store.commit(vec![put("a"), put("b")]).await.unwrap_err();
    assert_eq!((error.failed, error.applied), (1, vec![]));
    assert_eq!(store.revisions(&db, &["a".to_owned()]).await.unwrap(), [None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_survive_that_javascript_would_change() {
    let store = SqliteStore::in_memory().unwrap();
    cases::members_survive_that_javascript_would_change(&store).await;
}

/// The place of the killed writer's file; set only in the process that is to be killed.
const WRITE_UNTIL_KILLED: &str = "STORE_TO_WRITE_UNTIL_KILLED";

/// What the writer puts in front of the number of a set that was acknowledged.
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_and_no_set_is_there_by_half() {
    if let Some(path) = writer_path() {
        return write_until_killed(&path).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mirror = DbName::new("account/00/11/22");
    let (mut acknowledged, mut begin) = (Vec::new(), 0);
    for round in 0..3 {
        let heard = kill_a_writer(&file(&folder));
        assert_eq!(heard[0], begin, "round {round}: the file is not as it was left");
        acknowledged.extend(heard);

        let store = open(&folder).unwrap();
        let made = every_set(&store, &numbers()).await;
        assert_eq!(made, every_set(&store, &mirror).await, "round {round}: a set is half there");
        let lost: Vec<_> = acknowledged.iter().filter(|set| !made.contains(set)).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} of {} were lost", acknowledged.len());
        begin = made.len();
    }
}

/// Runs this very test as a process that writes, kills it, and returns what it said that it wrote.
fn kill_a_writer(path: &Path) -> Vec<usize> {
    let this = "store::sqlite::what_was_acknowledged_survives_a_kill_and_no_set_is_there_by_half";
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args([this, "--exact", "--nocapture"])
        .env(WRITE_UNTIL_KILLED, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let first = output.find(|line| line.contains(ACKNOWLEDGED));
    let first = first.expect("the writer wrote nothing");
    let reader = std::thread::spawn(move || std::iter::once(first).chain(output).collect());
    std::thread::sleep(Duration::from_millis(300));
    writer.kill().unwrap();
    assert!(!writer.wait().unwrap().success(), "the writer ended by itself");
    let lines: Vec<String> = reader.join().unwrap();
    let numbers = lines
        .iter()
        .filter_map(|line| line.split_once(ACKNOWLEDGED)?.1.strip_suffix('.')?.parse().ok());
    numbers.collect()
}

/// Writes sets of two documents, each number in both, from the first that is not there on.
async fn write_until_killed(path: &Path) {
    let store = SqliteStore::open(path, &SqliteConfig::default()).unwrap();
    let databases = [numbers(), DbName::new("account/00/11/22")];
    store.migrate(&databases).await.unwrap();
    for set in every_set(&store, &databases[0]).await.len().. {
        let id = format!("{set:09}");
        let members = body(json!({"n": set, "filling": "x".repeat(set % 3_000)}));
        let put = |db: &DbName| Write::put(db.clone(), &id, Expect::Absent, members.clone());
        store.commit(databases.iter().map(put).collect()).await.unwrap();
        println!("{ACKNOWLEDGED}{set}.");
    }
}

/// The numbers of the sets that left a document in this database.
async fn every_set(store: &SqliteStore, db: &DbName) -> Vec<usize> {
    let (mut rows, mut place) = (Vec::new(), None);
    loop {
        let page = store.changes(db, place.as_ref(), 1_000).await.unwrap();
        if page.rows.is_empty() {
            return rows;
        }
        rows.extend(page.rows.iter().map(|row| row.id.parse::<usize>().unwrap()));
        place = Some(page.last);
    }
}

#[expect(clippy::disallowed_methods, reason = "the process that is to be killed is told so")]
fn writer_path() -> Option<PathBuf> {
    std::env::var(WRITE_UNTIL_KILLED).ok().map(PathBuf::from)
}

#[test]
fn a_limit_that_makes_no_sense_is_refused_by_name() {
    let read = |value| serde_json::from_value::<SqliteConfig>(value).map(|config| config.readers);
    assert_eq!(read(json!({})).unwrap(), SqliteConfig::default().readers);
    assert_eq!(read(json!({"readers": 2})).unwrap().get(), 2);
    assert!(read(json!({"readers": 0})).is_err());
    assert!(read(json!({"reader": 1})).unwrap_err().to_string().contains("`reader`"));
}
