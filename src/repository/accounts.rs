//! Accounts: the document under the account's own id in its own database is the truth; `accounts`
//! holds a copy of each for listing.

use std::{collections::HashSet, sync::Arc, time::Duration};

use moka::future::Cache;
use serde_json::{Value, json};

use super::{ACCOUNTS_DATABASE, RepositoryError, write_id};
use crate::{
    domain::{AccountId, Lineage, account_database, encoded},
    store::{
        Body, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Page, Query, Question,
        SharedStore, StoreError, WRITE_ID, Write,
    },
};

/// For how long an account that was read counts as known, at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many accounts are remembered, at most.
const REMEMBERED_ACCOUNTS: u64 = 10_000;

/// What the service needs to know of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the stored document")]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its ancestors, root first.
    pub ancestors: Vec<AccountId>,
    /// The account that bills it.
    pub reseller: Option<AccountId>,
    /// Whether it bills its descendants.
    pub is_reseller: bool,
    /// Whether it may add numbers.
    pub may_add_numbers: bool,
    /// Whether it is in use.
    pub enabled: bool,
    /// Whether it runs the platform.
    pub is_admin: bool,
}

/// For how long it counts as known who has accounts below, at most.
const PARENTS_REMEMBERED: Duration = Duration::from_secs(30);
/// How many accounts are read at once to find out.
const READ_AT_ONCE: usize = 500;

/// Reads and creates accounts.
#[derive(Clone, Debug)]
pub struct AccountRepository {
    store: SharedStore,
    known: Cache<AccountId, Arc<Account>>,
    /// Everybody who has accounts below, under one key.
    parents: Cache<(), Arc<HashSet<AccountId>>>,
}

/// A page of the accounts below one.
#[derive(Clone, Debug)]
pub struct BelowPage {
    /// The accounts; can be none though more follow.
    pub accounts: Vec<AccountId>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl AccountRepository {
    /// Accounts of this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        let known =
            Cache::builder().max_capacity(REMEMBERED_ACCOUNTS).time_to_live(REMEMBERED).build();
        let parents = Cache::builder().time_to_live(PARENTS_REMEMBERED).build();
        Self { store, known, parents }
    }

    /// Reads an account; what was read in the last five seconds is not read again. An account that
    /// is not there is looked for each time.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`] when the store fails or the document cannot be understood.
    pub async fn get(&self, id: &AccountId) -> Result<Option<Arc<Account>>, RepositoryError> {
        if let Some(account) = self.known.get(id).await {
            return Ok(Some(account));
        }
        let Some((account, _, _)) = self.read(id).await? else {
            return Ok(None);
        };
        let account = Arc::new(account);
        self.known.insert(id.clone(), account.clone()).await;
        Ok(Some(account))
    }

