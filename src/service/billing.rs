//! What changes cost: said before anything is done, recorded with the write itself.
//!
//! The order is: decide, ask whether the charges are accepted, write. What is charged is stored in
//! the same write as the number, see `repository/charges`.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;

use super::{Error, NumberService, Terms};
use crate::{
    domain::{AccountId, Charge, Item, Money, Number, Price, Quantities},
    repository::{NumberRepository, Settings},
};

/// Says what changes of numbers cost.
#[async_trait]
pub(super) trait Billing: fmt::Debug + Send + Sync {
    /// What a change of one number newly costs the account that holds it afterwards, as it is to be
    /// recorded; `None` when that is nothing.
    fn charge(
        &self,
        settings: &Settings,
        before: Option<&Number>,
        after: &Number,
    ) -> Option<Charge>;

    /// What these charges come to, an invoice for each account.
    async fn quote(&self, settings: &Settings, charges: &[Charge]) -> Result<Vec<Invoice>, Error>;
}

/// What an account is asked to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The account that is to pay.
    pub account: AccountId,
    /// The currency of the amounts.
    pub currency: String,
    /// What it gets, by item.
    pub lines: Vec<InvoiceLine>,
}

/// One thing on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceLine {
    /// What it is.
    pub item: Item,
    /// What one of it costs.
    pub price: Price,
    /// How many the account has now.
    pub had: u64,
    /// How many it gets.
    pub gets: u64,
}

/// The prices of the settings, the same for every account.
#[derive(Clone, Debug)]
pub(super) struct PriceList {
    pub(super) numbers: NumberRepository,
}

#[async_trait]
impl Billing for PriceList {
    fn charge(
        &self,
        settings: &Settings,
        before: Option<&Number>,
        after: &Number,
    ) -> Option<Charge> {
        settings.prices.as_ref()?.charge(before, after, &settings.numbering)
    }

    async fn quote(&self, settings: &Settings, charges: &[Charge]) -> Result<Vec<Invoice>, Error> {
        let mut by_account = BTreeMap::<&AccountId, (&str, BTreeMap<&Item, (&Price, u64)>)>::new();
        for Charge { account, currency, lines } in charges {
            let (_, items) = by_account.entry(account).or_insert((currency, BTreeMap::new()));
            for (item, price) in lines {
                items.entry(item).or_insert((price, 0)).1 += 1;
            }
        }
        let mut invoices = Vec::with_capacity(by_account.len());
        for (account, (currency, items)) in by_account {
            let has: Quantities = self.numbers.count_held(account, &settings.numbering).await?;
            let line = |(item, (price, gets)): (&Item, (&Price, u64))| InvoiceLine {
                had: has.of(item),
                item: item.clone(),
                price: price.clone(),
                gets,
            };
            let lines = items.into_iter().map(line).collect();
            let (account, currency) = (account.clone(), currency.to_owned());
            invoices.push(Invoice { account, currency, lines });
        }
        Ok(invoices)
    }
}

impl Invoice {
    /// What is to be paid at once.
    #[must_use]
    pub fn today(&self) -> Money {
        self.lines.iter().map(InvoiceLine::activation).sum()
    }

    /// What is to be paid every month for these items, those that the account had included.
    #[must_use]
    pub fn recurring(&self) -> Money {
        self.lines.iter().map(InvoiceLine::total).sum()
    }
}

impl InvoiceLine {
    /// What the account is to have.
    #[must_use]
    pub fn quantity(&self) -> u64 {
        self.had + self.gets
    }

    /// What is to be paid at once.
    #[must_use]
    pub fn activation(&self) -> Money {
        self.price.one_time * self.gets
    }

    /// What is to be paid every month.
    #[must_use]
    pub fn total(&self) -> Money {
        self.price.monthly * self.quantity()
    }
}

impl NumberService {
    /// Refuses what costs something and was not accepted.
    pub(super) async fn check_accepted(
        &self,
        settings: &Settings,
        terms: Terms<'_>,
        charges: &[Charge],
    ) -> Result<(), Error> {
        if terms.accepts_charges || charges.is_empty() {
            return Ok(());
        }
        let invoices = self.billing.quote(settings, charges).await?;
        if invoices.is_empty() { Ok(()) } else { Err(Error::ChargesNotAccepted(invoices)) }
    }
}
