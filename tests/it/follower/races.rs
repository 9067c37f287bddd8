//! Somebody else writes while the follower is between its reading and its writing.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::support::meddling::{Doing, MeddlingStore};

/// How often each of two processes changes the number.
const CHANGES: usize = 12;

over_both_stores! {
    what_was_written_in_between_stays,
    no_change_is_lost_to_the_follower,
    a_copy_of_an_unknown_number_stays,
    who_wakes_in_the_middle_of_a_write_undoes_nothing,
}

/// What happens to the number while a copy of it is about to be written.
#[derive(Clone, Copy, Debug)]
enum Between {
    Changed,
    Moved,
    Released,
}

async fn what_was_written_in_between_stays(site: &Site) {
    for between in [Between::Changed, Between::Moved, Between::Released] {
        let desk = Desk::over(site.store.clone());
        desk.make_for_a().await;
        let reached = Arc::new(AtomicUsize::new(0));
        let (count, below) = (reached.clone(), site.store.clone());
        let meddling = MeddlingStore::new(site.store.clone(), move |sets| {
            let is_copy = |write: &Write| write.db == copies('a') && write.id == NUMBER;
            sets.iter().flatten().any(is_copy).then(|| {
                let (desk, count) = (Desk::over(below.clone()), count.clone());
                Box::pin(async move {
                    match between {
                        Between::Changed => drop(desk.write_on("newer").await.unwrap()),
                        Between::Moved => drop(desk.hand_to('c').await.unwrap()),
                        Between::Released => drop(desk.release().await.unwrap()),
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                }) as Doing
            })
        });
        let store: SharedStore = Arc::new(meddling);
        let follower = Running::start(&store, limits());
        until("held", async || follower.is_here()).await;
        let mut stale = document('a', None);
        stale.insert("note".to_owned(), json!("by hand"));
        site.put(&copies('a'), NUMBER, stale).await;
        until("in between", async || reached.load(Ordering::SeqCst) == 1).await;
        site.healed("written in between").await;
        let number = site.store.get(&numbers_db(), NUMBER).await.unwrap().live().unwrap().body;
        match between {
            Between::Changed => assert_eq!(number["note"], "newer"),
            Between::Moved => assert_eq!(number["pvt_assigned_to"], account('c').as_str()),
            Between::Released => assert_eq!(number["pvt_state"], "aging"),
        }
        follower.stop().await;
    }
}

async fn no_change_is_lost_to_the_follower(site: &Site) {
    let desk = Desk::over(site.store.clone());
    desk.create('a').await.unwrap();
    let follower = Running::start(&site.store, FollowerConfig { pace_ms: 1, ..limits() });
    until("held", async || follower.is_here()).await;
    let work = |owners: [char; 2]| {
        // Half of its copies are left to the follower.
        let store = site.store.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < CHANGES {
                let limit = if done % 2 == 0 { usize::MAX } else { 1 };
                let desk = Desk::over(Arc::new(FailingStore::new(store.clone(), limit)));
                match desk.count_up(owners[done % 2]).await {
                    Ok(_) => done += 1,
                    Err(RepositoryError::Conflict { .. }) => {}
                    // Its copy could not be written, and nothing else was.
                    Err(err) => assert_eq!(limit, 1, "{err:?}"),
                }
            }
        })
    };
    let (one, two) = (work(['a', 'b']), work(['b', 'c']));
    one.await.unwrap();
    two.await.unwrap();
    site.healed("a race").await;
    let number = site.store.get(&numbers_db(), NUMBER).await.unwrap().live().unwrap();
    assert_eq!(number.body["count"], 2 * CHANGES);
    follower.stop().await;
}

/// It stands still between reading and writing, another one takes over, and the number goes on.
async fn who_wakes_in_the_middle_of_a_write_undoes_nothing(site: &Site) {
    let desk = Desk::over(site.store.clone());
    for between in [&['b'][..], &['b', 'a'], &[]] {
        desk.make_for_a().await;
        site.healed("before").await;
        let (asleep, wake) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let refused = Arc::new(AtomicUsize::new(0));
        let (count, woken, late) = (asleep.clone(), wake.clone(), refused.clone());
        let below = site.store.clone();
        let meddling = MeddlingStore::new(site.store.clone(), move |sets| {
            let is_copy = |write: &Write| write.db == copies('a') && write.id == NUMBER;
            sets.iter().flatten().any(is_copy).then(|| {
                let (count, woken, late) = (count.clone(), woken.clone(), late.clone());
                let (below, sets) = (below.clone(), sets.to_vec());
                Box::pin(async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    woken.notified().await;
                    let written = below.commit_many(sets).await;
                    assert!(written.iter().all(Result::is_err), "{written:?}");
                    late.fetch_add(1, Ordering::SeqCst);
                }) as Doing
            })
        });
        // Who stands still gives no sign of life.
        let still = FollowerConfig { lease_ms: 1_000, renewal_ms: 3_600_000, ..limits() };
        let first = Running::start(&(Arc::new(meddling) as SharedStore), still);
        until("held", async || first.is_here()).await;
        let mut stale = document('a', None);
        stale.insert("note".to_owned(), json!("by hand"));
        site.put(&copies('a'), NUMBER, stale).await;
        until("asleep", async || asleep.load(Ordering::SeqCst) == 1).await;

        let second = Running::start(&site.store, limits());
        until("taken over", async || second.is_here()).await;
        site.healed("by the second").await;
        for owner in between {
            desk.hand_to(*owner).await.unwrap();
        }
        if between.is_empty() {
            desk.release().await.unwrap();
        }
        site.healed("by itself").await;
        let before = site.everything().await;
        wake.notify_one();
        until("refused", async || refused.load(Ordering::SeqCst) == 1).await;
        assert_eq!(site.everything().await, before, "{between:?}");
        second.stop().await;
        first.stop().await;
    }
}

/// It may be all that is left of a number whose database was lost.
async fn a_copy_of_an_unknown_number_stays(site: &Site) {
    Desk::over(site.store.clone()).create('a').await.unwrap();
    site.put(&copies('a'), OTHER, document('a', None)).await;
    let follower = site.follow();
    until("held", async || follower.is_here()).await;
    // What changed behind it is put right, so it was looked at.
    let mut stale = document('a', None);
    stale.insert("note".to_owned(), json!("by hand"));
    site.put(&copies('a'), NUMBER, stale).await;
    let is_right = async || {
        let copy = site.store.get(&copies('a'), NUMBER).await.unwrap().live().unwrap();
        copy.body.get("note") != Some(&json!("by hand"))
    };
    until("put right", is_right).await;
    let kept = site.store.get(&copies('a'), OTHER).await.unwrap().live();
    assert!(kept.is_some_and(|kept| kept.body["note"] == "as it was"));
    follower.stop().await;
}
