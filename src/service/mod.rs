//! What can be done with a number: one file per operation, each an `impl` block of
//! [`NumberService`]. `change` holds the way that every write of numbers goes, one or many.

mod accounts;
mod acquire;
mod activate;
mod age;
mod audit;
mod audit_sums;
mod batch;
mod billing;
mod carrier_list;
mod carrier_usage;
mod carriers_info;
mod change;
mod changes;
mod classify;
mod consistency;
mod convert_carrier;
mod copies;
mod copy_to_accounts;
mod copy_to_numbers;
mod create;
mod digests;
mod directory;
mod documents;
mod error;
mod expire;
mod explain;
mod feature_permissions;
mod features;
mod filter;
mod fix;
mod fix_account;
mod generate;
mod giving_back;
mod history;
mod identify;
mod leftovers;
mod letters;
mod list;
mod lookup;
mod migration;
mod outfit;
mod outside;
mod parting;
mod planning;
mod port_requests;
mod porting;
mod providing;
mod purge;
mod quantities;
mod reconcile;
mod release;
mod removal;
mod remove_copies;
mod remove_orphans;
mod repair;
mod reserve;
mod rows;
mod search;
mod settling;
mod sources;
mod sync;
mod system_config;
mod tables;
mod unassigned;
mod update;
mod used_by;
mod vendors;
mod views;
mod walk;

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use self::billing::{Billing, PriceList};
pub use self::{
    accounts::NewAccount,
    audit::Audit,
    batch::{Batch, NumbersRepeat, Outcomes},
    billing::{Invoice, InvoiceLine},
    carrier_list::{CarrierList, FOREIGN, MISSING_HERE, MISSING_THERE},
    carrier_usage::{CarrierUsage, database_scopes},
    carriers_info::CarriersInfo,
    change::{IfMatch, Terms},
    changes::ChangesError,
    convert_carrier::Conversion,
    copies::CopyWatch,
    create::Creation,
    digests::RangeSums,
    directory::DirectoryFault,
    documents::Brought,
    error::Error,
    expire::DATABASE_EXPIRED,
    explain::{Explanation, FeatureList, FeaturePermission, Finding, Guard, Repair, Transition},
    feature_permissions::{FeatureHolder, FeatureListKind, FeaturePermissions},
    filter::Filter,
    generate::{EXISTING, Generation},
    identify::Identity,
    list::{AllQuery, ListQuery, Listing},
    lookup::NumberRecord,
    outfit::Outfit,
    parting::{Parting, Shape},
    planning::{Failure, PageOutcome},
    purge::{Purge, Stretch},
    quantities::AccountQuantities,
    reconcile::Reconciliation,
    remove_copies::CONTRADICTING,
    remove_orphans::NO_ACCOUNT,
    repair::Repairs,
    rows::{RowDone, RowWish},
    search::{Found, SearchQuery, Searcher},
    settling::{
        BOUGHT, GIVEN_BACK, IN_DOUBT, LETTERS_SENT, LETTERS_TO_BE_SENT, NOT_BOUGHT, NOT_GIVEN_BACK,
        PROVIDERS_TO_BE_TOLD, PROVIDERS_TOLD, TO_BE_GIVEN_BACK, Unsettled,
    },
    system_config::{MASK, Moved, SystemConfig},
    tables::TablePage,
    update::Update,
    used_by::{CLAIMED_TWICE, NOT_OWNED},
    views::{CREATED, INSTALLED},
    walk::Walk,
};
pub use crate::{
    carriers::CarrierError,
    providers::ProviderError,
    repository::{
        Account, Application, Caller, Claim, Claimed, Cursor, Disconnect, Entry, EventPage,
        FoundCopy, History, HistoryKey, Inspection, LastAudit, Leftover, Origin, Port, Purchase,
        RequestRepository, Side, Sum, Summed, Version,
    },
};
use crate::{
    carriers::{Directory, OutsideCarriers},
    domain::{AccountId, Actor, E164, Lineage, Number},
    providers::{LogNotifier, Mailer, Notifier, Registry},
    repository::{
        AccountRepository, EventRepository, FeatureSettingsRepository, MirrorStatus,
        NumberRepository, PortRepository, Saved, Settings, SettingsRepository,
    },
};

