//! Looking for numbers that can be had.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use moka::future::Cache;
use serde_json::{Map, Value};

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, Actor, CarrierName, E164, Prefix, State},
    repository::{Offer, Settings},
};

/// For how long what was found can be paged through.
const REMEMBERED: Duration = Duration::from_hours(1);
/// How many numbers of all searches are remembered, at most.
const REMEMBERED_NUMBERS: u64 = 500_000;

/// What was found lately, by what was looked for and who looked.
pub(super) type Searches = Cache<Key, Arc<Vec<Found>>>;

/// What was looked for, by whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    country: String,
    prefix: String,
    searcher: Searcher,
}

/// Nothing was found yet.
pub(super) fn remembered() -> Searches {
    Cache::builder()
        .max_capacity(REMEMBERED_NUMBERS)
        .weigher(|_, found: &Arc<Vec<Found>>| {
            // What is known of a number takes as much room as numbers do.
            let weight: usize = found.iter().map(|it| 1 + it.details.len()).sum();
            u32::try_from(weight).unwrap_or(u32::MAX).saturating_add(1)
        })
        .time_to_live(REMEMBERED)
        .build()
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    /// How the numbers begin, `+` and the country included.
    pub prefix: Prefix,
    /// The country, as two letters.
    pub country: String,
    /// The most numbers in the answer.
    pub quantity: usize,
    /// How many of the numbers found are passed over; 0 looks anew.
    pub offset: usize,
}

/// Who looks, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Searcher {
    /// The account that is to have the number; `None` for the operator.
    pub account: Option<AccountId>,
    /// The account whose carriers are asked; `None` for the platform's.
    pub reseller: Option<AccountId>,
    /// The name of the caller.
    pub caller: String,
}

/// A number that can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number.
    pub number: E164,
    /// `available`, `discovery` or `reserved`.
    pub state: State,
    /// What its carrier says of it: `locality`, `features`, `cost`.
    pub details: Map<String, Value>,
}

/// A number that a source has, and what is to be remembered of it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) number: E164,
    pub(super) state: State,
    /// Who has it, and what that one needs to know again; `None` for a number that is stored.
    pub(super) offer: Option<(CarrierName, Option<Value>)>,
    /// What that one says of it.
    pub(super) details: Map<String, Value>,
}

impl NumberService {
    /// Who looks: for an account or by itself, with the carriers of a reseller that is named or of
    /// its own. Without an actor only resellers can be asked whose customers may look so.
    ///
    /// # Errors
    ///
    /// [`Error::NoReseller`] and [`Error::SearchRestricted`] about the reseller that is named,
    /// [`Error::Forbidden`] with neither, and those of every read.
    pub async fn searcher(
        &self,
        actor: Option<&Actor>,
        account: Option<&AccountId>,
        reseller: Option<&str>,
    ) -> Result<Searcher, Error> {
        let named = match reseller {
            Some(text) => Some(self.open_reseller(actor, text).await?),
            None => None,
        };
        let caller = actor.map_or_else(|| "nobody".to_owned(), |actor| actor.name().to_owned());
        let account = match (account, actor) {
            (Some(account), _) => Some(account.clone()),
            (None, Some(actor)) => actor.account.clone(),
            // On behalf of the reseller.
            (None, None) => Some(named.clone().ok_or_else(Error::forbidden)?),
        };
        let reseller = match (named, &account) {
            (None, Some(account)) => self.reseller_of(account).await?,
            (named, _) => named,
        };
        Ok(Searcher { account, reseller, caller })
    }

    /// The account whose carriers an account buys from: a reseller's are its own.
    pub(super) async fn reseller_of(
        &self,
        account: &AccountId,
    ) -> Result<Option<AccountId>, Error> {
        let account = self.account(account).await?;
        Ok(if account.is_reseller { Some(account.id) } else { account.reseller })
    }

