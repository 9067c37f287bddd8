//! Why a number is as it is, what is wrong with it, and what repairs that.
//!
//! One file per group of findings, each a pure function over what was read: `identity`, `copies`,
//! `usage`, `features`, `transitions`.

mod copies;
mod features;
mod identity;
mod transitions;
mod usage;

use std::collections::BTreeSet;

pub use self::{
    features::FeaturePermission,
    transitions::{Guard, Transition},
};
use super::{Application, Error, FoundCopy, Inspection, NumberService, Version};
use crate::{
    domain::{
        AccountId, Actor, CarrierName, Converter, E164, FeatureTerms, Lineage, Number,
        number_database,
    },
    repository::Settings,
};

/// Everything that there is to say of one number.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The number.
    pub id: E164,
    /// The rule that made the number of the text that was asked for; none when it was one already.
    pub converter: Option<Converter>,
    /// The class that it is in.
    pub classifier: Option<String>,
    /// Whether the number, read again, is itself.
    pub is_canonical: bool,
    /// The database of its document, not encoded.
    pub database: String,
    /// What is stored of it.
    pub seen: Inspection,
    /// The documents of its owner's applications that route it.
    pub apps: Vec<Application>,
    /// Every state with what forbids it.
    pub transitions: Vec<Transition>,
    /// Every feature with whose word it is.
    pub features: Vec<FeaturePermission>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: &'static str,
    /// The same in words.
    pub message: String,
    /// What repairs it, where one call does.
    pub repair: Option<Repair>,
}

/// A call that repairs something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Brings the copies in these accounts in line with the number document.
    Copies(Vec<AccountId>),
    /// Keeps this revision and removes the others.
    KeepRevision(String),
    /// Says what the number is used by.
    UsedBy(Option<String>),
    /// Gives the number another carrier.
    Carrier(CarrierName),
    /// Changes the rule of what may become a number; `None` for the default.
    ReconcileRule(Option<String>),
    /// Changes what becomes of released numbers.
    ReleasedState(&'static str),
    /// Lets local numbers have features of outside providers.
    LocalOverride,
    /// Puts it in service for an account, whatever it was.
    Reconcile(AccountId),
    /// Adds a feature to a list of allowed ones, or takes one off a list of denied ones.
    Feature {
        /// Whose list.
        list: FeatureList,
        /// Whether it is the list of what is allowed.
        is_allowed: bool,
        /// The feature.
        feature: String,
    },
}

/// Whose list of features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureList {
    /// The number's own.
    Number,
    /// Of the reseller of this account.
    ResellerOf(AccountId),
    /// The system's.
    System,
}

/// What was read.
struct Facts<'a> {
    actor: &'a Actor,
    id: &'a E164,
    is_canonical: bool,
    settings: &'a Settings,
    seen: &'a Inspection,
    number: Option<&'a Number>,
    /// The lineage of the owner, as far as it exists.
    owner: Option<&'a Lineage>,
    /// The account that calls are about: the owner, else whoever had it last.
    account: Option<&'a AccountId>,
    taker: Option<&'a Lineage>,
    /// The accounts of its history that exist.
    reservers: &'a BTreeSet<AccountId>,
    apps: &'a [Application],
    /// What decides which features it may have.
    terms: Option<&'a FeatureTerms<'a>>,
    now: i64,
}

impl Finding {
    fn new(kind: &'static str, message: impl Into<String>, repair: Option<Repair>) -> Self {
        Self { kind, message: message.into(), repair }
    }
}

