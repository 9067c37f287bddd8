//! The carriers' own stock: numbers that were made for an account.
//!
//! A stock document says who has the right to take a number (`pvt_account_id`), and by whom it is
//! claimed. Owner and state are the number document's, and what stock says of them follows from it; a
//! claim only keeps two accounts from trying at the same time.

use serde_json::{Value, json};

use super::{
    Look, NumberRepository, RepositoryError,
    available::Standing,
    codec::{self, Owners},
    write_id,
};
use crate::{
    domain::{AccountId, CarrierName, E164, Number, Prefix, State, number_database},
    store::{
        Body, CommitError, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Query, Question,
        Rev, WRITE_ID, Write,
    },
};

/// How many documents are read at once.
const PAGE: usize = 500;

/// A number in a carrier's stock, as its document was read.
#[derive(Clone, Debug, PartialEq)]
pub struct StockItem {
    /// The number.
    pub number: E164,
    /// The account that may take it, and whose customers may; `None` for nobody.
    pub right: Option<AccountId>,
    /// Who claimed it.
    pub holder: Option<AccountId>,
    /// When the document was last changed, in Gregorian seconds.
    pub modified: i64,
    state: String,
    db: DbName,
    rev: Rev,
    body: Body,
}

/// Who has a number, as far as stock has to say so.
#[derive(Clone, Debug)]
pub(super) enum Tenure {
    /// This account, from this carrier and in this state.
    Held(CarrierName, AccountId, State),
    /// Nobody. These had it last, from this carrier; of a deleted number nobody knows from which.
    Free(Option<CarrierName>, Owners),
    /// There never was such a number.
    Unknown,
}

/// What became of a number that was to be generated.
#[derive(Debug)]
pub enum Generated {
    /// It is in stock now.
    Made,
    /// It was there already, and stays as it is.
    Existed,
    /// It could not be stored.
    Failed(RepositoryError),
}

impl StockItem {
    pub(super) fn read(db: &DbName, document: Document) -> Option<Self> {
        let number = E164::parse(&document.id).ok()?;
        let text = |key: &str| document.body.get(key).and_then(Value::as_str);
        let account = |key: &str| text(key).and_then(|text| AccountId::parse_any(text).ok());
        Some(Self {
            number,
            right: account("pvt_account_id"),
            holder: account("pvt_assigned_to"),
            modified: document.body.get("pvt_modified").and_then(Value::as_i64).unwrap_or(0),
            state: text("pvt_state").unwrap_or_default().to_owned(),
            db: db.clone(),
            rev: document.rev,
            body: document.body,
        })
    }

    /// Whether it is as it was made. Other programs leave what was given back as `released`.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.holder.is_none() && matches!(self.state.as_str(), "available" | "released")
    }

    /// Whether somebody is taking it at this moment, where it is not stored as a number: a claim
    /// that is older than `ttl` seconds led to nothing.
    #[must_use]
    pub fn is_claimed(&self, now: i64, ttl: i64) -> bool {
        match self.holder {
            Some(_) => self.modified > now - ttl,
            None => !self.is_untouched(),
        }
    }

    /// Whether it says what the number says. Where that is another carrier's, or was never stored,
    /// only a claim can be wrong.
    pub(super) fn agrees(&self, tenure: &Tenure) -> bool {
        if !tenure.concerns(self.db.as_str()) {
            return true;
        }
        match tenure {
            Tenure::Held(_, owner, state) => {
                self.holder.as_ref() == Some(owner) && self.state == state.as_str()
            }
            Tenure::Free(Some(_), _) => self.is_untouched(),
            Tenure::Free(None, _) | Tenure::Unknown => self.holder.is_none(),
        }
    }
}

impl Tenure {
    /// As a number's document says it.
    pub(super) fn of(number: &Number) -> Self {
        let carrier = number.carrier.clone();
        if let Some(owner) = number.owner.clone() {
            return Self::Held(carrier, owner, number.state);
        }
        let previous_owner = number.previous_owner.clone();
        Self::Free(Some(carrier), Owners { owner: None, previous_owner })
    }

