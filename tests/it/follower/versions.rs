//! Versions of one document that contradict each other. Only a cluster, or a restore, makes them.

use super::*;

/// Puts a version of a document beside what is there, as replication does.
async fn plant(site: &Site, db: &DbName, id: &str, rev: &str, mut body: Body) {
    body.insert("_id".to_owned(), json!(id));
    body.insert("_rev".to_owned(), json!(rev));
    let path = format!("{}/_bulk_docs", encoded(db.as_str()));
    let url = site.namespace.as_ref().unwrap().database_url(&path);
    let body = json!({"new_edits": false, "docs": [body]}).to_string();
    let request = reqwest::Client::new().post(url).body(body);
    let sent = request.header("content-type", "application/json").send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
}

/// A revision that loses against every other one.
const LOSER: &str = "1-00000000000000000000000000000000";
/// Revisions that win against those of the cases.
const WINNERS: [&str; 2] =
    ["7-ffffffffffffffffffffffffffffffff", "7-eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"];

async fn versions_of(site: &Site, db: &DbName, id: &str) -> usize {
    site.store.live_versions(db, id).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_one_owner_become_one_and_others_stay() {
    let site = Site::couchdb().await;
    let (same, different) = (NUMBER, "+14158867901");
    for (number, loser) in [(same, 'a'), (different, 'b')] {
        site.keep(number, 'a').await;
        plant(&site, &numbers_db(), number, LOSER, document(loser, None)).await;
    }
    let stray = document('b', None);
    site.put(&copies('b'), different, stray).await;
    let follower = site.follow();
    until("reported", async || follower.says("conflicting_owners") == 1).await;
    until("one is left", async || versions_of(&site, &numbers_db(), same).await == 1).await;
    assert_eq!(versions_of(&site, &numbers_db(), different).await, 2);
    assert!(site.has(&copies('b'), different).await, "nothing is removed");
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_has_one_version_and_one_that_is_to_go_has_none() {
    let site = Site::couchdb().await;
    let (lost, won, stray) = (NUMBER, "+14158867901", "+14158867902");
    for number in [lost, won, stray] {
        site.keep(number, 'a').await;
    }
    let follower = site.follow();
    until("followed", async || site.is_followed(&copies('a')).await).await;
    let mut other = document('b', Some('a'));
    other.insert("note".to_owned(), json!("from elsewhere"));
    // One that loses changes nothing that is read, so only the feed shows it.
    plant(&site, &copies('a'), lost, LOSER, other.clone()).await;
    for rev in WINNERS {
        plant(&site, &copies('a'), won, rev, other.clone()).await;
        plant(&site, &copies('c'), stray, rev, other.clone()).await;
    }
    until("one is left", async || versions_of(&site, &copies('a'), lost).await == 1).await;
    until("of three", async || versions_of(&site, &copies('a'), won).await == 1).await;
    until("none is left", async || versions_of(&site, &copies('c'), stray).await == 0).await;
    site.healed("versions of copies").await;
    assert_eq!(follower.says("retries"), 0);
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_number_leaves_no_version_of_its_copy() {
    let site = Site::couchdb().await;
    Desk::over(site.store.clone()).create('a').await.unwrap();
    plant(&site, &copies('a'), NUMBER, LOSER, document('a', None)).await;
    // Without the winner the loser is the copy.
    Desk::over(site.store.clone()).release().await.unwrap();
    let follower = site.follow();
    until("none is left", async || versions_of(&site, &copies('a'), NUMBER).await == 0).await;
    site.healed("a released number").await;
    follower.stop().await;
}
