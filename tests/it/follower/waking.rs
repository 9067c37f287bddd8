//! What wakes the follower, and what it says when it cannot follow.

use super::*;

over_both_stores! {
    it_is_woken_by_what_its_own_process_writes,
    it_says_that_it_is_behind_until_it_is_not,
}

/// Who does not ask by itself.
fn waiting() -> FollowerConfig {
    FollowerConfig { poll_ms: 3_600_000, sweep_ms: 3_600_000, ..limits() }
}

async fn it_is_woken_by_what_its_own_process_writes(site: &Site) {
    site.keep(NUMBER, 'a').await;
    let follower = Running::start(&site.store, waiting());
    for db in [numbers_db(), copies('a')] {
        until("followed", async || site.is_followed(&db).await).await;
    }
    // A database that it knows, and one that it does not.
    for number in [NUMBER, OTHER] {
        follower.store.create_database(&db_of(number)).await.unwrap();
        let mine = Site { store: follower.store.clone(), namespace: None };
        mine.put(&db_of(number), number, document('b', Some('a'))).await;
        site.healed("a write of its own process").await;
        assert!(site.has(&copies('b'), number).await);
    }
    follower.stop().await;
}

async fn it_says_that_it_is_behind_until_it_is_not(site: &Site) {
    let blind = Arc::new(BlindStore::new(site.store.clone()));
    let unreadable = vec![("changes", DbName::new("numbers/"))];
    blind.fail(Faults { unreadable, ..Faults::default() });
    let store: SharedStore = blind.clone();
    let follower = Running::start(&store, FollowerConfig { degraded_after_ms: 400, ..limits() });
    until("held", async || follower.is_here()).await;
    site.put(&numbers_db(), NUMBER, document('a', None)).await;
    let is_behind = async || follower.says("databases_behind") == 1;
    until("behind", is_behind).await;
    until("degraded", async || follower.watch.degraded().is_some()).await;
    blind.fail(Faults::default());
    until("not any more", async || follower.watch.degraded().is_none()).await;
    site.healed("behind no more").await;
    follower.stop().await;
}

/// Another program's writes are heard of from the server.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_woken_by_the_updates_of_a_server() {
    let site = Site::couchdb().await;
    site.keep(NUMBER, 'a').await;
    let follower = Running::start(&site.store, waiting());
    for db in [numbers_db(), copies('a')] {
        until("followed", async || site.is_followed(&db).await).await;
    }
    site.delete(&copies('a'), NUMBER, Body::new()).await;
    site.healed("a database that it knows").await;
    site.put(&db_of(OTHER), OTHER, document('b', None)).await;
    site.healed("one that it does not").await;
    follower.stop().await;
}