    /// Whether what lies in this stock has to say it.
    pub(super) fn concerns(&self, stock: &str) -> bool {
        match self {
            Self::Held(carrier, ..) | Self::Free(Some(carrier), _) => {
                carrier.stock() == Some(stock)
            }
            Self::Free(None, _) | Self::Unknown => true,
        }
    }

    /// Whether this account had the number last.
    fn was_of(&self, account: &AccountId) -> bool {
        match self {
            Self::Free(_, Owners { owner, previous_owner }) => {
                [owner, previous_owner].into_iter().flatten().any(|had| had == account)
            }
            Self::Held(..) | Self::Unknown => false,
        }
    }
}

impl NumberRepository {
    /// What a carrier has in stock under a number.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn in_stock(
        &self,
        carrier: &CarrierName,
        number: &E164,
    ) -> Result<Option<StockItem>, RepositoryError> {
        let Some(db) = carrier.stock().map(DbName::new) else {
            return Ok(None);
        };
        let found = self.store.get(&db, number.as_str()).await?.live();
        Ok(found.and_then(|document| StockItem::read(&db, document)))
    }

    /// The lowest numbers in a carrier's stock under a prefix that were made for this account and
    /// that nobody has, at most `limit` of them; each with whether it is stored as a number already.
    /// A claim that led to no number counts for `claim_ttl` seconds.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn stock_for(
        &self,
        carrier: &CarrierName,
        account: &AccountId,
        prefix: &Prefix,
        claim_ttl: i64,
        limit: usize,
    ) -> Result<Vec<(StockItem, bool)>, RepositoryError> {
        let Some(db) = carrier.stock().map(DbName::new) else {
            return Ok(Vec::new());
        };
        let (question, order) = (Question::All, Order::Ascending);
        let range = IdRange::starting_with(prefix.as_str());
        let mut query = Query { question, range, order, after: None, limit: PAGE };
        let mut found = Vec::new();
        loop {
            let page = match self.store.query(&db, &query).await {
                Err(err) if err.kind == Kind::NoDatabase => return Ok(found),
                page => page?,
            };
            let items = page.documents.into_iter().filter_map(|it| StockItem::read(&db, it));
            let items: Vec<_> = items.filter(|it| it.right.as_ref() == Some(account)).collect();
            let ids: Vec<E164> = items.iter().map(|item| item.number.clone()).collect();
            for (item, standing) in items.into_iter().zip(self.standing(&ids).await?) {
                // Owner and state are the number document's, once there is one.
                let is_free = match standing {
                    Standing::Free => true,
                    Standing::Taken => false,
                    Standing::Absent => !item.is_claimed(self.now(), claim_ttl),
                };
                if is_free && found.len() < limit {
                    found.push((item, standing == Standing::Free));
                }
            }
            query.after = page.next;
            if query.after.is_none() || found.len() >= limit {
                return Ok(found);
            }
        }
    }

    /// Claims what is in stock for an account that takes the number into `state`.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when the document was changed since it was read.
    pub async fn claim_stock(
        &self,
        item: &StockItem,
        carrier: &CarrierName,
        holder: &AccountId,
        state: State,
    ) -> Result<(), RepositoryError> {
        let mut body = item.body.clone();
        body.insert("pvt_state".to_owned(), state.as_str().into());
        body.insert("pvt_assigned_to".to_owned(), holder.as_str().into());
        body.insert("pvt_module_name".to_owned(), carrier.as_str().into());
        self.put_stock(item, body).await
    }

    /// Gives what was claimed back to the stock.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when the document was changed since it was read.
    pub async fn return_stock(&self, item: &StockItem) -> Result<(), RepositoryError> {
        let mut body = item.body.clone();
        body.insert("pvt_state".to_owned(), State::Available.as_str().into());
        body.shift_remove("pvt_assigned_to");
        self.put_stock(item, body).await
    }

    /// Makes what carriers have in stock under a number say what the number says. The number is read
    /// after its stock, so what says otherwise is never older. A claim stays for as long as it counts,
    /// unless it is what the last owner left.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else wrote, [`RepositoryError::Undecodable`],
    /// [`RepositoryError::Settings`], [`RepositoryError::Store`].
    pub async fn settle_stock(&self, id: &E164) -> Result<Look, RepositoryError> {
        let mut settled = Look::Right;
        for carrier in CarrierName::stocked() {
            let Some(item) = self.in_stock(&carrier, id).await? else { continue };
            let tenure = self.tenure(id).await?;
            if item.agrees(&tenure) {
                continue;
            }
            if let Tenure::Held(carrier, owner, state) = &tenure {
                self.claim_stock(&item, carrier, owner, *state).await?;
            } else if self.is_being_taken(&item, &tenure).await? {
                return Ok(Look::Claimed);
            } else {
                self.return_stock(&item).await?;
            }
            settled = Look::Healed;
        }
        Ok(settled)
    }

    async fn tenure(&self, id: &E164) -> Result<Tenure, RepositoryError> {
        Ok(match self.store.get(&DbName::new(number_database(id)), id.as_str()).await? {
            // Of several versions nobody knows which is true.
            Lookup::Live(number) if !number.conflicts.is_empty() => {
                return Err(RepositoryError::Conflict { id: id.to_string() });
            }
            Lookup::Live(number) => Tenure::of(&self.decode(id, &number.body)?),
            Lookup::Deleted(left) => Tenure::Free(None, codec::tombstone_owners(&left.body)),
            Lookup::Missing => Tenure::Unknown,
        })
    }

    async fn is_being_taken(
        &self,
        item: &StockItem,
        tenure: &Tenure,
    ) -> Result<bool, RepositoryError> {
        match &item.holder {
            Some(holder) if !tenure.was_of(holder) => {
                let claim_ttl = self.settings.get().await?.search.claim_ttl;
                Ok(item.is_claimed(self.now(), claim_ttl))
            }
            _ => Ok(false),
        }
    }

    async fn put_stock(&self, item: &StockItem, mut body: Body) -> Result<(), RepositoryError> {
        body.insert("pvt_modified".to_owned(), self.now().into());
        body.insert(WRITE_ID.to_owned(), write_id().into());
        let expect = Expect::At(item.rev.clone());
        let write = Write::put(item.db.clone(), item.number.as_str(), expect, body);
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: item.number.to_string() })
            }
            Err(err) => Err(err.error.into()),
        }
    }

    /// Puts new numbers into a carrier's stock for an account, with one request for many. One result
    /// per number, in order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`] when the database of the stock cannot be made.
    ///
    /// # Panics
    ///
    /// When the carrier keeps no stock.
    pub async fn generate(
        &self,
        carrier: &CarrierName,
        account: &AccountId,
        numbers: &[E164],
    ) -> Result<Vec<Generated>, RepositoryError> {
        let db = DbName::new(carrier.stock().expect("asked of carriers that keep stock"));
        self.store.create_database(&db).await?;
        let now = self.now();
        let sets = numbers.iter().map(|number| {
            let body = json!({
                "pvt_type": "number",
                "pvt_module_name": carrier.as_str(),
                "pvt_state": State::Available.as_str(),
                "pvt_account_id": account.as_str(),
                "pvt_created": now,
                "pvt_modified": now,
                WRITE_ID: write_id(),
            });
            let Value::Object(body) = body else { unreachable!("written as an object above") };
            vec![Write::put(db.clone(), number.as_str(), Expect::Absent, body)]
        });
        let outcomes = self.store.commit_many(sets.collect()).await;
        Ok(outcomes
            .into_iter()
            .map(|outcome| outcome.map_or_else(failed, |_| Generated::Made))
            .collect())
    }
}

fn failed(CommitError { error, .. }: CommitError) -> Generated {
    match error.kind {
        Kind::Conflict => Generated::Existed,
        _ => Generated::Failed(error.into()),
    }
}
