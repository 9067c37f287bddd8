//! Tables that are made of numbers.

use async_trait::async_trait;

use super::columns::{row_of, row_of_id};
use crate::{
    domain::{AccountId, Actor, Number, NumberDatabase, State},
    jobs::{PageContext, RowResult, Scope, Unit, Work},
    service::{Error, NumberService, PageOutcome, TablePage},
};

/// Numbers that are listed.
#[derive(Debug)]
pub(super) struct Lists {
    actor: Actor,
    of: Of,
}

#[derive(Debug)]
enum Of {
    /// An account's, with those of the accounts below it or without.
    Account(Option<AccountId>, bool),
    /// All that there are, or those in a state.
    All(Option<State>),
}

impl Lists {
    pub(super) fn of_account(actor: Actor, account: Option<AccountId>, below: bool) -> Self {
        // Whoever may see an account may see those below it.
        let actor = if below { Actor::operator() } else { actor };
        Self { actor, of: Of::Account(account, below) }
    }

    pub(super) fn of_all(actor: Actor, state: Option<State>) -> Self {
        Self { actor, of: Of::All(state) }
    }
}

#[async_trait]
impl Work for Lists {
    async fn units(
        &self,
        service: &NumberService,
        _: &Scope,
        _: usize,
    ) -> Result<Vec<Unit>, Error> {
        let account = |id: AccountId| Unit::Account { id: id.to_string(), databases: Vec::new() };
        Ok(match &self.of {
            Of::Account(None, _) => Vec::new(),
            Of::Account(Some(id), false) => vec![account(id.clone())],
            Of::Account(Some(id), true) => {
                service.with_those_below(id).await?.into_iter().map(account).collect()
            }
            // What is not theirs to see is not there.
            Of::All(_) if !self.actor.is_admin => Vec::new(),
            Of::All(_) => {
                let databases = service.number_databases(false).await?.into_iter();
                let unit =
                    |it: NumberDatabase| Unit::Database { name: it.to_string(), prefix: None };
                databases.map(unit).collect()
            }
        })
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        // The place is how many rows the unit has so far, and where it goes on.
        let place = page.after.and_then(|place| place.split_once(' '));
        let (count, after) = match place {
            None => (0, None),
            Some((count, after)) => (count.parse().unwrap_or_default(), Some(after)),
        };
        let found = match page.unit {
            Unit::Account { id, .. } => match AccountId::parse(id) {
                Ok(id) => {
                    page.service.table_of_account(&self.actor, &id, after, page.limit).await?
                }
                Err(_) => TablePage::default(),
            },
            Unit::Database { name, .. } => match (&self.of, NumberDatabase::parse(name)) {
                (Of::All(state), Ok(database)) => {
                    let after = after.map(str::to_owned);
                    page.service.table_of_database(&database, *state, after, page.limit).await?
                }
                _ => TablePage::default(),
            },
            Unit::Numbers { .. } | Unit::Whole => TablePage::default(),
        };
        let numbers: Vec<&Number> = found.numbers.iter().collect();
        let holders = page.service.holders(&numbers).await?;
        let name = |id: &AccountId| holders.get(id).map(String::as_str);
        let numbers = numbers.into_iter().map(|it| row_of(it, it.owner.as_ref().and_then(name)));
        let mut cells: Vec<Vec<String>> =
            numbers.chain(found.strange.iter().map(|id| row_of_id(id))).collect();
        cells.sort_unstable();
        let read = cells.len() as u64;
        let row = |(row, cells)| RowResult { row, cells, error: None };
        Ok(PageOutcome {
            read,
            unchanged: read,
            rows: (count..).zip(cells).map(row).collect(),
            next: found.next.map(|next| format!("{} {next}", count + read)),
            ..PageOutcome::default()
        })
    }
}