    /// The reseller that a caller names and may ask.
    async fn open_reseller(&self, actor: Option<&Actor>, text: &str) -> Result<AccountId, Error> {
        let id = AccountId::parse_any(text).map_err(|_| Error::NoReseller)?;
        let account = self.accounts.get(&id).await?.ok_or(Error::NoReseller)?;
        if !account.is_reseller {
            return Err(Error::SearchRestricted);
        }
        if actor.is_some_and(|actor| actor.rules(&account.lineage()) || actor.descends_from(&id)) {
            return Ok(id);
        }
        let is_open = match self.settings.search_of(&id).await?.is_open {
            Some(is_open) => is_open,
            None => self.settings.get().await?.search.is_open,
        };
        if is_open { Ok(id) } else { Err(Error::SearchRestricted) }
    }

    /// The carriers that are searched: an account's own stock first, then those of its reseller or
    /// of the platform.
    pub(super) async fn searched_carriers(
        &self,
        settings: &Settings,
        searcher: &Searcher,
    ) -> Result<Vec<CarrierName>, Error> {
        let own = match &searcher.reseller {
            Some(reseller) => self.settings.search_of(reseller).await?.carriers,
            None => None,
        };
        let configured = own.unwrap_or_else(|| settings.search_carriers.clone());
        let first = (searcher.account.is_some() || searcher.reseller.is_some()).then_some([
            "knm_reserved",
            "knm_reserved_reseller",
            CarrierName::LOCAL,
        ]);
        let first = first.into_iter().flatten().filter_map(CarrierName::read);
        let mut carriers: Vec<CarrierName> = Vec::new();
        for carrier in first.chain(configured) {
            if !carriers.contains(&carrier) {
                carriers.push(carrier);
            }
        }
        Ok(carriers)
    }

    /// Looks for numbers: in what the account and its reseller have reserved, in our own stock, and
    /// at outside carriers, of which one that fails or is slow takes nothing from the others. Sorted
    /// by number, each number once. What is not ours yet may be taken for a while by the account and
    /// the reseller that it was found for.
    ///
    /// # Errors
    ///
    /// Those of every read, and of a write when an offer cannot be kept.
    pub async fn search(
        &self,
        searcher: &Searcher,
        query: &SearchQuery,
    ) -> Result<Vec<Found>, Error> {
        let key = Key {
            country: query.country.clone(),
            prefix: query.prefix.as_str().to_owned(),
            searcher: searcher.clone(),
        };
        let known = if query.offset == 0 { None } else { self.searches.get(&key).await };
        let found = if let Some(found) = known {
            found
        } else {
            // The first page may have been another replica's.
            let found = Arc::new(self.look(searcher, query).await?);
            self.searches.insert(key, found.clone()).await;
            found
        };
        Ok(found.iter().skip(query.offset).take(query.quantity).cloned().collect())
    }

    async fn look(&self, searcher: &Searcher, query: &SearchQuery) -> Result<Vec<Found>, Error> {
        let settings = self.settings.get().await?;
        let carriers = self.searched_carriers(&settings, searcher).await?;
        let sources = self.ask_sources(&settings, searcher, query, &carriers).await?;
        let mut all: BTreeMap<E164, Candidate> = BTreeMap::new();
        for candidate in sources {
            // What comes from an earlier source counts.
            all.entry(candidate.number.clone()).or_insert(candidate);
        }
        let found = self.numbers.now();
        let offers: Vec<Offer> = all
            .values()
            .filter_map(|candidate| {
                let (carrier, data) = candidate.offer.clone()?;
                Some(Offer {
                    number: candidate.number.clone(),
                    carrier,
                    data,
                    account: searcher.account.clone(),
                    reseller: searcher.reseller.clone(),
                    found,
                })
            })
            .collect();
        self.numbers.keep_offers(&offers, settings.search.offer_ttl).await?;
        let found =
            |it: Candidate| Found { number: it.number, state: it.state, details: it.details };
        Ok(all.into_values().map(found).collect())
    }
}
