//! What is being bought at outside carriers: written down before the carrier is asked, so that
//! nothing is paid for that nobody knows of.

use serde_json::{Value, json};

use super::{NumberRepository, OWN_DATABASE, OpenPage, RepositoryError, write_id};
use crate::{
    domain::{AccountId, CarrierName, E164, State},
    store::{Body, DbName, Document, Expect, Kind, Rev, WRITE_ID, Write},
};

/// What the ids begin with; the number follows.
const PREFIX: &str = "purchase:";

/// A number that is being bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// The number.
    pub number: E164,
    /// Who sells it.
    pub carrier: CarrierName,
    /// The account that is to have it.
    pub account: AccountId,
    /// The state that it is to be in.
    pub state: State,
    /// Our own name for the purchase, which the carrier is told where it has a place for it.
    pub reference: String,
    /// Whether the carrier has sold it.
    pub is_bought: bool,
    /// What the carrier needs to know; what is to be kept of it once it is sold.
    pub data: Option<Value>,
    /// When that was written, in Gregorian seconds.
    pub modified: i64,
    /// How often it was asked about in vain, since nobody knows how it ended.
    pub tries: u32,
    /// Why, the last time.
    pub reason: Option<String>,
    rev: Option<Rev>,
}

impl Purchase {
    /// A purchase that begins.
    #[must_use]
    pub fn begin(
        number: E164,
        carrier: CarrierName,
        account: AccountId,
        state: State,
        data: Option<Value>,
    ) -> Self {
        Self {
            number,
            carrier,
            account,
            state,
            reference: write_id(),
            is_bought: false,
            data,
            modified: 0,
            tries: 0,
            reason: None,
            rev: None,
        }
    }

    /// This purchase in place of an earlier one of the number, of which nobody knows how it ended.
    /// At the same carrier it is the same purchase to it.
    #[must_use]
    pub fn in_place_of(self, earlier: Self) -> Self {
        let is_same = earlier.carrier == self.carrier;
        let reference = if is_same { earlier.reference } else { self.reference };
        Self { reference, rev: earlier.rev, ..self }
    }

    /// The same purchase, asked about in vain.
    #[must_use]
    pub fn in_doubt(self, reason: String) -> Self {
        Self { tries: self.tries.saturating_add(1), reason: Some(reason), ..self }
    }

    /// The same purchase, once the carrier has sold.
    #[must_use]
    pub fn bought(self, data: Option<Value>) -> Self {
        Self { is_bought: true, data, ..self }
    }

    fn id(number: &E164) -> String {
        format!("{PREFIX}{number}")
    }

    fn encode(&self) -> Body {
        let members = json!({
            "pvt_type": "purchase",
            "number": self.number.as_str(),
            "carrier": self.carrier.as_str(),
            "account": self.account.as_str(),
            "state": self.state.as_str(),
            "reference": self.reference,
            "is_bought": self.is_bought,
            "carrier_data": self.data,
            "tries": self.tries,
            "reason": self.reason,
            "pvt_modified": self.modified,
            WRITE_ID: write_id(),
        });
        let Value::Object(body) = members else { unreachable!("written as an object above") };
        body
    }

    fn decode(found: Document) -> Result<Self, RepositoryError> {
        let body = &found.body;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let read = || {
            Some(Self {
                number: E164::parse(text("number")?).ok()?,
                carrier: CarrierName::read(text("carrier")?)?,
                account: AccountId::parse(text("account")?).ok()?,
                state: State::parse(text("state")?).ok()?,
                reference: text("reference")?.to_owned(),
                is_bought: body.get("is_bought")?.as_bool()?,
                data: body.get("carrier_data").filter(|data| !data.is_null()).cloned(),
                modified: body.get("pvt_modified")?.as_i64()?,
                tries: u32::try_from(body.get("tries")?.as_u64()?).ok()?,
                reason: text("reason").map(str::to_owned),
                rev: Some(found.rev.clone()),
            })
        };
        read().ok_or(RepositoryError::Conflict { id: found.id })
    }
}

impl NumberRepository {
    /// The purchase of a number that is under way, or was not finished.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when it cannot be read, and [`RepositoryError::Store`].
    pub async fn purchase(&self, number: &E164) -> Result<Option<Purchase>, RepositoryError> {
        let id = Purchase::id(number);
        let Some(found) = self.store.get(&DbName::new(OWN_DATABASE), &id).await?.live() else {
            return Ok(None);
        };
        Purchase::decode(found).map(Some)
    }

    /// A page of the purchases that are under way or were not finished, by number, behind `after`.
    /// And where the next page goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`]. One that cannot be read is a [`RepositoryError::Conflict`] of its
    /// own.
    pub async fn open_purchases(
        &self,
        after: Option<&E164>,
        limit: usize,
    ) -> Result<OpenPage<Purchase>, RepositoryError> {
        self.open_matters(PREFIX, after, limit, Purchase::decode).await
    }

    /// Writes a purchase down.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else buys the number.
    pub async fn keep_purchase(&self, mut purchase: Purchase) -> Result<Purchase, RepositoryError> {
        purchase.modified = self.now();
        let expect = purchase.rev.clone().map_or(Expect::Absent, Expect::At);
        let id = Purchase::id(&purchase.number);
        let write = Write::put(DbName::new(OWN_DATABASE), id.as_str(), expect, purchase.encode());
        match self.store.commit(vec![write]).await {
            Ok(done) => Ok(Purchase { rev: done.revs.into_iter().next(), ..purchase }),
            Err(err) if err.error.kind == Kind::Conflict => Err(RepositoryError::Conflict { id }),
            Err(err) => Err(err.error.into()),
        }
    }

    /// Strikes a purchase out that is finished or came to nothing.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when it was changed since, and [`RepositoryError::Store`].
    pub async fn end_purchase(&self, purchase: Purchase) -> Result<(), RepositoryError> {
        let Some(rev) = purchase.rev else {
            return Ok(());
        };
        let id = Purchase::id(&purchase.number);
        let tombstone = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
        let delete = Write::delete(DbName::new(OWN_DATABASE), id.as_str(), rev, tombstone);
        match self.store.commit(vec![delete]).await {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => Err(RepositoryError::Conflict { id }),
            Err(err) => Err(err.error.into()),
        }
    }
}
