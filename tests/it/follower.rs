//! The follower: whatever happened to copies, it puts them right, and it touches nothing else.

use std::{sync::Arc, time::Duration};

use number_manager::{
    api::LimitConfig,
    domain::{Clock, SystemClock, encoded},
    follower::{Follower, FollowerConfig, FollowerWatch},
    repository::{
        EventRepository, FeedRepository, NumberRepository, RepositoryError, SettingsRepository,
        system_databases,
    },
    store::{Body, DbName, Expect, Lookup, SharedStore, WatchedStore, Write, sqlite::SqliteStore},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    repository::{Desk, account, account_db, numbers_db},
    support::{
        app::TestApp,
        blind::{BlindStore, Faults},
        couch::{CouchServer, Namespace},
        failing::FailingStore,
        invariants::{numbers_in, violations},
    },
};

/// The number that most cases are about, and its neighbour in another database.
const NUMBER: &str = "+14158867900";
const OTHER: &str = "+14168867901";
/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// The name under which checkpoints are kept.
const CHECKPOINT: &str = "number_manager_follower";
/// Through how many hands the lease goes.
const HANDS: u64 = 12;
/// How many numbers change while nobody follows.
const MANY: usize = 2_000;

/// Makes two tests of each case, one over SQLite and one over CouchDB.
macro_rules! over_both_stores {
    ($($case:ident,)*) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(&super::Site::embedded().await).await;
            })*
        }
        mod couchdb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(&super::Site::couchdb().await).await;
            })*
        }
    };
}

mod lives;
mod races;
mod restored;
mod stock;
mod versions;
mod waking;

over_both_stores! {
    what_was_done_by_hand_is_undone,
    a_write_without_its_copy_is_finished,
    a_late_write_is_undone_by_the_second_look,
    the_lease_is_taken_over_when_its_holder_dies,
    a_lease_that_was_given_back_is_free_at_once,
    nothing_is_removed_that_cannot_be_read,
    what_is_right_is_not_touched,
    many_changes_are_caught_up,
    an_account_that_is_gone_holds_nobody_up,
    a_deleted_number_leaves_no_copy,
}

/// Databases of its own, with the accounts `a`, `b`, `c` and `d`.
struct Site {
    store: SharedStore,
    namespace: Option<Namespace>,
}

impl Site {
    async fn embedded() -> Self {
        Self::over(Arc::new(SqliteStore::in_memory().unwrap()), None).await
    }

    async fn couchdb() -> Self {
        let namespace = CouchServer::namespace();
        Self::over(Arc::new(namespace.store().await), Some(namespace)).await
    }

    async fn over(store: SharedStore, namespace: Option<Namespace>) -> Self {
        let accounts = ['a', 'b', 'c', 'd'].map(|letter| account_db(&account(letter)));
        for db in accounts.iter().chain(&system_databases()).chain(&[numbers_db()]) {
            store.create_database(db).await.unwrap();
        }
        Self { store, namespace }
    }

    /// Stores a document over what is there, behind everybody's back.
    async fn put(&self, db: &DbName, id: &str, body: Body) {
        self.store.create_database(db).await.unwrap();
        let expect = match self.store.get(db, id).await.unwrap() {
            Lookup::Live(found) => Expect::At(found.rev),
            Lookup::Deleted(_) | Lookup::Missing => Expect::Absent,
        };
        let write = Write::put(db.clone(), id, expect, body);
        self.store.commit(vec![write]).await.unwrap();
    }

    /// Deletes one, with this as what is left.
    async fn delete(&self, db: &DbName, id: &str, left: Body) {
        let found = self.store.get(db, id).await.unwrap().live().unwrap();
        let write = Write::delete(db.clone(), id, found.rev, left);
        self.store.commit(vec![write]).await.unwrap();
    }

    /// Stores a number, and a copy for its owner.
    async fn keep(&self, number: &str, owner: char) {
        self.put(&db_of(number), number, document(owner, None)).await;
        self.put(&copies(owner), number, document(owner, None)).await;
    }

    async fn has(&self, db: &DbName, id: &str) -> bool {
        self.store.get(db, id).await.unwrap().live().is_some()
    }

    /// Whether it is known in the database, and apart from it, how far it was followed.
    async fn is_followed(&self, db: &DbName) -> bool {
        let noted = format!("followed:{db}");
        self.store.checkpoint(db, CHECKPOINT).await.unwrap().is_some()
            && self.has(&DbName::new("number_manager"), &noted).await
    }

