//! The copies of numbers in account databases, through every kind of write.

use std::{collections::BTreeSet, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use number_manager::{
    domain::{
        AccountId, Actor, CarrierName, E164, FixedClock, Number, State, account_database,
        number_database,
    },
    repository::{
        MirrorStatus, NumberRepository, Opened, RepositoryError, Saved, SettingsRepository, Stored,
    },
    store::{Body, DbName, Document, Expect, Lookup, SharedStore, Write, sqlite::SqliteStore},
};
use serde_json::{Value, json};

use crate::support::invariants::{Violation, violations};

/// A repository over a store with the databases of the accounts `a`, `b`, `c` and `d`.
pub(crate) struct Desk {
    pub(crate) store: SharedStore,
    pub(crate) numbers: NumberRepository,
    clock: Arc<FixedClock>,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        for letter in ['a', 'b', 'c', 'd'] {
            store.create_database(&account_db(&account(letter))).await.unwrap();
        }
        store.create_database(&numbers_db()).await.unwrap();
        Self::over(store)
    }

    /// A repository of its own over a store that is there already.
    pub(crate) fn over(store: SharedStore) -> Self {
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        let settings = SettingsRepository::new(store.clone());
        let numbers = NumberRepository::new(store.clone(), clock.clone(), settings);
        Self { store, numbers, clock }
    }

    /// Makes the number for an account, in service.
    pub(crate) async fn create(&self, owner: char) -> Result<Saved, RepositoryError> {
        let owner = account(owner);
        let Opened::Vacant(vacancy) = self.numbers.open(&id(), &[&owner]).await? else {
            panic!("there is a number already");
        };
        let mut number = in_service(&id(), self.numbers.now());
        number.set_owner(Some(owner));
        self.numbers.save(vacancy.fill(number)).await
    }

    pub(crate) async fn open(&self) -> Stored {
        self.open_beside(&[]).await
    }

    async fn open_beside(&self, accounts: &[&AccountId]) -> Stored {
        match self.numbers.open(&id(), accounts).await.unwrap() {
            Opened::Found(stored) => *stored,
            Opened::Vacant(_) => panic!("there is no number"),
        }
    }

    /// Gives the number to another account.
    pub(crate) async fn hand_to(&self, owner: char) -> Result<Saved, RepositoryError> {
        let mut stored = self.open().await;
        stored.number.set_owner(Some(account(owner)));
        self.numbers.save(stored).await
    }

    /// Takes the number from its owner and lets it age.
    pub(crate) async fn release(&self) -> Result<Saved, RepositoryError> {
        self.clock.advance(SignedDuration::from_secs(60));
        let mut stored = self.open().await;
        stored.number.set_owner(None);
        stored.number.enter(State::Aging, self.numbers.now());
        self.numbers.save(stored).await
    }

    /// Changes what is written on the number.
    pub(crate) async fn write_on(&self, text: &str) -> Result<Saved, RepositoryError> {
        let mut stored = self.open().await;
        stored.number.public.insert("note".to_owned(), json!(text));
        self.numbers.save(stored).await
    }

    /// Makes the number for `a`, or gives it to it.
    pub(crate) async fn make_for_a(&self) {
        match self.numbers.open(&id(), &[]).await.unwrap() {
            Opened::Vacant(_) => drop(self.create('a').await.unwrap()),
            Opened::Found(mut stored) => {
                stored.number.set_owner(Some(account('a')));
                stored.number.enter(State::InService, self.numbers.now());
                self.numbers.save(*stored).await.unwrap();
            }
        }
    }

    /// Counts one change more on the number, and gives it to this account.
    pub(crate) async fn count_up(&self, owner: char) -> Result<Saved, RepositoryError> {
        let Opened::Found(mut stored) = self.numbers.open(&id(), &[]).await? else {
            panic!("there is no number");
        };
        let count = stored.number.public.get("count").and_then(Value::as_u64).unwrap_or_default();
        stored.number.public.insert("count".to_owned(), json!(count + 1));
        stored.number.set_owner(Some(account(owner)));
        self.numbers.save(*stored).await
    }

    async fn lookup(&self, db: &DbName) -> Lookup {
        self.store.get(db, id().as_str()).await.unwrap()
    }

    async fn number_document(&self) -> Document {
        self.lookup(&numbers_db()).await.live().unwrap()
    }

    async fn copy_of(&self, owner: char) -> Option<Document> {
        self.lookup(&account_db(&account(owner))).await.live()
    }

    /// Writes a document over what an account's database holds, behind everybody's back.
    async fn plant(&self, owner: char, body: serde_json::Value) {
        let db = account_db(&account(owner));
        let expect = match self.lookup(&db).await {
            Lookup::Live(document) => Expect::At(document.rev),
            Lookup::Deleted(_) | Lookup::Missing => Expect::Absent,
        };
        let body: Body = serde_json::from_value(body).unwrap();
        self.store.commit(vec![Write::put(db, id().as_str(), expect, body)]).await.unwrap();
    }

    async fn take_copy_away(&self, owner: char) {
        let copy = self.copy_of(owner).await.unwrap();
        let db = account_db(&account(owner));
        self.store.commit(vec![Write::delete(db, copy.id, copy.rev, Body::new())]).await.unwrap();
    }

    #[track_caller]
    fn check(&self, owner: Option<char>) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            assert_eq!(violations(&*self.store).await, [], "{caller}");
            let document = self.number_document().await;
            let stored = document.body.get("pvt_assigned_to").cloned();
            assert_eq!(stored, owner.map(|owner| json!(account(owner).as_str())), "{caller}");
        }
    }
}