    /// A page of the accounts below one, at any distance. `after` goes on behind an id.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn below(
        &self,
        ancestor: &AccountId,
        after: Option<String>,
        limit: usize,
    ) -> Result<BelowPage, RepositoryError> {
        let page = self.page(after, limit).await?;
        let is_below = |account: &Account| account.ancestors.contains(ancestor);
        let accounts = page.documents.iter().filter_map(read_copy).filter(is_below);
        Ok(BelowPage { accounts: accounts.map(|account| account.id).collect(), next: page.next })
    }

    /// Whether an account has others below. What was found out in the last half minute is not found
    /// out again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn is_parent(&self, account: &AccountId) -> Result<bool, RepositoryError> {
        let parents = self.parents.try_get_with((), async {
            let mut parents = HashSet::new();
            let mut after = None;
            loop {
                let page = self.page(after, READ_AT_ONCE).await?;
                let accounts = page.documents.iter().filter_map(read_copy);
                parents.extend(accounts.flat_map(|account| account.ancestors));
                after = page.next;
                if after.is_none() {
                    return Ok(Arc::new(parents));
                }
            }
        });
        let parents = parents.await.map_err(|err: Arc<StoreError>| err.again())?;
        Ok(parents.contains(account))
    }

    /// A page of the copies of all accounts.
    async fn page(&self, after: Option<String>, limit: usize) -> Result<Page, StoreError> {
        let range = IdRange { from: String::new(), before: "\u{10ffff}".to_owned() };
        let (question, order) = (Question::All, Order::Ascending);
        let query = Query { question, range, order, after, limit };
        match self.store.query(&DbName::new(ACCOUNTS_DATABASE), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => {
                Ok(Page { documents: Vec::new(), next: None })
            }
            page => page,
        }
    }

    /// Creates an account: its database, then its document, then the copy in `accounts`. Safe to
    /// repeat with the same values.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when there is an account of that id with other values.
    pub async fn create(&self, account: Account, now: i64) -> Result<Account, RepositoryError> {
        let db = DbName::new(account_database(&account.id));
        self.store.create_database(&db).await?;
        let (stored, body) = if let Some((stored, body, _)) = self.read(&account.id).await? {
            (stored, body)
        } else {
            let body = new_document(&account, now);
            self.put(db, &account.id, Expect::Absent, body.clone()).await?;
            (account.clone(), body)
        };
        if stored != account {
            return Err(RepositoryError::Conflict { id: account.id.to_string() });
        }
        self.copy(&account.id, body).await?;
        Ok(stored)
    }

    /// Changes whether an account may add numbers.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else changes the account at the same time.
    pub async fn allow_additions(
        &self,
        id: &AccountId,
        allowed: bool,
        now: i64,
    ) -> Result<Option<Account>, RepositoryError> {
        let Some((mut account, mut body, expect)) = self.read(id).await? else {
            return Ok(None);
        };
        if account.may_add_numbers != allowed {
            account.may_add_numbers = allowed;
            body.insert("pvt_wnm_allow_additions".to_owned(), allowed.into());
            body.insert("pvt_modified".to_owned(), now.into());
            body.insert(WRITE_ID.to_owned(), write_id().into());
            self.put(DbName::new(account_database(id)), id, expect, body.clone()).await?;
        }
        self.copy(id, body).await?;
        self.known.invalidate(id).await;
        Ok(Some(account))
    }

    async fn read(
        &self,
        id: &AccountId,
    ) -> Result<Option<(Account, Body, Expect)>, RepositoryError> {
        let db = DbName::new(account_database(id));
        let Lookup::Live(document) = self.store.get(&db, id.as_str()).await? else {
            return Ok(None);
        };
        Ok(Some((decode(id, &document.body), document.body, Expect::At(document.rev))))
    }

    /// Brings the copy for listing in line.
    async fn copy(&self, id: &AccountId, body: Body) -> Result<(), RepositoryError> {
        let db = DbName::new(ACCOUNTS_DATABASE);
        let expect = match self.store.get(&db, id.as_str()).await? {
            Lookup::Live(copy) if copy.body == body => return Ok(()),
            Lookup::Live(copy) => Expect::At(copy.rev),
            Lookup::Deleted(_) | Lookup::Missing => Expect::Absent,
        };
        match self.put(db.clone(), id, expect.clone(), body.clone()).await {
            Err(RepositoryError::Store(err)) if err.kind == Kind::NoDatabase => {
                self.store.create_database(&db).await?;
                self.put(db, id, expect, body).await
            }
            done => done,
        }
    }

    async fn put(
        &self,
        db: DbName,
        id: &AccountId,
        expect: Expect,
        body: Body,
    ) -> Result<(), RepositoryError> {
        let write = Write::put(db, id.as_str(), expect, body);
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: id.to_string() })
            }
            Err(err) => Err(err.error.into()),
        }
    }
}

impl Account {
    /// The account with its ancestors.
    #[must_use]
    pub fn lineage(&self) -> Lineage {
        Lineage { account: self.id.clone(), ancestors: self.ancestors.clone() }
    }
}

/// The account that a copy is of; none when its id is no account's.
fn read_copy(copy: &Document) -> Option<Account> {
    Some(decode(&AccountId::parse(&copy.id).ok()?, &copy.body))
}

/// Reads what is needed; ids that are none are passed over, as KAZOO does.
fn decode(id: &AccountId, body: &Body) -> Account {
    let is = |key: &str| body.get(key).and_then(Value::as_bool);
    let account = |value: &Value| AccountId::parse_any(value.as_str()?).ok();
    let tree = body.get("pvt_tree").and_then(Value::as_array);
    Account {
        id: id.clone(),
        name: body.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        ancestors: tree.into_iter().flatten().filter_map(account).collect(),
        reseller: body.get("pvt_reseller_id").and_then(account),
        is_reseller: is("pvt_reseller").or_else(|| is("pvt_is_reseller")).unwrap_or(false),
        may_add_numbers: is("pvt_wnm_allow_additions").unwrap_or(false),
        enabled: is("pvt_enabled").unwrap_or(true),
        is_admin: is("pvt_superduper_admin").unwrap_or(false),
    }
}

fn new_document(account: &Account, now: i64) -> Body {
    let members = json!({
        "pvt_type": "account",
        "pvt_account_id": account.id.as_str(),
        "pvt_account_db": encoded(&account_database(&account.id)),
        "name": account.name,
        "pvt_tree": account.ancestors.iter().map(AccountId::as_str).collect::<Vec<_>>(),
        "pvt_reseller": account.is_reseller,
        "pvt_wnm_allow_additions": account.may_add_numbers,
        "pvt_enabled": account.enabled,
        "pvt_superduper_admin": account.is_admin,
        "pvt_created": now,
        "pvt_modified": now,
        WRITE_ID: write_id(),
    });
    let Value::Object(mut body) = members else { unreachable!("written as an object above") };
    if let Some(reseller) = &account.reseller {
        body.insert("pvt_reseller_id".to_owned(), reseller.as_str().into());
    }
    body
}