/// Everything that can be done with numbers.
#[derive(Clone, Debug)]
pub struct NumberService {
    numbers: NumberRepository,
    accounts: AccountRepository,
    settings: SettingsRepository,
    ports: PortRepository,
    events: EventRepository,
    account_rule: AccountRule,
    outside: OutsideCarriers,
    directory: Directory,
    /// The outside carriers of this build that were opened.
    opened: vendors::Opened,
    /// The providers of vendors that were opened.
    opened_providers: providing::Opened,
    searches: search::Searches,
    /// Room for what is done outside right after a number was written.
    returning: Arc<Semaphore>,
    feature_settings: FeatureSettingsRepository,
    providers: Registry,
    notifier: Arc<dyn Notifier>,
    /// Who writes to humans, if that is set up.
    mailer: Option<Arc<Mailer>>,
    /// Whether writes are kept from the world: nobody outside is asked or told anything then.
    rehearses: bool,
    billing: Arc<dyn Billing>,
    /// What [`NumberService::cascade_quantity`] remembers.
    cascades: Cache<AccountId, u64>,
}

/// For how long a count of what descendants have is shown, at most.
const CASCADES_REMEMBERED: Duration = Duration::from_secs(30);
/// How many such counts are remembered, at most.
const REMEMBERED_CASCADES: u64 = 10_000;

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
    /// How those of them are switched on that can be in several ways.
    pub feature_settings: Map<String, Value>,
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
        feature_settings: FeatureSettingsRepository,
    ) -> Self {
        let (providers, notifier) = (Registry::default(), Arc::new(LogNotifier));
        let (ports, rehearses) = (PortRepository::beside(&numbers), false);
        let events = EventRepository::beside(&numbers);
        let billing = Arc::new(PriceList { numbers: numbers.clone() });
        let cascades = Cache::builder()
            .max_capacity(REMEMBERED_CASCADES)
            .time_to_live(CASCADES_REMEMBERED)
            .build();
        let (outside, directory) = (OutsideCarriers::default(), Directory::new());
        Self {
            numbers,
            accounts,
            settings,
            ports,
            events,
            account_rule,
            outside,
            directory,
            opened: vendors::Opened::default(),
            opened_providers: providing::Opened::default(),
            searches: search::remembered(),
            returning: Arc::new(Semaphore::new(giving_back::WAITING)),
            feature_settings,
            providers,
            notifier,
            mailer: None,
            rehearses,
            billing,
            cascades,
        }
    }

    /// The same service, which can ask these outside carriers.
    #[must_use]
    pub fn with_carriers(self, outside: OutsideCarriers) -> Self {
        Self { outside, ..self }
    }

    /// The same service, which notes who writes a number before it is written.
    #[must_use]
    pub fn with_trail(self) -> Self {
        Self { numbers: self.numbers.with_trail(), ..self }
    }

    /// The same service with other providers of features.
    #[must_use]
    pub fn with_providers(self, providers: Registry) -> Self {
        Self { providers, ..self }
    }

    /// The same service, whose notices are brought by somebody else than the log.
    #[must_use]
    pub fn with_notifier(self, notifier: Arc<dyn Notifier>) -> Self {
        Self { notifier, ..self }
    }

    /// The same service, which also writes to humans what they are told.
    #[must_use]
    pub fn with_mailer(self, mailer: Option<Mailer>) -> Self {
        Self { mailer: mailer.map(Arc::new), ..self }
    }

    /// The same service over a store that keeps its writes to itself. Nobody outside is asked or
    /// told anything.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        Self { numbers: self.numbers.rehearsal(), rehearses: true, ..self.clone() }
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

    /// What answers say of a number, by itself or in a list.
    async fn view(
        &self,
        saved: Saved,
        settings: &Settings,
        actor: &Actor,
    ) -> Result<NumberView, Error> {
        self.view_for(saved, settings, actor.is_admin).await
    }

    /// The same, for an administrator or for anybody else.
    async fn view_for(
        &self,
        saved: Saved,
        settings: &Settings,
        is_admin: bool,
    ) -> Result<NumberView, Error> {
        let terms = self.feature_terms(&saved.number, settings).await?;
        let features_available = terms.available(&saved.number, is_admin);
        Ok(NumberView {
            feature_settings: terms.settings(&features_available),
            features_available,
            number: saved.number,
            revision: saved.rev.map(|rev| rev.as_str().to_owned()),
            mirror: match saved.mirror {
                MirrorStatus::Synced => Mirror::Synced,
                MirrorStatus::Pending => Mirror::Pending,
            },
        })
    }
}
