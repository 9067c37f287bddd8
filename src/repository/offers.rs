//! What was offered to whom: kept for a while, so that any replica can sell what any replica found.
//!
//! The databases are dated and dropped whole, since CouchDB never forgets a deleted document.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{NumberRepository, RepositoryError, write_id};
use crate::{
    domain::{AccountId, CarrierName, E164, from_gregorian_seconds},
    store::{
        Body, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Query, Question, WRITE_ID,
        Write,
    },
};

/// What the names of the databases begin with; the day follows.
pub(super) const DATABASES: &str = "number_manager_offers-";
/// The seconds of a day.
const DAY: i64 = 86_400;
/// The name in place of an account's where the operator looked.
const OPERATOR: &str = "system";
/// How many offers of one number are looked at.
const PAGE: usize = 1000;

/// A number that was offered.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The number.
    pub number: E164,
    /// Who has it.
    pub carrier: CarrierName,
    /// What the carrier needs to know again.
    pub data: Option<Value>,
    /// The account that it was found for; `None` for the operator.
    pub account: Option<AccountId>,
    /// The reseller whose carriers were asked.
    pub reseller: Option<AccountId>,
    /// When, in Gregorian seconds.
    pub found: i64,
}

impl Offer {
    fn id(&self) -> String {
        let account = self.account.as_ref().map_or(OPERATOR, AccountId::as_str);
        format!("{}:{account}", self.number)
    }

    fn encode(&self) -> Body {
        let members = json!({
            "pvt_type": "offer",
            "number": self.number.as_str(),
            "carrier": self.carrier.as_str(),
            "carrier_data": self.data,
            "account": self.account.as_ref().map(AccountId::as_str),
            "reseller": self.reseller.as_ref().map(AccountId::as_str),
            "found": self.found,
            WRITE_ID: write_id(),
        });
        let Value::Object(body) = members else { unreachable!("written as an object above") };
        body
    }

    fn decode(body: &Body) -> Option<Self> {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let account = |key: &str| text(key).map(AccountId::parse).transpose().ok();
        Some(Self {
            number: E164::parse(text("number")?).ok()?,
            carrier: CarrierName::read(text("carrier")?)?,
            data: body.get("carrier_data").filter(|data| !data.is_null()).cloned(),
            account: account("account")?,
            reseller: account("reseller")?,
            found: body.get("found")?.as_i64()?,
        })
    }

    /// Whether another offer says the same, whenever it was found.
    fn says_as(&self, other: &Self) -> bool {
        *self == Self { found: self.found, ..other.clone() }
    }
}

impl NumberRepository {
    /// Keeps offers. One that is kept already and has more than half of `ttl` seconds before it is
    /// not written again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn keep_offers(&self, offers: &[Offer], ttl: i64) -> Result<(), RepositoryError> {
        if offers.is_empty() {
            return Ok(());
        }
        let db = offers_of(self.now());
        let ids: Vec<String> = offers.iter().map(Offer::id).collect();
        let mut sets = Vec::new();
        for (offer, found) in offers.iter().zip(self.store.get_many(&db, &ids).await?) {
            let expect = match found {
                Lookup::Live(kept) => {
                    let lasts = |kept: &Offer| kept.found > offer.found - ttl / 2;
                    if Offer::decode(&kept.body).is_some_and(|it| lasts(&it) && it.says_as(offer)) {
                        continue;
                    }
                    Expect::At(kept.rev)
                }
                Lookup::Deleted(_) | Lookup::Missing => Expect::Absent,
            };
            sets.push(vec![Write::put(db.clone(), offer.id(), expect, offer.encode())]);
        }
        let outcomes = self.store.commit_many(sets.clone()).await;
        let gone = |kind: Kind| kind == Kind::NoDatabase;
        let outcomes = if outcomes.iter().any(|it| it.as_ref().is_err_and(|it| gone(it.error.kind)))
        {
            self.begin_day(&db).await?;
            self.store.commit_many(sets).await
        } else {
            outcomes
        };
        for outcome in outcomes {
            match outcome {
                // Another replica offers the same at this moment.
                Err(err) if err.error.kind == Kind::Conflict => (),
                Err(err) => return Err(err.error.into()),
                Ok(_) => (),
            }
        }
        Ok(())
    }

    /// The offers of a number in the last `ttl` seconds, newest first.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn offers(&self, number: &E164, ttl: i64) -> Result<Vec<Offer>, RepositoryError> {
        let now = self.now();
        let mut offers = Vec::new();
        for db in [offers_of(now), offers_of(now - DAY)] {
            let query = Query {
                question: Question::All,
                range: IdRange::starting_with(&format!("{number}:")),
                order: Order::Ascending,
                after: None,
                limit: PAGE,
            };
            let page = match self.store.query(&db, &query).await {
                Err(err) if err.kind == Kind::NoDatabase => continue,
                page => page?,
            };
            let read = |document: Document| Offer::decode(&document.body);
            offers.extend(page.documents.into_iter().filter_map(read));
        }
        offers.retain(|offer| offer.found > now - ttl);
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.found));
        Ok(offers)
    }

    /// Makes the database of a day that has begun, and drops those that nobody reads any more.
    async fn begin_day(&self, db: &DbName) -> Result<(), RepositoryError> {
        self.store.create_database(db).await?;
        let oldest = oldest_kept(self.now());
        for old in self.store.databases(DATABASES).await? {
            if old < oldest {
                self.store.drop_database(&old).await?;
            }
        }
        Ok(())
    }
}

/// The oldest database that is read at a time in Gregorian seconds.
pub(super) fn oldest_kept(now: i64) -> DbName {
    offers_of(now - DAY)
}

/// The database of the day that `time`, in Gregorian seconds, lies in.
fn offers_of(time: i64) -> DbName {
    let time = from_gregorian_seconds(time).unwrap_or_default();
    DbName::new(format!("{DATABASES}{}", time.to_zoned(TimeZone::UTC).strftime("%Y%m%d")))
}
