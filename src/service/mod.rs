//! What can be done with a number: one file per operation, each an `impl` block of
//! [`NumberService`]. `change` holds the way that every write of numbers goes, one or many.

mod accounts;
mod activate;
mod batch;
mod carrier_usage;
mod carriers_info;
mod change;
mod classify;
mod convert_carrier;
mod create;
mod error;
mod explain;
mod feature_permissions;
mod filter;
mod fix;
mod identify;
mod list;
mod lookup;
mod porting;
mod reconcile;
mod release;
mod repair;
mod reserve;
mod system_config;
mod update;
mod walk;

pub use self::{
    accounts::NewAccount,
    batch::{Batch, NumbersRepeat, Outcomes},
    carrier_usage::CarrierUsage,
    carriers_info::CarriersInfo,
    change::{IfMatch, Terms},
    convert_carrier::{ConversionScope, Converted, Failure},
    create::Creation,
    error::Error,
    explain::{Explanation, FeatureList, FeaturePermission, Finding, Guard, Repair, Transition},
    feature_permissions::{FeatureHolder, FeatureListKind, FeaturePermissions},
    filter::Filter,
    identify::Identity,
    list::{AllQuery, ListQuery, Listing},
    lookup::NumberRecord,
    reconcile::Reconciliation,
    repair::Repairs,
    system_config::{MASK, Moved, SystemConfig},
    update::Update,
    walk::Walk,
};
pub use crate::repository::{
    Account, AppDocument, Claim, Claimed, FoundCopy, Inspection, Port, RequestRepository, Version,
};
use crate::{
    domain::{AccountId, Actor, E164, Lineage, Number},
    repository::{
        AccountRepository, MirrorStatus, NumberRepository, PortRepository, Saved, Settings,
        SettingsRepository,
    },
};

/// Everything that can be done with numbers.
#[derive(Clone, Debug)]
pub struct NumberService {
    numbers: NumberRepository,
    accounts: AccountRepository,
    settings: SettingsRepository,
    ports: PortRepository,
    account_rule: AccountRule,
}

/// Who keeps the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRule {
    /// This service: they can be created here.
    Ours,
    /// Another program: here they are only read.
    Foreign,
}

/// A number as it was read or saved, and what an answer says about it.
#[derive(Clone, Debug)]
pub struct NumberView {
    /// The number.
    pub number: Number,
    /// The revision of its document: the strong `ETag`. `None` when the document is gone.
    pub revision: Option<String>,
    /// The features that it may have, sorted.
    pub features_available: Vec<String>,
    /// Whether the copies in account databases are known to be right.
    pub mirror: Mirror,
}

/// How the copy in the account's database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// Equal to the number document.
    Synced,
    /// The number is stored; its copy follows.
    Pending,
}

impl NumberService {
    /// A service over these repositories.
    #[must_use]
    pub fn new(
        numbers: NumberRepository,
        accounts: AccountRepository,
        settings: SettingsRepository,
        account_rule: AccountRule,
    ) -> Self {
        let ports = PortRepository::beside(&numbers);
        Self { numbers, accounts, settings, ports, account_rule }
    }

    /// The number that `input` means, in any dialled form.
    ///
    /// # Errors
    ///
    /// [`Error::NotReconcilable`], or [`Error::Configuration`].
    pub async fn parse(&self, input: &str) -> Result<E164, Error> {
        let settings = self.settings.get().await?;
        settings.numbering.parse(input).map_err(|err| Error::NotReconcilable(err.0))
    }

    /// The actor that a token speaks for: an account, or none for the operator's own.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`] when the account is gone.
    pub async fn actor(&self, account: Option<&AccountId>, admin: bool) -> Result<Actor, Error> {
        let Some(id) = account else {
            return Ok(Actor { is_admin: admin, may_add_numbers: admin, ..Actor::operator() });
        };
        let account = self.account(id).await?;
        Ok(Actor {
            account: Some(account.id),
            is_admin: admin || account.is_admin,
            may_add_numbers: account.may_add_numbers,
            ancestors: account.ancestors,
        })
    }

    /// An account with its ancestors.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`] when there is none.
    pub async fn lineage(&self, account: &AccountId) -> Result<Lineage, Error> {
        let found = self.accounts.get(account).await?;
        found.map(|found| found.lineage()).ok_or_else(|| Error::NoAccount(account.clone()))
    }

    /// Succeeds when the store answers.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] and its like.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.numbers.ping().await?)
    }

    /// Why the stored settings are not the ones in force, if they are not.
    #[must_use]
    pub fn refused_settings(&self) -> Option<String> {
        self.settings.refused()
    }

    /// The lineage of a number's owner; none when nobody owns it or the owner is gone.
    async fn owner_of(&self, number: &Number) -> Result<Option<Lineage>, Error> {
        match &number.owner {
            None => Ok(None),
            Some(owner) => Ok(self.accounts.get(owner).await?.map(|account| account.lineage())),
        }
    }

    fn view(saved: Saved, settings: &Settings, actor: &Actor) -> NumberView {
        NumberView {
            features_available: settings.features.available(&saved.number, actor.is_admin),
            number: saved.number,
            revision: saved.rev.map(|rev| rev.as_str().to_owned()),
            mirror: match saved.mirror {
                MirrorStatus::Synced => Mirror::Synced,
                MirrorStatus::Pending => Mirror::Pending,
            },
        }
    }
}
