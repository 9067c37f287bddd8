//! Writes that stop in their middle: whatever was acknowledged is there, and after a restart the
//! copies are put right by what the number document itself says.

use std::{collections::BTreeSet, sync::Arc};

use futures::future::join_all;
use number_manager::{
    domain::{AccountId, CarrierName, State},
    repository::{MirrorStatus, RepositoryError, Saved},
    store::{Body, Lookup, SharedStore},
};
use serde_json::Value;

use crate::{
    repository::{Desk, id, numbers_db},
    support::{
        failing::FailingStore,
        invariants::{Violation, violations},
    },
};

/// More writes than any of the operations makes.
const ENOUGH: usize = 6;

#[derive(Clone, Copy, Debug)]
enum Operation {
    Create,
    CreateAgain,
    Update,
    Move,
    MoveOn,
    MoveOnPastStray,
    Release,
    Delete,
    SaveMany,
}

impl Operation {
    const ALL: [Self; 9] = [
        Self::Create,
        Self::CreateAgain,
        Self::Update,
        Self::Move,
        Self::MoveOn,
        Self::MoveOnPastStray,
        Self::Release,
        Self::Delete,
        Self::SaveMany,
    ];

    /// What was there before.
    async fn prepare(self, desk: &Desk) {
        match self {
            Self::Create => {}
            Self::CreateAgain => {
                desk.create('a').await.unwrap();
                desk.numbers.delete(desk.open().await).await.unwrap();
            }
            Self::MoveOn => {
                desk.create('a').await.unwrap();
                desk.hand_to('b').await.unwrap();
            }
            Self::MoveOnPastStray => {
                desk.create('a').await.unwrap();
                let failing: SharedStore = Arc::new(FailingStore::new(desk.store.clone(), 2));
                let moved = Desk::over(failing).hand_to('b').await.unwrap();
                assert_eq!(moved.mirror, MirrorStatus::Pending, "the copy at `a` is left");
            }
            Self::Update | Self::Move | Self::Release | Self::Delete | Self::SaveMany => {
                desk.create('a').await.unwrap();
            }
        }
    }

    async fn run(self, desk: &Desk) -> Result<Saved, RepositoryError> {
        match self {
            Self::Create => desk.create('a').await,
            Self::CreateAgain => desk.create('b').await,
            Self::Update => desk.write_on("new").await,
            Self::Move => desk.hand_to('b').await,
            Self::MoveOn | Self::MoveOnPastStray => desk.hand_to('c').await,
            Self::Release => desk.release().await,
            Self::Delete => desk.numbers.delete(desk.open().await).await,
            Self::SaveMany => {
                let mut stored = desk.open().await;
                stored.number.set_carrier(CarrierName::local());
                desk.numbers.save_many(vec![stored]).await.remove(0)
            }
        }
    }
}

/// What is stored of the number: its members without the ones that name writes and times.
async fn stored(store: &SharedStore) -> Option<Body> {
    let mut body = store.get(&numbers_db(), id().as_str()).await.unwrap().live()?.body;
    for key in ["pvt_write_id", "pvt_modified", "pvt_created", "pvt_state_since"] {
        body.shift_remove(key);
    }
    Some(body)
}

/// The accounts that the number, or what is left of it, names.
async fn named(store: &SharedStore) -> BTreeSet<AccountId> {
    let body = match store.get(&numbers_db(), id().as_str()).await.unwrap() {
        Lookup::Live(document) | Lookup::Deleted(document) => document.body,
        Lookup::Missing => Body::new(),
    };
    let ids = ["pvt_assigned_to", "pvt_previously_assigned_to"].map(|key| body.get(key).cloned());
    let account = |id: Value| AccountId::parse(id.as_str().unwrap()).unwrap();
    ids.into_iter().flatten().map(account).collect()
}

/// Runs the operation over a store that fails after `after` writes, and starts again.
async fn interrupt(operation: Operation, after: usize) {
    let case = format!("{operation:?} that fails after {after} writes");
    let unharmed = Desk::new().await;
    operation.prepare(&unharmed).await;
    let before = stored(&unharmed.store).await;
    operation.run(&unharmed).await.unwrap();
    let wanted = stored(&unharmed.store).await;

    let inner = Desk::new().await.store;
    operation.prepare(&Desk::over(inner.clone())).await;
    let failing: SharedStore = Arc::new(FailingStore::new(inner.clone(), after));
    let outcome = operation.run(&Desk::over(failing)).await;

    let left = stored(&inner).await;
    match &outcome {
        Ok(_) => assert_eq!(left, wanted, "{case}: it was acknowledged"),
        Err(err) => {
            assert!(matches!(err, RepositoryError::Store(_)), "{case}: {err}");
            assert_eq!(left, before, "{case}: it was not acknowledged");
        }
    }
    let wrong = violations(&*inner).await;
    let strays = wrong.iter().filter(|violation| violation.is_stray()).count();
    assert!(strays <= 1, "{case}: {wrong:?}");
    assert!(!wrong.iter().any(|it| matches!(it, Violation::Illegal { .. })), "{case}: {wrong:?}");
    if let Ok(Saved { mirror: MirrorStatus::Synced, .. }) = &outcome {
        assert_eq!(wrong, [], "{case}: the copies were called right");
    }

    let restarted = Desk::over(inner.clone());
    let status = restarted.numbers.sync(&id(), &named(&inner).await).await;
    assert_eq!(status, MirrorStatus::Synced, "{case}");
    assert_eq!(violations(&*inner).await, [], "{case}: after the restart");
    assert_eq!(stored(&inner).await, left, "{case}: the restart changes no number");
}

#[tokio::test]
async fn a_write_that_stops_anywhere_loses_nothing() {
    // All at once, since each waits for two seconds for the store to come back.
    let cases = Operation::ALL
        .into_iter()
        .flat_map(|operation| (0..=ENOUGH).map(move |after| interrupt(operation, after)));
    join_all(cases).await;
}

#[tokio::test]
async fn what_stopped_in_its_middle_can_be_done_again() {
    let inner = Desk::new().await.store;
    Desk::over(inner.clone()).create('a').await.unwrap();
    let failing: SharedStore = Arc::new(FailingStore::new(inner.clone(), 1));
    let moved = Desk::over(failing).hand_to('b').await.unwrap();
    assert_eq!(moved.mirror, MirrorStatus::Pending);
    let desk = Desk::over(inner);
    desk.hand_to('c').await.unwrap();
    assert_eq!(violations(&*desk.store).await, []);
    assert_eq!(desk.open().await.number.state, State::InService);
}