pub(crate) fn account(letter: char) -> AccountId {
    AccountId::parse(&letter.to_string().repeat(32)).unwrap()
}

pub(crate) fn id() -> E164 {
    E164::parse("+14158867900").unwrap()
}

pub(crate) fn numbers_db() -> DbName {
    DbName::new(number_database(&id()))
}

pub(crate) fn account_db(account: &AccountId) -> DbName {
    DbName::new(account_database(account))
}

pub(crate) fn in_service(id: &E164, now: i64) -> Number {
    let carrier = CarrierName::read("knm_telnyx").unwrap();
    Number::new(id.clone(), State::InService, carrier, &Actor::operator(), now)
}

#[track_caller]
fn assert_conflict(outcome: Result<Saved, RepositoryError>) {
    match outcome {
        Err(RepositoryError::Conflict { id: conflicting }) => {
            assert_eq!(conflicting, id().as_str());
        }
        other => panic!("{other:?} is no conflict"),
    }
}

#[tokio::test]
async fn every_write_leaves_one_number_and_one_equal_copy() {
    let desk = Desk::new().await;
    let created = desk.create('a').await.unwrap();
    assert_eq!(created.mirror, MirrorStatus::Synced);
    desk.check(Some('a')).await;
    desk.write_on("first").await.unwrap();
    desk.check(Some('a')).await;
    desk.hand_to('b').await.unwrap();
    desk.check(Some('b')).await;
    desk.release().await.unwrap();
    desk.check(None).await;
    desk.numbers.delete(desk.open().await).await.unwrap();
    assert_eq!(violations(&*desk.store).await, []);
    assert!(matches!(desk.lookup(&numbers_db()).await, Lookup::Deleted(_)));
}

#[tokio::test]
async fn a_number_that_comes_back_leaves_nothing_behind() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    let back = desk.hand_to('a').await.unwrap();
    desk.check(Some('a')).await;
    assert_eq!(back.number.previous_owner, Some(account('b')));
}

#[tokio::test]
async fn a_deleted_number_leaves_no_copy_and_says_who_had_it() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    desk.plant('a', json!({"pvt_state": "in_service"})).await;
    desk.numbers.delete(desk.open().await).await.unwrap();
    assert_eq!(violations(&*desk.store).await, []);
    let Lookup::Deleted(tombstone) = desk.lookup(&numbers_db()).await else {
        panic!("the number is not deleted");
    };
    assert_eq!(tombstone.body["pvt_assigned_to"], account('b').as_str());
    assert_eq!(tombstone.body["pvt_previously_assigned_to"], account('a').as_str());
}

#[tokio::test]
async fn a_new_number_follows_what_a_deleted_one_left() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    desk.numbers.delete(desk.open().await).await.unwrap();
    desk.plant('a', json!({"pvt_state": "in_service"})).await;
    desk.plant('b', json!({"pvt_state": "in_service"})).await;
    let created = desk.create('c').await.unwrap();
    desk.check(Some('c')).await;
    assert_eq!(created.number.previous_owner, Some(account('b')));
}

#[tokio::test]
async fn a_new_number_of_its_last_owner_has_no_other() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    desk.numbers.delete(desk.open().await).await.unwrap();
    desk.plant('a', json!({"pvt_state": "in_service"})).await;
    let created = desk.create('b').await.unwrap();
    desk.check(Some('b')).await;
    assert_eq!(created.number.previous_owner, None);
}

#[tokio::test]
async fn a_copy_at_the_account_that_asks_is_found() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.plant('c', json!({"pvt_state": "in_service"})).await;
    let mut stored = desk.open_beside(&[&account('c')]).await;
    assert_eq!(NumberRepository::drift(&stored), ["extra"]);
    stored.number.set_owner(Some(account('b')));
    desk.numbers.save(stored).await.unwrap();
    desk.check(Some('b')).await;
}

#[tokio::test]
async fn the_last_owners_copy_goes_before_its_name_is_replaced() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    desk.plant('a', json!({"pvt_state": "in_service"})).await;
    let moved = desk.hand_to('c').await.unwrap();
    assert_eq!(moved.number.previous_owner, Some(account('b')));
    desk.check(Some('c')).await;
}

/// Somebody else gives the number back to its last owner while it is about to be moved on.
#[tokio::test]
async fn an_account_that_has_it_again_keeps_its_copy() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.hand_to('b').await.unwrap();
    let mut late = desk.open().await;
    late.number.set_owner(Some(account('c')));
    desk.hand_to('a').await.unwrap();
    assert_conflict(desk.numbers.save(late).await);
    desk.check(Some('a')).await;
}

