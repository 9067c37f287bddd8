//! Where numbers that can be had are looked for.

use futures::future::{try_join, try_join_all};
use serde_json::Map;

use super::{Error, NumberService, SearchQuery, Searcher, search::Candidate};
use crate::{
    carriers::Wanted,
    domain::{AccountId, CarrierName, E164, Number, State},
    repository::{Settings, Standing},
};

impl NumberService {
    /// What every source has, in the order of the sources.
    pub(super) async fn ask_sources(
        &self,
        settings: &Settings,
        searcher: &Searcher,
        query: &SearchQuery,
        carriers: &[CarrierName],
    ) -> Result<Vec<Candidate>, Error> {
        let ours = carriers.iter().map(|it| self.ask_ourselves(settings, searcher, query, it));
        let theirs = self.ask_outside(settings, searcher, query, carriers);
        let (ours, theirs) = try_join(try_join_all(ours), theirs).await?;
        Ok(ours.into_iter().flatten().chain(theirs).collect())
    }

    /// What one of our own sources has; nothing for a carrier that is not ours.
    async fn ask_ourselves(
        &self,
        settings: &Settings,
        searcher: &Searcher,
        query: &SearchQuery,
        carrier: &CarrierName,
    ) -> Result<Vec<Candidate>, Error> {
        let limit = settings.search.quantity;
        match carrier.as_str() {
            "knm_reserved" => self.reserved(searcher.account.as_ref(), query, limit).await,
            "knm_reserved_reseller" => {
                self.reserved(searcher.reseller.as_ref(), query, limit).await
            }
            CarrierName::LOCAL | CarrierName::INVENTORY => {
                let numbers = self.numbers.available(&query.prefix, carrier, limit).await?;
                Ok(numbers.into_iter().map(|it| stored(it, State::Available)).collect())
            }
            CarrierName::MANAGED | CarrierName::INUM => {
                self.stock(settings, searcher, query, carrier).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn reserved(
        &self,
        account: Option<&AccountId>,
        query: &SearchQuery,
        limit: usize,
    ) -> Result<Vec<Candidate>, Error> {
        let Some(account) = account else {
            return Ok(Vec::new());
        };
        let numbers = self.numbers.reserved_by(account, &query.prefix, limit).await?;
        Ok(numbers.into_iter().map(|it| stored(it, State::Reserved)).collect())
    }

    /// What was made for the account; when that is nothing, what was made for its reseller.
    async fn stock(
        &self,
        settings: &Settings,
        searcher: &Searcher,
        query: &SearchQuery,
        carrier: &CarrierName,
    ) -> Result<Vec<Candidate>, Error> {
        let (limit, claim_ttl) = (settings.search.quantity, settings.search.claim_ttl);
        for account in searcher.account.iter().chain(&searcher.reseller) {
            let stock = self.numbers.stock_for(carrier, account, &query.prefix, claim_ttl, limit);
            let stock = stock.await?;
            if stock.is_empty() {
                continue;
            }
            let candidate = |(number, is_stored): (E164, bool)| {
                let is_managed = carrier.as_str() == CarrierName::MANAGED;
                let is_new = is_managed && !is_stored;
                Candidate {
                    number,
                    state: if is_new { State::Discovery } else { State::Available },
                    offer: (!is_stored).then(|| (carrier.clone(), None)),
                    details: Map::new(),
                }
            };
            let items = stock.into_iter().map(|(item, is_stored)| (item.number, is_stored));
            return Ok(items.map(candidate).collect());
        }
        Ok(Vec::new())
    }

    /// What outside carriers offer, less what is stored here already and somebody's.
    async fn ask_outside(
        &self,
        settings: &Settings,
        searcher: &Searcher,
        query: &SearchQuery,
        carriers: &[CarrierName],
    ) -> Result<Vec<Candidate>, Error> {
        let wanted = Wanted {
            prefix: query.prefix.as_str().to_owned(),
            country: query.country.clone(),
            quantity: settings.search.quantity,
            account: searcher.account.clone(),
        };
        let asked = self.each_outside(carriers, settings.search.timeout, move |carrier| {
            let wanted = wanted.clone();
            async move {
                let found = carrier.search(&wanted).await?.into_iter();
                let described = found.map(|it| {
                    let details = it.data.as_ref().map(|data| carrier.describe(data));
                    (it, details.unwrap_or_default())
                });
                Ok(described.collect::<Vec<_>>())
            }
        });
        let mut offered = Vec::new();
        for (carrier, found) in asked.await {
            let fits = found
                .into_iter()
                .filter(|(it, _)| it.number.as_str().starts_with(query.prefix.as_str()));
            offered.extend(fits.take(settings.search.quantity).map(|it| (carrier.clone(), it)));
        }
        let numbers: Vec<E164> = offered.iter().map(|(_, (it, _))| it.number.clone()).collect();
        let standing = self.numbers.standing(&numbers).await?;
        let candidates =
            offered.into_iter().zip(standing).filter_map(|((carrier, (it, details)), standing)| {
                let number = it.number;
                match standing {
                    Standing::Taken => None,
                    Standing::Free => {
                        Some(Candidate { number, state: State::Available, offer: None, details })
                    }
                    Standing::Absent => {
                        let offer = Some((carrier, it.data));
                        Some(Candidate { number, state: State::Discovery, offer, details })
                    }
                }
            });
        Ok(candidates.collect())
    }
}

fn stored(number: Number, state: State) -> Candidate {
    Candidate { number: number.id, state, offer: None, details: Map::new() }
}
