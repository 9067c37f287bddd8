//! The pages of a job: how large they are, how many are worked on at once, and what becomes of those that
//! somebody else is in the way of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use number_manager::store::{Expect, WriteSet, couchdb::CouchStore};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    jobs::{NUMBERS, carriers, conversion, converted, ended, keep, meddle, number, text, with},
    world::{UNLIMITED, World, numbers, over_both_stores},
};
use crate::support::{
    app::TestApp,
    blind::{BlindStore, Faults},
    couch::CouchServer,
    meddling::MeddlingStore,
    proxy::Proxy,
};

over_both_stores! {
    pages_are_no_larger_than_was_asked_for,
    databases_are_gone_through_side_by_side,
    what_somebody_keeps_changing_is_reported,
    what_failed_for_a_while_is_no_failure,
}

/// The longest that a test waits for something that comes at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether these are writes of numbers that were there.
fn are_numbers(sets: &[WriteSet]) -> bool {
    let mut writes = sets.iter().flatten();
    writes.any(|it| it.db.as_str().starts_with("numbers/+") && it.expect != Expect::Absent)
}

async fn convert(app: &TestApp, data: &Value) -> Value {
    let path = "/v2/maintenance/convert_carrier?wait=25";
    app.ask(Method::POST, path).token(&app.admin()).data(data).send().await.data(200)
}

async fn pages_are_no_larger_than_was_asked_for(world: &World) {
    keep(world).await;
    let (largest, written) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (most, all) = (largest.clone(), written.clone());
    let store = MeddlingStore::new(world.store.clone(), move |sets| {
        if are_numbers(sets) {
            most.fetch_max(sets.len(), Ordering::SeqCst);
            all.fetch_add(sets.len(), Ordering::SeqCst);
        }
        None
    });
    let app = TestApp::over(Arc::new(store), UNLIMITED).await;
    let job = convert(&app, &conversion()).await;
    assert_eq!(job["counts"]["changed"], NUMBERS);
    let (largest, written) = (largest.load(Ordering::SeqCst), written.load(Ordering::SeqCst));
    assert_eq!((largest, written), (5, NUMBERS), "all of a page at once, and no more");
}

/// How many pages are about to be written, and how many were at most.
#[derive(Debug, Default)]
struct Meeting {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Meeting {
    /// Waits until as many were here at once, or for too long.
    async fn meet(self: Arc<Self>, wanted: usize) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let met = async {
            while self.most.load(Ordering::SeqCst) < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(PATIENCE, met).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn databases_are_gone_through_side_by_side(world: &World) {
    for (concurrency, most) in [(2, 2), (1, 1)] {
        keep(world).await;
        let meeting = Arc::new(Meeting::default());
        let meets = meeting.clone();
        let store = MeddlingStore::always(world.store.clone(), move |sets| {
            are_numbers(sets).then(|| Box::pin(meets.clone().meet(most)) as _)
        });
        let app = TestApp::over(Arc::new(store), UNLIMITED).await;
        let data = with(
            with(conversion(), "page_size", json!(NUMBERS)),
            "concurrency",
            json!(concurrency),
        );
        assert_eq!(convert(&app, &data).await["counts"]["changed"], NUMBERS);
        assert_eq!(meeting.most.load(Ordering::SeqCst), most, "at once");
        world.clear().await;
    }
}

async fn what_somebody_keeps_changing_is_reported(world: &World) {
    keep(world).await;
    let (inner, target) = (world.store.clone(), number(3));
    let store = MeddlingStore::always(world.store.clone(), move |sets| {
        let hit = are_numbers(sets) && sets.iter().flatten().any(|it| it.id == target);
        hit.then(|| Box::pin(meddle(inner.clone(), target.clone())) as _)
    });
    let app = TestApp::over(Arc::new(store), UNLIMITED).await;
    let job = convert(&app, &conversion()).await;
    let counts = json!({
        "read": NUMBERS, "changed": NUMBERS - 1, "unchanged": 0, "skipped": 0, "failed": 1,
    });
    assert_eq!((text(&job, "state"), &job["counts"]), ("partial", &counts), "{job}");
    let failure = &job["failures"][0];
    assert_eq!((text(failure, "id"), text(failure, "error")), (&*number(3), "datastore_conflict"));
    let carriers = carriers(world).await;
    assert_eq!((converted(&carriers), &*carriers[3]), (NUMBERS - 1, "knm_telnyx"));
    assert_eq!(world.document(&number(3)).await.unwrap().body["note"], "meddled");
}

async fn what_failed_for_a_while_is_no_failure(world: &World) {
    keep(world).await;
    let store = Arc::new(BlindStore::new(world.store.clone()));
    let app = TestApp::over(store.clone(), UNLIMITED).await;
    let unreadable = vec![("query", super::world::number_db(&number(0)))];
    store.fail(Faults { unreadable, may_pass: true, ..Faults::default() });
    let path = "/v2/maintenance/convert_carrier";
    let job = app.ask(Method::POST, path).token(&app.admin()).data(&conversion());
    let job = job.send().await.data(202);
    let has_failed = async {
        while store.failed() == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, has_failed).await.expect("the job reads that database");
    store.fail(Faults::default());
    let job = ended(world, &job).await;
    let counts = json!({
        "read": NUMBERS, "changed": NUMBERS, "unchanged": 0, "skipped": 0, "failed": 0,
    });
    assert_eq!((text(&job, "state"), &job["counts"]), ("succeeded", &counts), "{job}");
    assert_eq!(job["failures"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_asks_once_per_page() {
    let namespace = CouchServer::namespace();
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let store = CouchStore::connect(namespace.config_through(proxy.host())).await.unwrap();
    let app = TestApp::over(Arc::new(store), UNLIMITED).await;
    // Databases are made beside the proxy, whose store has short limits.
    let direct = TestApp::over(Arc::new(namespace.store().await), UNLIMITED).await;
    let mut given = Vec::new();
    for prefix in ["+1415", "+1416"] {
        let some: Vec<String> = (0..60).map(|place| format!("{prefix}555{place:04}")).collect();
        let data = json!({"numbers": some, "carrier_name": "inventory"});
        let ask = direct.ask(Method::PUT, &numbers("/collection")).token(&direct.admin());
        ask.data(&data).send().await.check_status(201);
        given.extend(some);
    }
    proxy.seen();
    let data = json!({
        "source": "knm_inventory", "target": "knm_bandwidth2", "scope": {"all": true},
        "page_size": 30,
    });
    let job = convert(&app, &data).await;
    assert_eq!((text(&job, "state"), &job["counts"]["changed"]), ("succeeded", &json!(120)));
    let seen = proxy.seen();
    let count = |what: &[&str]| {
        seen.iter().filter(|line| what.iter().all(|what| line.contains(what))).count()
    };
    // Two databases of two pages: the copies of each are read together and written together.
    let account = "account%2F0f%2F0f";
    assert_eq!(count(&[account, "/_bulk_get"]), 4, "{seen:#?}");
    assert_eq!(count(&[account, "/_bulk_docs"]), 4, "{seen:#?}");
    assert_eq!(count(&["numbers%2F%2B141", "/_bulk_docs"]), 4, "{seen:#?}");
    let is_about_one = |line: &&String| given.iter().any(|number| line.contains(&number[1..]));
    let about_one: Vec<&String> = seen.iter().filter(is_about_one).collect();
    // Where a page begins is said with the number that it goes on behind.
    assert!(about_one.iter().all(|line| line.contains("startkey")), "{about_one:#?}");
}
