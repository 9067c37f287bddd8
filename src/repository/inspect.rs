//! Everything that is stored of one number, as it is: for looking at what is wrong with it.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    NumberRepository, RepositoryError,
    codec::{self, Owners},
    mirror,
    trail::{Entry, Ground},
    write_id,
};
use crate::{
    domain::{AccountId, E164, Number, NumberDatabase, account_database, number_database},
    store::{
        Application, Body, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Query, Question,
        Rev, WRITE_ID, Write,
    },
};

/// How many databases are looked into at once.
const PARALLEL_LOOKUPS: usize = 16;
/// How many documents are read at once.
const PAGE: usize = 500;

/// Everything that is stored of one number.
#[derive(Clone, Debug, Default)]
pub struct Inspection {
    /// The live versions of its document, the one that counts first.
    pub versions: Vec<Version>,
    /// Whether there is nothing but what a deletion left behind.
    pub is_tombstone: bool,
    /// The owner that the document or the tombstone names.
    pub owner: Option<AccountId>,
    /// The last different owner.
    pub previous_owner: Option<AccountId>,
    /// The copies that were found.
    pub copies: Vec<FoundCopy>,
}

/// A version of a number's document.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its revision.
    pub rev: String,
    /// The number, or why it cannot be read.
    pub number: Result<Number, String>,
    body: Body,
}

/// A copy in an account's database.
#[derive(Clone, Debug)]
pub struct FoundCopy {
    /// The account.
    pub account: AccountId,
    /// Its revision.
    pub rev: String,
    /// The members in which it differs from the number document that counts.
    pub differs_in: Vec<String>,
}

