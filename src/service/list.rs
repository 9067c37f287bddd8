//! Listing the numbers that an account holds, from the copies in its own database, with those that
//! port requests are to bring it; and listing all numbers that there are.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::future::{OptionFuture, join_all};

use super::{
    Error, Filter, NumberService, NumberView,
    walk::{Keep, Place, Walk},
};
use crate::{
    carriers::CARRIERS,
    domain::{AccountId, Actor, CarrierName, E164},
    repository::{Port, Span},
};

/// Which of an account's numbers are listed.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// The first number of the page.
    pub start: Option<String>,
    /// The last number of the list.
    pub end: Option<String>,
    /// Whether the list begins with the highest number.
    pub descending: bool,
    /// The most numbers in the page; `None` for all.
    pub page_size: Option<usize>,
    /// What the stored document must satisfy.
    pub filters: Vec<Filter>,
    /// Whether numbers of open port requests are not listed.
    pub without_ports: bool,
}

/// Which of all numbers are listed.
#[derive(Clone, Debug, Default)]
pub struct AllQuery {
    /// As in the list of an account.
    pub list: ListQuery,
    /// Their carriers; any when none is named.
    pub carriers: Vec<CarrierName>,
    /// Their owners, or that there is none; any when none is named.
    pub owners: Vec<Option<AccountId>>,
}

/// A page of numbers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The numbers, in the order of the page.
    pub numbers: Vec<NumberView>,
    /// The numbers of open port requests, which stand behind those of the first page.
    pub ports: Vec<Port>,
    /// The first number of the page.
    pub start: Option<E164>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<E164>,
}

impl NumberService {
    /// Lists the numbers that an account holds, one page of them. A page is full unless the list
    /// ends in it.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], [`Error::Forbidden`], and those of every read.
    pub async fn list(
        &self,
        actor: &Actor,
        account: &AccountId,
        query: ListQuery,
    ) -> Result<Listing, Error> {
        let size = query.page_size.unwrap_or(usize::MAX - 1);
        let (mut walk, ports) = self.walk(actor, account, query).await?;
        Ok(Listing::of(walk.fill(size).await?, ports))
    }

    /// The numbers that an account holds, to be read one after the other; and behind them those of
    /// port requests.
    ///
    /// # Errors
    ///
    /// As [`NumberService::list`].
    pub async fn walk(
        &self,
        actor: &Actor,
        account: &AccountId,
        query: ListQuery,
    ) -> Result<(Walk, Vec<Port>), Error> {
        if !actor.rules(&self.lineage(account).await?) {
            return Err(Error::forbidden());
        }
        let ports = self.listed_ports(account, &query).await?;
        let settings = self.settings.get().await?;
        let places = [Place::Account(account.clone())].into();
        let span = Span { from: query.start, to: query.end, descending: query.descending };
        let keep = Keep { filters: query.filters, ..Keep::default() };
        let walk = Walk::over(self, &settings, actor.is_admin, span, places, keep);
        Ok((walk, ports))
    }

    /// A name of what this list is now: another one whenever any of it may have changed. It stands
    /// for lists that are read after it.
    ///
    /// # Errors
    ///
    /// As [`NumberService::list`].
    pub async fn list_version(
        &self,
        actor: &Actor,
        account: &AccountId,
        query: &ListQuery,
    ) -> Result<String, Error> {
        let found = self.accounts.get(account).await?;
        let reseller = found.and_then(|found| found.reseller.clone());
        let (held, terms) =
            tokio::join!(self.numbers.version_of(account), self.terms_in_words(reseller.as_ref()));
        let ports =
            if query.without_ports { Vec::new() } else { self.ports.of_account(account).await? };
        let settings = self.settings.get().await?;
        let mut hasher = DefaultHasher::new();
        (account, actor.is_admin, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
        (held?, terms, ports).hash(&mut hasher);
        // Both say all that there is to say of themselves in words.
        (format!("{query:?}"), format!("{settings:?}")).hash(&mut hasher);
        Ok(format!("{:016x}", hasher.finish()))
    }

    /// What resellers and carriers say about features, as rows are made by it, or why that cannot be
    /// read: then the rows cannot be made either.
    async fn terms_in_words(&self, reseller: Option<&AccountId>) -> Vec<String> {
        let of_reseller =
            OptionFuture::from(reseller.map(|it| self.feature_settings.of_reseller(it)));
        let of_carriers = CARRIERS
            .iter()
            .filter_map(|carrier| CarrierName::given(carrier.name))
            .map(|name| async move { self.feature_settings.of_carrier(&name).await });
        let (of_reseller, of_carriers) = tokio::join!(of_reseller, join_all(of_carriers));
        let mut words = vec![format!("{of_reseller:?}")];
        words.extend(of_carriers.iter().map(|said| format!("{said:?}")));
        words
    }

    /// Lists all numbers but the carriers' own stock, one page of them; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], and those of every read.
    pub async fn list_all(&self, actor: &Actor, query: AllQuery) -> Result<Listing, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let AllQuery { list, carriers, mut owners } = query;
        if owners.is_empty() {
            owners = list.filters.iter().find_map(Filter::owners).unwrap_or_default();
        }
        let span = Span { from: list.start, to: list.end, descending: list.descending };
        let mut databases = self.numbers.databases(false).await?;
        databases.retain(|database| span.reaches(database));
        if list.descending {
            databases.reverse();
        }
        let places = databases.into_iter().map(Place::Numbers).collect();
        let settings = self.settings.get().await?;
        let keep = Keep { filters: list.filters, carriers, owners };
        let mut walk = Walk::over(self, &settings, true, span, places, keep);
        let size = list.page_size.unwrap_or(usize::MAX - 1);
        Ok(Listing::of(walk.fill(size).await?, Vec::new()))
    }

    /// The numbers of open port requests that belong to the first page of a list: those that the
    /// account does not hold already, and that the filters keep as they are shown.
    async fn listed_ports(
        &self,
        account: &AccountId,
        query: &ListQuery,
    ) -> Result<Vec<Port>, Error> {
        if query.without_ports || query.start.is_some() {
            return Ok(Vec::new());
        }
        let mut ports = self.ports.of_account(account).await?;
        ports.retain(|port| query.filters.iter().all(|filter| filter.keeps_port(port)));
        let held = self.numbers.are_held(account, ports.iter().map(|port| &port.number)).await?;
        let mut held = held.into_iter();
        ports.retain(|_| held.next() != Some(true));
        Ok(ports)
    }
}

impl Listing {
    fn of((numbers, next): (Vec<NumberView>, Option<NumberView>), ports: Vec<Port>) -> Self {
        Self {
            start: numbers.first().map(|first| first.number.id.clone()),
            next: next.map(|next| next.number.id),
            numbers,
            ports,
        }
    }
}
