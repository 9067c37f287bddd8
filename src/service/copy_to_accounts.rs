//! Making the copies in account databases equal to the numbers.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{CopyWatch, Error, Failure, NumberService, PageOutcome, copies::AT_ONCE};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::{RepositoryError, Source, SourcePage, Unequal},
};

/// Where a page of an account's numbers goes on: a database, and an id behind it.
const SEPARATOR: char = ' ';

impl NumberService {
    /// Copies a page of the numbers of a database to their owners.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a carrier's stock, which holds no numbers, and those of every read. What
    /// goes wrong with one number is in the outcome.
    pub async fn copy_page(
        &self,
        watch: Option<&CopyWatch>,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        if database.is_stock() {
            let cause = format!("{} holds no numbers", database.as_str());
            return Err(Error::Invalid { cause });
        }
        let page = self.numbers.sources(database, prefix, after.map(str::to_owned), limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        self.copy(&mut outcome, watch, page.sources).await?;
        Ok(outcome)
    }

    /// The same for the numbers of one account in these databases; all when none is named.
    ///
    /// # Errors
    ///
    /// As [`NumberService::copy_page`].
    pub async fn copy_account_page(
        &self,
        watch: Option<&CopyWatch>,
        account: &AccountId,
        databases: &[String],
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let mut databases: Vec<NumberDatabase> = if databases.is_empty() {
            self.numbers.databases(false).await?
        } else {
            databases.iter().filter_map(|name| NumberDatabase::parse(name).ok()).collect()
        };
        let (begin, id) = after.and_then(|it| it.split_once(SEPARATOR)).unwrap_or_default();
        databases.sort_unstable();
        databases.retain(|database| database.as_str() >= begin);
        let reads = databases.iter().map(|database| {
            let after = (database.as_str() == begin && !id.is_empty()).then(|| id.to_owned());
            async move {
                Ok::<_, Error>((
                    database,
                    self.numbers.sources_of(database, account, after, limit).await?,
                ))
            }
        });
        let reads: Vec<_> = reads.collect();
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let (mut outcome, mut sources) = (PageOutcome::default(), Vec::new());
        while let Some(read) = reads.next().await {
            let (database, SourcePage { sources: more, next }) = read?;
            if sources.len() >= limit {
                // It is read again.
                outcome.next = Some(format!("{}{SEPARATOR}", database.as_str()));
                break;
            }
            sources.extend(more);
            if let Some(next) = next {
                outcome.next = Some(format!("{}{SEPARATOR}{next}", database.as_str()));
                break;
            }
        }
        drop(reads);
        self.copy(&mut outcome, watch, sources).await?;
        Ok(outcome)
    }

    /// Copies numbers, as they were given, to their owners; or to `account`, which must own them
    /// unless that is `unchecked`.
    ///
    /// # Errors
    ///
    /// As [`NumberService::copy_page`].
    pub async fn copy_named(
        &self,
        watch: Option<&CopyWatch>,
        given: &[String],
        account: Option<&AccountId>,
        unchecked: bool,
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let numbers = self.read_numbers(&mut outcome, given).await?;
        let mut wanted = Vec::with_capacity(numbers.len());
        for (id, source) in numbers.iter().zip(self.numbers.sources_named(&numbers).await) {
            match source {
                Ok(None) => outcome.fail(id.as_str(), &Error::NotFound(id.clone())),
                Err(err) => outcome.fail_to_read(id.as_str(), err)?,
                Ok(Some(source)) => match (account, source.number.owner.clone()) {
                    (Some(account), _) if unchecked || source.is_owned_by(account) => {
                        wanted.push((source, account.clone()));
                    }
                    (Some(account), _) => {
                        let cause = Some(format!("account {account} does not own it"));
                        outcome.fail(id.as_str(), &Error::Forbidden { cause });
                    }
                    (None, Some(owner)) => wanted.push((source, owner)),
                    (None, None) => outcome.skipped += 1,
                },
            }
            outcome.read += 1;
        }
        self.copy_to(&mut outcome, watch, wanted).await?;
        Ok(outcome)
    }

    /// The numbers that texts mean; those that mean none are counted as failed.
    pub(super) async fn read_numbers(
        &self,
        outcome: &mut PageOutcome,
        given: &[String],
    ) -> Result<Vec<E164>, Error> {
        let mut numbers = Vec::with_capacity(given.len());
        for text in given {
            match self.stored_id(text).await {
                Ok(number) => numbers.push(number),
                Err(err @ Error::NotReconcilable(_)) => {
                    outcome.read += 1;
                    outcome.fail(text, &err);
                }
                Err(err) => return Err(err),
            }
        }
        Ok(numbers)
    }

    async fn copy(
        &self,
        outcome: &mut PageOutcome,
        watch: Option<&CopyWatch>,
        sources: Vec<Result<Source, (String, RepositoryError)>>,
    ) -> Result<(), Error> {
        let mut wanted = Vec::with_capacity(sources.len());
        for source in sources {
            outcome.read += 1;
            match source {
                Err((id, err)) => outcome.fail_to_read(id, err)?,
                Ok(source) => match source.number.owner.clone() {
                    Some(owner) => wanted.push((source, owner)),
                    None => outcome.skipped += 1,
                },
            }
        }
        self.copy_to(outcome, watch, wanted).await
    }

    async fn copy_to(
        &self,
        outcome: &mut PageOutcome,
        watch: Option<&CopyWatch>,
        wanted: Vec<(Source, AccountId)>,
    ) -> Result<(), Error> {
        let mut unequal: BTreeMap<AccountId, Vec<Unequal>> = BTreeMap::new();
        for (id, compared) in self.numbers.unequal(wanted).await {
            match compared {
                Ok(None) => outcome.unchanged += 1,
                Ok(Some(it)) => unequal.entry(it.account.clone()).or_default().push(it),
                Err(err) => outcome.fail_to_read(id.as_str(), err)?,
            }
        }
        let accounts: Vec<AccountId> = unequal.keys().cloned().collect();
        let mut writes = Vec::new();
        for (account, found) in accounts.iter().zip(self.accounts_exist(&accounts).await) {
            let unequal = unequal.remove(account).unwrap_or_default();
            match found {
                Ok(()) => writes.extend(unequal.into_iter().filter_map(Unequal::write)),
                Err(err @ Error::Unavailable(_)) => return Err(err),
                Err(err) => {
                    for it in unequal {
                        outcome.failed.push((it.number().to_string(), Failure::from(&err)));
                    }
                }
            }
        }
        self.plan_copies(outcome, watch, writes).await
    }

    /// Whether there are these accounts, in order.
    pub(super) async fn accounts_exist(&self, accounts: &[AccountId]) -> Vec<Result<(), Error>> {
        let reads = accounts.iter().map(|id| async { self.account(id).await.map(|_| ()) });
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffered(AT_ONCE).collect().await
    }
}
