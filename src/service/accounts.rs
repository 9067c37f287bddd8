//! Accounts, for installations that have no other program to keep them.

use super::{Account, AccountRule, Error, NumberService};
use crate::{
    domain::{AccountId, Actor},
    repository::RepositoryError,
};

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// The account above it; `None` for a root.
    pub parent: Option<AccountId>,
    /// Whether it bills its descendants.
    pub is_reseller: bool,
    /// Whether it may add numbers.
    pub may_add_numbers: bool,
    /// Whether it is in use.
    pub enabled: bool,
}

impl NumberService {
    /// Reads an account.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], and those of every read.
    pub async fn account(&self, id: &AccountId) -> Result<Account, Error> {
        let found = self.accounts.get(id).await?;
        found.map(|found| Account::clone(&found)).ok_or_else(|| Error::NoAccount(id.clone()))
    }

    /// Creates an account; administrators only. Safe to repeat with the same values.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators and where another program keeps the accounts,
    /// [`Error::NoAccount`] for an unknown parent, [`Error::AccountExists`] when there is one of
    /// that id with other values, and those of every write.
    pub async fn create_account(
        &self,
        actor: &Actor,
        id: &AccountId,
        new: NewAccount,
    ) -> Result<Account, Error> {
        self.may_keep_accounts(actor)?;
        let parent = match &new.parent {
            Some(parent) => Some(self.account(parent).await?),
            None => None,
        };
        let account = Account {
            id: id.clone(),
            name: new.name,
            reseller: reseller_below(parent.as_ref(), id),
            ancestors: ancestors_below(parent),
            is_reseller: new.is_reseller,
            may_add_numbers: new.may_add_numbers,
            enabled: new.enabled,
            is_admin: false,
        };
        match self.accounts.create(account, self.numbers.now()).await {
            Err(RepositoryError::Conflict { .. }) => Err(Error::AccountExists(id.clone())),
            created => Ok(created?),
        }
    }

    /// Changes whether an account may add numbers; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NoAccount`], and those of every write.
    pub async fn allow_additions(
        &self,
        actor: &Actor,
        id: &AccountId,
        allowed: bool,
    ) -> Result<Account, Error> {
        // Whoever keeps the accounts: this member is about numbers.
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let changed = self.accounts.allow_additions(id, allowed, self.numbers.now()).await?;
        changed.ok_or_else(|| Error::NoAccount(id.clone()))
    }

    fn may_keep_accounts(&self, actor: &Actor) -> Result<(), Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        match self.account_rule {
            AccountRule::Ours => Ok(()),
            AccountRule::Foreign => {
                let cause = "accounts are kept by another program (setting accounts.manage)";
                Err(Error::Forbidden { cause: Some(cause.to_owned()) })
            }
        }
    }
}

fn ancestors_below(parent: Option<Account>) -> Vec<AccountId> {
    parent.map_or_else(Vec::new, |parent| {
        let mut ancestors = parent.ancestors;
        ancestors.push(parent.id);
        ancestors
    })
}

/// The nearest account above that bills its descendants; a root bills itself.
fn reseller_below(parent: Option<&Account>, id: &AccountId) -> Option<AccountId> {
    match parent {
        None => Some(id.clone()),
        Some(parent) if parent.is_reseller => Some(parent.id.clone()),
        Some(parent) => parent.reseller.clone(),
    }
}
