//! Who asks, and over whom that one may decide.

use super::AccountId;

/// Who asks. There is no default: every operation takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The account, or none for the operator's own token.
    pub account: Option<AccountId>,
    /// Whether the actor runs the platform.
    pub is_admin: bool,
    /// Whether the actor's account may add numbers (`pvt_wnm_allow_additions`).
    pub may_add_numbers: bool,
    /// The ancestors of the actor's account, root first.
    pub ancestors: Vec<AccountId>,
}

/// An account with its ancestors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The account.
    pub account: AccountId,
    /// Its ancestors, root first.
    pub ancestors: Vec<AccountId>,
}

impl Actor {
    /// The operator.
    #[must_use]
    pub fn operator() -> Self {
        Self { account: None, is_admin: true, may_add_numbers: true, ancestors: Vec::new() }
    }

    /// Whether the actor may act for that account: an administrator, the account itself or one of
    /// its ancestors.
    #[must_use]
    pub fn rules(&self, lineage: &Lineage) -> bool {
        self.is_admin || self.account.as_ref().is_some_and(|account| lineage.holds(account))
    }

    /// Whether `account` is the actor's own or one of its ancestors.
    #[must_use]
    pub fn descends_from(&self, account: &AccountId) -> bool {
        self.account.as_ref() == Some(account) || self.ancestors.contains(account)
    }

    /// The name under which documents record the actor.
    #[must_use]
    pub fn name(&self) -> &str {
        self.account.as_ref().map_or("system", AccountId::as_str)
    }
}

impl Lineage {
    /// Whether `account` is the account or one of its ancestors.
    #[must_use]
    pub fn holds(&self, account: &AccountId) -> bool {
        self.account == *account || self.ancestors.contains(account)
    }
}