impl NumberRepository {
    /// Reads everything that is stored of a number: its versions, and the copies in the databases of
    /// the accounts that it names, of `accounts`, or (`deep`) of every account.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn inspect(
        &self,
        id: &E164,
        accounts: BTreeSet<AccountId>,
        deep: bool,
    ) -> Result<Inspection, RepositoryError> {
        let mut seen = self.inspect_document(id).await?;
        let accounts = if deep { self.account_databases().await? } else { seen.named(accounts) };
        let truth = seen.versions.first().map(|version| version.body.clone());
        let look_up = |account: AccountId| async move {
            let found = self.store.get(&mirror::database(&account), id.as_str()).await?.live();
            Ok::<_, RepositoryError>(found.map(|found| (account, found)))
        };
        let found = stream::iter(accounts).map(look_up).buffered(PARALLEL_LOOKUPS);
        let found: Vec<_> = found.try_collect().await?;
        seen.copies = found
            .into_iter()
            .flatten()
            .map(|(account, copy)| FoundCopy {
                account,
                rev: copy.rev.as_str().to_owned(),
                differs_in: differences(truth.as_ref(), &copy.body),
            })
            .collect();
        Ok(seen)
    }

    pub(super) async fn inspect_document(&self, id: &E164) -> Result<Inspection, RepositoryError> {
        let db = DbName::new(number_database(id));
        let documents = match self.store.get(&db, id.as_str()).await? {
            Lookup::Live(document) if document.conflicts.is_empty() => vec![document],
            Lookup::Live(_) => self.store.live_versions(&db, id.as_str()).await?,
            Lookup::Deleted(tombstone) => {
                let Owners { owner, previous_owner } = codec::tombstone_owners(&tombstone.body);
                let is_tombstone = true;
                return Ok(Inspection {
                    is_tombstone,
                    owner,
                    previous_owner,
                    ..Inspection::default()
                });
            }
            Lookup::Missing => return Ok(Inspection::default()),
        };
        let read = |document: Document| Version {
            rev: document.rev.as_str().to_owned(),
            number: self.decode(id, &document.body).map_err(|err| cause(&err)),
            body: document.body,
        };
        let versions: Vec<Version> = documents.into_iter().map(read).collect();
        let first = versions.first().and_then(|version| version.number.as_ref().ok());
        let owner = first.and_then(|number| number.owner.clone());
        let previous_owner = first.and_then(|number| number.previous_owner.clone());
        Ok(Inspection { versions, owner, previous_owner, ..Inspection::default() })
    }

    /// The accounts that have a database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn account_databases(&self) -> Result<BTreeSet<AccountId>, RepositoryError> {
        let names = self.store.databases("account/").await?;
        // Those of a month hold no numbers.
        let account = |name: &DbName| {
            let account = AccountId::parse_any(name.as_str()).ok()?;
            (account_database(&account) == name.as_str()).then_some(account)
        };
        Ok(names.iter().filter_map(account).collect())
    }

    /// The documents of an account by which its applications route each of these numbers, in the
    /// order asked. May lag behind the documents. An account without a database has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], also when the index cannot be read: that says nothing about who
    /// uses a number.
    pub async fn applications(
        &self,
        account: &AccountId,
        numbers: &[E164],
    ) -> Result<Vec<Vec<Application>>, RepositoryError> {
        match self.readable_applications(account, numbers).await {
            Err(err) if err.is_of_no_database() => Ok(vec![Vec::new(); numbers.len()]),
            found => found,
        }
    }

    /// The same, for who acts on it: that an account has no database is an error then, too.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::applications`].
    pub async fn readable_applications(
        &self,
        account: &AccountId,
        numbers: &[E164],
    ) -> Result<Vec<Vec<Application>>, RepositoryError> {
        let ids: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        Ok(self.store.applications(&mirror::database(account), &ids).await?)
    }

    /// A page of the ids of a database of numbers, and where the next one goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn ids(
        &self,
        database: &NumberDatabase,
        after: Option<String>,
    ) -> Result<(Vec<String>, Option<String>), RepositoryError> {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with("+"),
            order: Order::Ascending,
            after,
            limit: PAGE,
        };
        match self.store.query(&DbName::new(database.as_str()), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok((Vec::new(), None)),
            page => {
                let page = page?;
                Ok((page.documents.into_iter().map(|it| it.id).collect(), page.next))
            }
        }
    }

    /// Removes every live version of a number's document but one, and brings the copies in line
    /// with that. Returns whether there is such a version; otherwise nothing is removed.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when a version was changed meanwhile: the same call goes on.
    pub async fn keep_version(&self, id: &E164, rev: &str) -> Result<bool, RepositoryError> {
        let seen = self.inspect_document(id).await?;
        if !seen.versions.iter().any(|version| version.rev == rev) {
            return Ok(false);
        }
        let entry = self.entry_of_keeping(id, &seen, rev);
        self.remove_versions(id, &seen, rev, entry).await?;
        Ok(true)
    }

    /// The entry of what becomes of a number when this version is kept; none when it counts already.
    fn entry_of_keeping(&self, id: &E164, seen: &Inspection, rev: &str) -> Option<Entry> {
        let counted = seen.versions.first().filter(|version| version.rev != rev)?;
        let kept = seen.versions.iter().find(|version| version.rev == rev)?;
        let ground = Ground::live(&counted.body, Some(&Rev::new(counted.rev.as_str())));
        let db = DbName::new(number_database(id));
        let write = Write::put(db, id.as_str(), Expect::Absent, kept.body.clone());
        Some(Entry::of(ground, &write, self.now())?.at(self.now()))
    }

    /// Removes the versions that were seen but one; one that came since stays. What is noted of it comes
    /// before the first.
    pub(super) async fn remove_versions(
        &self,
        id: &E164,
        seen: &Inspection,
        rev: &str,
        mut entry: Option<Entry>,
    ) -> Result<(), RepositoryError> {
        let accounts = seen.named(BTreeSet::new());
        let db = DbName::new(number_database(id));
        for version in seen.versions.iter().filter(|version| version.rev != rev) {
            // What is removed stays readable in what it leaves behind.
            let mut tombstone = mirror::mirrored(&version.body);
            tombstone.insert(WRITE_ID.to_owned(), write_id().into());
            let lost = Rev::new(version.rev.as_str());
            let write = Write::delete(db.clone(), id.as_str(), lost, tombstone);
            match self.trail.commit(entry.take(), vec![write]).await {
                Ok(_) => (),
                Err(err) if err.error.kind == Kind::Conflict => {
                    return Err(RepositoryError::Conflict { id: id.to_string() });
                }
                Err(err) => return Err(err.error.into()),
            }
        }
        self.sync(id, &accounts).await;
        Ok(())
    }
}

impl Inspection {
    /// The accounts that any version names, and `others`.
    fn named(&self, mut others: BTreeSet<AccountId>) -> BTreeSet<AccountId> {
        let numbers = self.versions.iter().filter_map(|version| version.number.as_ref().ok());
        others.extend(numbers.flat_map(|it| it.owner.iter().chain(&it.previous_owner)).cloned());
        others.extend(self.owner.iter().chain(&self.previous_owner).cloned());
        others
    }
}

/// The members in which a copy differs from the number document; all of the copy's when there is
/// none.
fn differences(truth: Option<&Body>, copy: &Body) -> Vec<String> {
    let (truth, copy) = (truth.map(mirror::mirrored).unwrap_or_default(), mirror::mirrored(copy));
    let keys: BTreeSet<&String> = truth.keys().chain(copy.keys()).collect();
    keys.into_iter().filter(|key| truth.get(*key) != copy.get(*key)).cloned().collect()
}

/// An error with what it came from, in one line.
fn cause(err: &RepositoryError) -> String {
    match std::error::Error::source(err) {
        Some(source) => format!("{err}: {source}"),
        None => err.to_string(),
    }
}