#[tokio::test]
async fn saving_what_was_not_changed_repairs_the_copy_and_nothing_else() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    let before = desk.number_document().await;

    desk.take_copy_away('a').await;
    let saved = desk.numbers.save(desk.open().await).await.unwrap();
    assert_eq!(saved.mirror, MirrorStatus::Synced);
    desk.check(Some('a')).await;

    desk.plant('a', json!({"pvt_state": "reserved", "pvt_assigned_to": account('a').as_str()}))
        .await;
    desk.numbers.save(desk.open().await).await.unwrap();
    desk.check(Some('a')).await;
    assert_eq!(desk.number_document().await, before);
}

#[tokio::test]
async fn a_copy_that_is_right_is_not_written_again() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    let before = desk.copy_of('a').await;
    desk.numbers.save(desk.open().await).await.unwrap();
    assert_eq!(desk.copy_of('a').await, before);
}

#[tokio::test]
async fn a_lost_race_writes_nothing() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    let mut late = desk.open().await;
    desk.write_on("winner").await.unwrap();
    let before = (desk.number_document().await, desk.copy_of('a').await);
    late.number.set_owner(Some(account('b')));
    assert_conflict(desk.numbers.save(late.clone()).await);
    assert_conflict(desk.numbers.delete(late.clone()).await);
    let mut many = desk.numbers.save_many(vec![late]).await;
    assert_conflict(many.remove(0));
    assert_eq!((desk.number_document().await, desk.copy_of('a').await), before);
    assert!(desk.copy_of('b').await.is_none());
}

#[tokio::test]
async fn two_creations_of_one_number_do_not_both_succeed() {
    let desk = Desk::new().await;
    let Opened::Vacant(vacancy) = desk.numbers.open(&id(), &[]).await.unwrap() else {
        panic!("there is a number already");
    };
    desk.create('a').await.unwrap();
    let mut number = in_service(&id(), 0);
    number.set_owner(Some(account('b')));
    assert_conflict(desk.numbers.save(vacancy.fill(number)).await);
    desk.check(Some('a')).await;
}

#[tokio::test]
async fn a_copy_that_somebody_else_changed_is_no_conflict() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    let mut stored = desk.open().await;
    desk.plant('a', json!({"pvt_state": "aging"})).await;
    stored.number.public.insert("note".to_owned(), json!("mine"));
    let saved = desk.numbers.save(stored).await.unwrap();
    assert_eq!(saved.mirror, MirrorStatus::Synced);
    desk.check(Some('a')).await;

    let mut many = vec![desk.open().await];
    desk.plant('a', json!({"pvt_state": "aging"})).await;
    many[0].number.set_carrier(CarrierName::local());
    desk.numbers.save_many(many).await.remove(0).unwrap();
    desk.check(Some('a')).await;
}

#[tokio::test]
async fn no_copy_is_touched_of_a_number_that_cannot_be_read() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    let number = desk.number_document().await;
    let copy = desk.copy_of('a').await;
    let mut body = number.body;
    body.insert("pvt_state".to_owned(), json!("nonsense"));
    let write = Write::put(numbers_db(), number.id, Expect::At(number.rev), body);
    desk.store.commit(vec![write]).await.unwrap();
    let status = desk.numbers.sync(&id(), &BTreeSet::from([account('a')])).await;
    assert_eq!(status, MirrorStatus::Pending);
    assert_eq!(desk.copy_of('a').await, copy);
}

#[tokio::test]
async fn an_account_without_a_database_has_no_copy_and_holds_nobody_up() {
    let desk = Desk::new().await;
    let saved = desk.create('e').await.unwrap();
    assert_eq!(saved.mirror, MirrorStatus::Pending);
    let missing = Violation::Missing { id: id().to_string(), owner: account('e').to_string() };
    assert_eq!(violations(&*desk.store).await, [missing]);
}

/// The checks find what they are for.
#[tokio::test]
async fn violations_are_found() {
    let desk = Desk::new().await;
    desk.create('a').await.unwrap();
    desk.plant('a', json!({"pvt_state": "in_service"})).await;
    desk.plant('b', json!({"pvt_state": "in_service"})).await;
    let other = Write::put(
        numbers_db(),
        "+14998867900",
        Expect::Absent,
        serde_json::from_value(json!({"pvt_state": "reserved"})).unwrap(),
    );
    desk.store.commit(vec![other]).await.unwrap();
    let (number, other) = (id().to_string(), "+14998867900".to_owned());
    let stray = account_db(&account('b')).to_string();
    let expected = [
        Violation::Unequal { id: number.clone(), owner: account('a').to_string() },
        Violation::WrongDatabase { id: other.clone(), database: "numbers/+1415".to_owned() },
        Violation::Illegal { id: other, state: "reserved".to_owned(), owner: None },
        Violation::Stray { id: number, database: stray },
    ];
    assert_eq!(violations(&*desk.store).await, expected);
}
