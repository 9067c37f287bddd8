//! What changes of numbers cost, for the billing system to collect.
//!
//! A number's document carries its latest charge (`pvt_charge`), so the charge is stored when the
//! number is, at the same moment. The write set puts a copy of it, under its own id, into the
//! database of the month, where the billing system reads it; so a charge is there once, however
//! often the copying is tried, and a copy that is missing is made when the number is next looked
//! at. The next write of the number makes sure of the copy and then drops the member. A copy that
//! is deleted, or whose database is gone, was collected.

use serde_json::{Value, json};

use super::{NumberRepository, RepositoryError};
use crate::{
    domain::{Charge, E164, Money, from_gregorian_seconds},
    store::{Body, CommitError, DbName, Expect, Kind, Lookup, WRITE_ID, Write},
};

/// The member of a number that holds its charge until the copy is known to be there.
pub(super) const MEMBER: &str = "pvt_charge";
/// Where the names of the databases of charges begin.
pub(super) const PREFIX: &str = "number_manager_charges-";

/// A charge as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ChargeCopy {
    db: DbName,
    id: String,
    body: Body,
}

/// The member of a number's document for a charge that its write makes. `now` in Gregorian seconds.
pub(super) fn member(charge: &Charge, number: &E164, write_id: &str, now: i64) -> Value {
    let amount = |amount: Money| Value::from(amount.as_units());
    let line = |(item, price): &(crate::domain::Item, crate::domain::Price)| {
        json!({
            "category": item.category.as_str(),
            "item": item.name,
            "name": price.name,
            "quantity": 1,
            "one_time": amount(price.one_time),
            "monthly": amount(price.monthly),
        })
    };
    json!({
        "id": write_id,
        "number": number.as_str(),
        "account_id": charge.account.as_str(),
        "currency": charge.currency,
        "items": charge.lines.iter().map(line).collect::<Vec<_>>(),
        "created": now,
    })
}

impl ChargeCopy {
    /// The copy of the charge that a number's document holds, if it holds one.
    pub(super) fn of(number: &Body) -> Option<Self> {
        let Value::Object(charge) = number.get(MEMBER)? else { return None };
        let id = charge.get("id")?.as_str()?.to_owned();
        let created = from_gregorian_seconds(charge.get("created")?.as_i64()?)?;
        let mut body = Body::from_iter([("pvt_type".to_owned(), "number_charge".into())]);
        body.extend(
            charge.iter().filter(|(key, _)| *key != "id").map(|(k, v)| (k.clone(), v.clone())),
        );
        body.insert(WRITE_ID.to_owned(), id.as_str().into());
        let db = DbName::new(format!("{PREFIX}{}", created.strftime("%Y%m")));
        Some(Self { db, id, body })
    }

    /// Where it lies.
    pub(super) fn place(&self) -> (DbName, String) {
        (self.db.clone(), self.id.clone())
    }

    /// The write that makes it.
    pub(super) fn write(self) -> Write {
        Write::put(self.db, self.id, Expect::Absent, self.body)
    }
}

impl NumberRepository {
    /// Makes sure that the charge that a number's document holds has its copy.
    pub(super) async fn settle_charge(&self, number: &Body) -> Result<(), RepositoryError> {
        let Some(copy) = ChargeCopy::of(number) else { return Ok(()) };
        let (db, id) = copy.place();
        if self.store.get(&db, &id).await? != Lookup::Missing {
            return Ok(());
        }
        match self.store.commit(vec![copy.write()]).await {
            Ok(_) => Ok(()),
            // Made by somebody else, or collected and gone.
            Err(CommitError { error, .. })
                if matches!(error.kind, Kind::Conflict | Kind::NoDatabase) =>
            {
                Ok(())
            }
            Err(CommitError { error, .. }) => Err(error.into()),
        }
    }

    /// Makes sure that the database of a charge's copy is there, once per month and process: later
    /// on a missing one means that it was dropped.
    pub(super) async fn open_month(&self, number: &Body) -> Result<(), RepositoryError> {
        let Some(ChargeCopy { db, .. }) = ChargeCopy::of(number) else { return Ok(()) };
        let known = || self.month.lock().expect("no panic while holding this lock");
        if known().as_ref() != Some(&db) {
            self.store.create_database(&db).await?;
            *known() = Some(db);
        }
        Ok(())
    }
}
