//! The numbers of accounts and of databases, page by page, for the tables that jobs make of them.

use std::collections::HashMap;

use super::{Error, ListQuery, NumberService};
use crate::{
    domain::{AccountId, Actor, Number, NumberDatabase, State},
    repository::Pick,
};

/// How many accounts are read at once.
const READ_AT_ONCE: usize = 500;

/// A page of numbers.
#[derive(Debug, Default)]
pub struct TablePage {
    /// The numbers.
    pub numbers: Vec<Number>,
    /// The ids of documents that are no numbers.
    pub strange: Vec<String>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberService {
    /// A page of the numbers that an account holds.
    ///
    /// # Errors
    ///
    /// As [`NumberService::list`].
    pub async fn table_of_account(
        &self,
        actor: &Actor,
        account: &AccountId,
        from: Option<&str>,
        limit: usize,
    ) -> Result<TablePage, Error> {
        let query = ListQuery {
            start: from.map(str::to_owned),
            page_size: Some(limit),
            without_ports: true,
            ..ListQuery::default()
        };
        let listing = self.list(actor, account, query).await?;
        let numbers = listing.numbers.into_iter().map(|view| view.number).collect();
        let next = listing.next.map(|next| next.to_string());
        Ok(TablePage { numbers, strange: Vec::new(), next })
    }

    /// A page of the numbers in a database, those in a state or all.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn table_of_database(
        &self,
        database: &NumberDatabase,
        state: Option<State>,
        after: Option<String>,
        limit: usize,
    ) -> Result<TablePage, Error> {
        let states: Vec<State> = state.into_iter().collect();
        let pick = if states.is_empty() { Pick::Any } else { Pick::In(&states) };
        let page = self.numbers.pick(database, pick, None, after, limit).await?;
        let strange = page.unreadable.into_iter().map(|(id, _)| id).collect();
        Ok(TablePage { numbers: page.numbers, strange, next: page.next })
    }

    /// An account, and all that are below it.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn with_those_below(&self, account: &AccountId) -> Result<Vec<AccountId>, Error> {
        let mut accounts = vec![account.clone()];
        let mut after = None;
        loop {
            let page = self.accounts.below(account, after, READ_AT_ONCE).await?;
            accounts.extend(page.accounts);
            after = page.next;
            if after.is_none() {
                return Ok(accounts);
            }
        }
    }

    /// The names of the accounts that hold these numbers.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn holders(&self, numbers: &[&Number]) -> Result<HashMap<AccountId, String>, Error> {
        let mut names = HashMap::new();
        for owner in numbers.iter().filter_map(|number| number.owner.as_ref()) {
            if !names.contains_key(owner)
                && let Some(account) = self.accounts.get(owner).await?
            {
                names.insert(owner.clone(), account.name.clone());
            }
        }
        Ok(names)
    }
}
