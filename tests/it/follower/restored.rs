//! Databases that were made anew or put back, and what other programs leave behind. Only on a server
//! can anybody do that.

use super::*;

async fn drop_database(site: &Site, db: &DbName) {
    let url = site.namespace.as_ref().unwrap().database_url(&encoded(db.as_str()));
    let sent = reqwest::Client::new().delete(url).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
}

/// Puts a database back with these documents in it.
async fn put_back(site: &Site, db: &DbName, documents: &[(&str, char)]) {
    drop_database(site, db).await;
    site.store.create_database(db).await.unwrap();
    for (id, owner) in documents {
        site.put(db, id, document(*owner, None)).await;
    }
}

/// How far a database was followed.
async fn place(site: &Site, db: &DbName) -> Value {
    site.store.checkpoint(db, CHECKPOINT).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_dropped_is_filled_again() {
    let site = Site::couchdb().await;
    site.keep(NUMBER, 'a').await;
    let follower = site.follow();
    until("followed", async || site.is_followed(&copies('a')).await).await;
    put_back(&site, &copies('a'), &[]).await;
    site.healed("a database that was dropped").await;
    follower.stop().await;
}

/// A number moved on, and its database was put back as it was before; another one came later.
async fn check_numbers_put_back(is_followed_meanwhile: bool) {
    let site = Site::couchdb().await;
    let (moved, later) = (NUMBER, "+14158867901");
    site.keep(moved, 'b').await;
    site.keep(later, 'c').await;
    let follower = site.follow();
    for db in [numbers_db(), copies('b'), copies('c')] {
        until("followed", async || site.is_followed(&db).await).await;
    }
    let (db, documents) = (numbers_db(), [(moved, 'a')]);
    let back = put_back(&site, &db, &documents);
    let follower = if is_followed_meanwhile {
        back.await;
        follower
    } else {
        follower.stop().await;
        back.await;
        site.follow()
    };
    until("given", async || site.has(&copies('a'), moved).await).await;
    until("taken", async || !site.has(&copies('b'), moved).await).await;
    until("followed again", async || site.is_followed(&numbers_db()).await).await;
    assert!(site.has(&copies('c'), later).await, "it is all that is left of the number");
    follower.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_put_back_decide_whose_they_are() {
    check_numbers_put_back(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_were_put_back_while_nobody_followed_decide_it_too() {
    check_numbers_put_back(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_put_back_with_its_checkpoint_is_noticed() {
    let site = Site::couchdb().await;
    let (early, late) = (NUMBER, "+14158867901");
    site.keep(early, 'a').await;
    let follower = site.follow();
    until("followed", async || site.is_followed(&copies('a')).await).await;
    let before = place(&site, &copies('a')).await;
    site.keep(late, 'a').await;
    // It is noted apart from the database, too: only that tells of a checkpoint that is put back.
    let noted = format!("followed:{}", copies('a'));
    let is_passed = async || {
        let note = site.store.get(&DbName::new("number_manager"), &noted).await.unwrap().live();
        let now = place(&site, &copies('a')).await;
        now != before && note.is_some_and(|note| note.body["followed"] == now["seq"])
    };
    until("passed", is_passed).await;
    follower.stop().await;
    put_back(&site, &copies('a'), &[(early, 'a')]).await;
    site.store.set_checkpoint(&copies('a'), CHECKPOINT, before).await.unwrap();
    let again = site.follow();
    site.healed("put back").await;
    assert!(site.has(&copies('a'), late).await);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_another_program_deleted_leaves_no_copy() {
    let site = Site::couchdb().await;
    site.keep(NUMBER, 'a').await;
    let follower = site.follow();
    for db in [numbers_db(), copies('a')] {
        until("followed", async || site.is_followed(&db).await).await;
    }
    let found = site.store.get(&numbers_db(), NUMBER).await.unwrap().live().unwrap();
    let path = format!("{}/{}?rev=", encoded("numbers/+1415"), encoded(NUMBER));
    let url = site.namespace.as_ref().unwrap().database_url(&path) + found.rev.as_str();
    let sent = reqwest::Client::new().delete(url).send().await.unwrap();
    assert!(sent.status().is_success(), "{sent:?}");
    site.healed("a tombstone that names nobody").await;
    assert!(!site.has(&copies('a'), NUMBER).await);
    follower.stop().await;
}