impl NumberService {
    /// Explains the number that `asked` means. `account` is the one that the question is about, if
    /// any; `deep` looks for copies in every account.
    ///
    /// # Errors
    ///
    /// [`Error::NotReconcilable`], [`Error::NotFound`] also for what the actor's account does not
    /// hold, [`Error::Forbidden`] for `deep` by all but administrators, and those of every read.
    pub async fn explain(
        &self,
        actor: &Actor,
        asked: &str,
        account: Option<&AccountId>,
        deep: bool,
    ) -> Result<Explanation, Error> {
        if deep && !actor.is_admin {
            return Err(Error::forbidden());
        }
        let settings = self.settings.get().await?;
        let numbering = &settings.numbering;
        let id = self.stored_id(asked).await?;
        let accounts: BTreeSet<_> =
            account.filter(|_| actor.is_admin).cloned().into_iter().collect();
        let seen = self.numbers.inspect(&id, accounts, deep).await?;
        let number =
            seen.versions.first().and_then(|version| version.number.as_ref().ok()).cloned();
        let owner = match &number {
            Some(number) => self.owner_of(number).await?,
            None => None,
        };
        let is_own = number.as_ref().is_some_and(|it| it.is_changeable_by(actor, owner.as_ref()));
        let is_nothing = seen.versions.is_empty() && !seen.is_tombstone && seen.copies.is_empty();
        if is_nothing || !actor.is_admin && !is_own {
            return Err(Error::NotFound(id));
        }
        let apps = match (&owner, number.as_ref().and_then(|number| number.used_by.as_ref())) {
            (Some(owner), Some(_)) => {
                let asked = std::slice::from_ref(&id);
                self.numbers.applications(&owner.account, asked).await?.concat()
            }
            _ => Vec::new(),
        };
        let reservers = match &number {
            Some(number) => self.existing_reservers(number).await?,
            None => BTreeSet::new(),
        };
        let about = account.or(seen.owner.as_ref()).or(seen.previous_owner.as_ref());
        let taker = match about {
            Some(account) => self.accounts.get(account).await?.map(|account| account.lineage()),
            None => None,
        };
        let terms = match &number {
            Some(number) => Some(self.feature_terms(number, &settings).await?),
            None => None,
        };
        let facts = Facts {
            actor,
            id: &id,
            is_canonical: numbering.parse(id.as_str()).is_ok_and(|again| again == id),
            settings: &settings,
            seen: &seen,
            number: number.as_ref(),
            owner: owner.as_ref(),
            account: taker.as_ref().map(|taker| &taker.account),
            taker: taker.as_ref(),
            reservers: &reservers,
            apps: &apps,
            terms: terms.as_ref(),
            now: self.numbers.now(),
        };
        let mut explanation = Explanation {
            converter: numbering.converter_of(asked).cloned(),
            classifier: numbering.classify(id.as_str()).map(|class| class.name().to_owned()),
            is_canonical: facts.is_canonical,
            database: number_database(&id),
            transitions: transitions::all(&facts),
            features: features::all(&facts),
            findings: facts.findings(),
            apps: apps.clone(),
            seen: seen.clone(),
            id: id.clone(),
        };
        if !actor.is_admin {
            explanation.keep_to(owner.as_ref());
        }
        Ok(explanation)
    }
}

impl Facts<'_> {
    fn findings(&self) -> Vec<Finding> {
        let groups = [identity::findings, copies::findings, usage::findings, features::findings];
        groups.into_iter().flat_map(|group| group(self)).collect()
    }
}

impl Explanation {
    /// Leaves out what is not the holder's to know: other accounts, and calls that only
    /// administrators may make.
    fn keep_to(&mut self, owner: Option<&Lineage>) {
        let own = owner.map(|owner| &owner.account);
        self.seen.copies.retain(|copy| Some(&copy.account) == own);
        self.seen.previous_owner = None;
        self.seen.versions.truncate(1);
        let repairs = self.findings.iter_mut().map(|finding| &mut finding.repair);
        let repairs = repairs.chain(self.transitions.iter_mut().map(|it| &mut it.repair));
        let repairs = repairs.chain(self.features.iter_mut().map(|it| &mut it.repair));
        repairs.for_each(|repair| *repair = None);
        self.findings.retain(|finding| !copies::OF_OTHERS.contains(&finding.kind));
    }
}
