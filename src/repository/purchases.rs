//! What is being bought at outside carriers: written down before the carrier is asked, so that
//! nothing is paid for that nobody knows of.

use serde_json::{Value, json};

use super::{NumberRepository, OWN_DATABASE, RepositoryError, write_id};
use crate::{
    domain::{AccountId, CarrierName, E164},
    store::{Body, DbName, Expect, Kind, Rev, WRITE_ID, Write},
};

/// A number that is being bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Purchase {
    /// The number.
    pub number: E164,
    /// Who sells it.
    pub carrier: CarrierName,
    /// The account that is to have it.
    pub account: AccountId,
    /// Whether the carrier has sold it.
    pub is_bought: bool,
    /// What is to be kept of it.
    pub data: Option<Value>,
    /// When that was written, in Gregorian seconds.
    pub modified: i64,
    rev: Option<Rev>,
}

impl Purchase {
    /// A purchase that begins.
    #[must_use]
    pub fn begin(number: E164, carrier: CarrierName, account: AccountId) -> Self {
        Self { number, carrier, account, is_bought: false, data: None, modified: 0, rev: None }
    }

    /// The same purchase, tried again at this carrier for this account.
    #[must_use]
    pub fn again(self, carrier: CarrierName, account: AccountId) -> Self {
        Self { carrier, account, ..self }
    }

    /// The same purchase, once the carrier has sold.
    #[must_use]
    pub fn bought(self, data: Option<Value>) -> Self {
        Self { is_bought: true, data, ..self }
    }

    fn id(number: &E164) -> String {
        format!("purchase:{number}")
    }

    fn encode(&self) -> Body {
        let members = json!({
            "pvt_type": "purchase",
            "number": self.number.as_str(),
            "carrier": self.carrier.as_str(),
            "account": self.account.as_str(),
            "is_bought": self.is_bought,
            "carrier_data": self.data,
            "pvt_modified": self.modified,
            WRITE_ID: write_id(),
        });
        let Value::Object(body) = members else { unreachable!("written as an object above") };
        body
    }

    fn decode(body: &Body, rev: Rev) -> Option<Self> {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        Some(Self {
            number: E164::parse(text("number")?).ok()?,
            carrier: CarrierName::read(text("carrier")?)?,
            account: AccountId::parse(text("account")?).ok()?,
            is_bought: body.get("is_bought")?.as_bool()?,
            data: body.get("carrier_data").filter(|data| !data.is_null()).cloned(),
            modified: body.get("pvt_modified")?.as_i64()?,
            rev: Some(rev),
        })
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
        let purchase = Purchase::decode(&found.body, found.rev);
        purchase.map(Some).ok_or(RepositoryError::Conflict { id })
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