    /// Every document of a number and every copy, with revisions.
    async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for prefix in ["numbers/", "account/"] {
            for db in self.store.databases(prefix).await.unwrap() {
                let documents = numbers_in(&*self.store, &db).await;
                all.extend(documents.iter().map(|document| format!("{db} {document:?}")));
            }
        }
        all
    }

    /// Waits until all copies are right.
    async fn healed(&self, case: &str) {
        let begun = Instant::now();
        loop {
            let wrong = violations(&*self.store).await;
            if wrong.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{case}: {wrong:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn follow(&self) -> Running {
        Running::start(&self.store, limits())
    }

    /// The HTTP face over it, without a limit on how often clients may ask.
    async fn app(&self) -> TestApp {
        TestApp::over(self.store.clone(), LimitConfig { burst: 0, per_second: 0 }).await
    }
}

/// A follower of its own.
struct Running {
    /// The store as its process writes to it.
    store: SharedStore,
    task: JoinHandle<()>,
    stop: CancellationToken,
    watch: FollowerWatch,
}

impl Running {
    fn start(store: &SharedStore, limits: FollowerConfig) -> Self {
        let (store, writes) = WatchedStore::over(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let settings = SettingsRepository::new(store.clone());
        let numbers = NumberRepository::new(store.clone(), clock.clone(), settings);
        let stop = CancellationToken::new();
        let feeds = FeedRepository::new(store.clone());
        let events = EventRepository::beside(&numbers);
        let follower = Follower::new(numbers, feeds, events, writes, clock, limits, stop.clone());
        let watch = follower.watch();
        let task = tokio::spawn(async move { follower.run(false).await });
        Self { store, task, stop, watch }
    }

    /// What it says of itself.
    fn says(&self, what: &str) -> u64 {
        self.watch.shown()[what].as_u64().unwrap_or_default()
    }

    fn is_here(&self) -> bool {
        self.watch.shown()["here"] == true
    }

    /// Ends it without a warning.
    async fn kill(&mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }

    async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn limits() -> FollowerConfig {
    FollowerConfig {
        lease_ms: 60_000,
        renewal_ms: 100,
        pace_ms: 10,
        poll_ms: 20,
        deadline_ms: 300,
        retry_ms: 50,
        retry_max_ms: 200,
        ..FollowerConfig::default()
    }
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "still not: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn db_of(number: &str) -> DbName {
    DbName::new(format!("numbers/{}", &number[..5]))
}

fn copies(owner: char) -> DbName {
    account_db(&account(owner))
}

/// A number in service, as another program writes it.
fn document(owner: char, previous: Option<char>) -> Body {
    let text = |letter: char| Value::from(account(letter).as_str());
    let mut body: Body = serde_json::from_value(json!({
        "pvt_type": "number", "pvt_state": "in_service", "pvt_module_name": "knm_inventory",
        "pvt_assigned_to": text(owner), "note": "as it was",
    }))
    .unwrap();
    body.extend(previous.map(|it| ("pvt_previously_assigned_to".to_owned(), text(it))));
    body
}

async fn what_was_done_by_hand_is_undone(site: &Site) {
    let (missing, stale, stray) = (NUMBER, "+14158867901", OTHER);
    for number in [missing, stale, stray] {
        site.keep(number, 'a').await;
    }
    let follower = site.follow();
    until("followed", async || site.is_followed(&copies('a')).await).await;
    assert_eq!(follower.says("healed"), 0);

    site.delete(&copies('a'), missing, Body::new()).await;
    let mut other = document('a', None);
    other.insert("note".to_owned(), json!("by hand"));
    site.put(&copies('a'), stale, other).await;
    site.put(&copies('b'), stray, document('a', None)).await;
    site.healed("three copies").await;
    until("counted", async || follower.says("healed") == 3).await;

    // The number's document is what counts.
    let mut changed = document('c', Some('a'));
    changed.insert("note".to_owned(), json!("moved by hand"));
    site.put(&db_of(NUMBER), NUMBER, changed).await;
    site.healed("a number").await;
    assert!(site.has(&copies('c'), NUMBER).await && !site.has(&copies('a'), NUMBER).await);
    until("counted", async || follower.says("healed") >= 4).await;
    assert_eq!(follower.says("retries"), 0);
    follower.stop().await;
}

async fn a_write_without_its_copy_is_finished(site: &Site) {
    let follower = site.follow();
    until("held", async || follower.is_here()).await;
    for (writes, owner) in [(1, None), (2, Some('b')), (1, Some('c'))] {
        let failing: SharedStore = Arc::new(FailingStore::new(site.store.clone(), writes));
        let desk = Desk::over(failing);
        // What is left of the write fails for good.
        match owner {
            None => drop(desk.create('a').await.unwrap()),
            Some(owner) => drop(desk.hand_to(owner).await.unwrap()),
        }
        site.healed("an interrupted write").await;
    }
    follower.stop().await;
}

async fn a_late_write_is_undone_by_the_second_look(site: &Site) {
    // Only the number's own feed can be read, so that nothing else shows the late copy.
    let blind = Arc::new(BlindStore::new(site.store.clone()));
    let unreadable = vec![("changes", DbName::new("account/"))];
    blind.fail(Faults { unreadable, ..Faults::default() });
    let store: SharedStore = blind.clone();
    let follower = Running::start(&store, FollowerConfig { deadline_ms: 2_000, ..limits() });
    until("held", async || follower.is_here()).await;
    // Given from `a` to `b`; the copy of `a`, written before that, is still on its way.
    site.put(&numbers_db(), NUMBER, document('b', Some('a'))).await;
    until("the first look", async || site.has(&copies('b'), NUMBER).await).await;
    assert!(!site.is_followed(&numbers_db()).await, "the change was passed too early");
    site.put(&copies('a'), NUMBER, document('a', None)).await;
    site.healed("a late write").await;
    until("passed", async || site.is_followed(&numbers_db()).await).await;
    follower.stop().await;
}

async fn the_lease_is_taken_over_when_its_holder_dies(site: &Site) {
    let short = FollowerConfig { lease_ms: 1_500, ..limits() };
    let mut both = [(); 2].map(|()| Running::start(&site.store, short.clone()));
    until("one holds it", async || both.iter().any(Running::is_here)).await;
    let holder = both.iter().position(Running::is_here).unwrap();
    assert!(!both[1 - holder].is_here(), "two hold it");
    let epoch = both[holder].says("epoch");
    both[holder].kill().await;
    site.put(&numbers_db(), NUMBER, document('a', None)).await;
    site.healed("by the other").await;
    let heir = &both[1 - holder];
    assert!(heir.is_here() && heir.says("epoch") == epoch + 1, "{}", heir.watch.shown());
}

async fn a_lease_that_was_given_back_is_free_at_once(site: &Site) {
    // It is renewed all the time, so that most stops come in the middle of that.
    let long = FollowerConfig { lease_ms: 3_600_000, renewal_ms: 1, ..limits() };
    let mut holder = Running::start(&site.store, long.clone());
    until("held", async || holder.is_here()).await;
    for epoch in 1..HANDS {
        let heir = Running::start(&site.store, long.clone());
        until("known", async || heir.watch.shown()["holder"].is_string()).await;
        assert!(!heir.is_here() && holder.says("epoch") == epoch);
        holder.stop().await;
        until("taken", async || heir.is_here()).await;
        holder = heir;
    }
    assert_eq!(holder.says("epoch"), HANDS);
    holder.stop().await;
}

async fn nothing_is_removed_that_cannot_be_read(site: &Site) {
    let without_database = "+19998867900";
    site.put(&db_of(OTHER), OTHER, document('b', None)).await;
    site.put(&numbers_db(), NUMBER, document('a', None)).await;
    site.delete(&numbers_db(), NUMBER, document('a', None)).await;
    for number in [NUMBER, without_database, OTHER] {
        site.put(&copies('a'), number, document('a', None)).await;
    }
    let blind = Arc::new(BlindStore::new(site.store.clone()));
    let calls = ["get", "get_many"];
    let unreadable = calls.map(|call| (call, DbName::new("numbers/"))).to_vec();
    blind.fail(Faults { unreadable, ..Faults::default() });
    let store: SharedStore = blind.clone();
    let follower = Running::start(&store, limits());
    until("all are kept for later", async || follower.says("retries") == 3).await;
    until("passed", async || site.is_followed(&copies('a')).await).await;
    for number in [NUMBER, without_database, OTHER] {
        assert!(site.has(&copies('a'), number).await, "{number}");
    }
    follower.stop().await;
    let follower = Running::start(&store, limits());
    until("the list is stored", async || follower.says("retries") == 3).await;
    blind.fail(Faults::default());
    until("what can be read is right", async || follower.says("retries") == 0).await;
    assert!(!site.has(&copies('a'), NUMBER).await && !site.has(&copies('a'), OTHER).await);
    assert!(site.has(&copies('b'), OTHER).await);
    // Its database may come back.
    assert!(site.has(&copies('a'), without_database).await);
    follower.stop().await;
}

async fn what_is_right_is_not_touched(site: &Site) {
    for (number, owner) in [(NUMBER, 'a'), (OTHER, 'b'), ("+14158867902", 'c')] {
        site.keep(number, owner).await;
    }
    let free: Body = serde_json::from_value(json!({"pvt_state": "available"})).unwrap();
    site.put(&db_of(OTHER), "+14168867999", free).await;
    site.put(&copies('a'), "callflow", Body::new()).await;
    site.put(&copies('a'), "+not a number", Body::new()).await;
    // What says that it is something else is no copy, whatever its id is.
    let own = Body::from_iter([("pvt_type".to_owned(), json!("memo"))]);
    site.put(&copies('d'), NUMBER, own).await;
    let before = site.everything().await;
    let follower = site.follow();
    for db in [numbers_db(), db_of(OTHER), copies('a'), copies('b'), copies('c'), copies('d')] {
        until("followed", async || site.is_followed(&db).await).await;
    }
    assert_eq!(site.everything().await, before);
    assert_eq!((follower.says("healed"), follower.says("retries")), (0, 0));
    follower.stop().await;
    // From here it goes on.
    let again = site.follow();
    until("held again", async || again.is_here() && again.says("databases_behind") == 0).await;
    assert_eq!(site.everything().await, before);
}

async fn many_changes_are_caught_up(site: &Site) {
    site.keep(OTHER, 'd').await;
    let follower = site.follow();
    until("followed", async || site.is_followed(&db_of(OTHER)).await).await;
    follower.stop().await;

    let dbs = ["+1416", "+1417", "+1418"];
    for db in dbs {
        site.store.create_database(&db_of(db)).await.unwrap();
    }
    let set = |n: usize| {
        let (id, owner) = (format!("{}555{n:04}", dbs[n % 3]), ['a', 'b', 'c', 'd'][n % 4]);
        vec![Write::put(db_of(&id), id, Expect::Absent, document(owner, None))]
    };
    let stored = site.store.commit_many((0..MANY).map(set).collect()).await;
    assert!(stored.iter().all(Result::is_ok));
    let again = site.follow();
    until("all are put right", async || again.says("healed") >= MANY as u64).await;
    assert_eq!(violations(&*site.store).await, []);
    assert_eq!(again.says("retries"), 0);
    let passed = async || site.is_followed(&db_of("+1418")).await;
    until("passed", passed).await;
    again.stop().await;
}

async fn an_account_that_is_gone_holds_nobody_up(site: &Site) {
    let follower = site.follow();
    site.put(&numbers_db(), NUMBER, document('e', None)).await;
    site.put(&numbers_db(), "+14158867901", document('a', None)).await;
    until("the other is right", async || site.has(&copies('a'), "+14158867901").await).await;
    until("kept for later", async || follower.says("retries") == 1).await;
    until("passed", async || site.is_followed(&numbers_db()).await).await;
    site.store.create_database(&copies('e')).await.unwrap();
    until("settled", async || follower.says("retries") == 0).await;
    site.healed("the account is there").await;
    follower.stop().await;
}

async fn a_deleted_number_leaves_no_copy(site: &Site) {
    let follower = site.follow();
    until("held", async || follower.is_here()).await;
    site.put(&numbers_db(), NUMBER, document('a', None)).await;
    until("copied", async || site.has(&copies('a'), NUMBER).await).await;
    let owner = Value::from(account('a').as_str());
    let left = Body::from_iter([("pvt_assigned_to".to_owned(), owner)]);
    site.delete(&numbers_db(), NUMBER, left).await;
    site.healed("a deleted number").await;
    assert!(!site.has(&copies('a'), NUMBER).await);
    follower.stop().await;
}
