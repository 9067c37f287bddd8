//! The stored lists of allowed and denied features: of a number, of a reseller, of the system.
//!
//! A change to a list that is inherited first copies it. Where the copy would say the same as what
//! is inherited, a number's own list is given up again.

use serde_json::{Map, Value};

use super::{
    Error, NumberService, Terms,
    change::{Operation, Target, must_exist},
};
use crate::{
    domain::{
        AccountId, Actor, DEFAULT_FEATURES, Denial, E164, FeatureRules, FeatureTerms,
        KNOWN_FEATURES, Number, changed_list, is_same_list,
    },
    repository::{Decision, Opened, RepositoryError, Settings, SettingsDocument, SettingsName},
};

/// The member of a document of settings that holds both lists.
const FEATURES: &str = "features";
/// The section of the platform's settings.
const DEFAULT: &str = "default";
/// The feature that only administrators may use.
pub(super) const ADMIN_ONLY: &str = "carrier_name";
/// How often a document is read and decided about again because somebody else was faster.
const TRIES: u32 = 5;

/// Whose lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureHolder {
    /// A number's own.
    Number(E164),
    /// Those of the reseller of an account.
    ResellerOf(AccountId),
    /// The system's.
    System,
}

/// Which of the two lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureListKind {
    /// What is allowed.
    Allowed,
    /// What is denied.
    Denied,
}

/// Both lists, and what comes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeaturePermissions {
    /// The holder's own list of allowed features; empty when it has none.
    pub allowed: Vec<String>,
    /// The holder's own list of denied features; empty when it has none.
    pub denied: Vec<String>,
    /// What is allowed, inherited or not.
    pub effective_allowed: Vec<String>,
    /// What of it is denied.
    pub effective_denied: Vec<String>,
    /// What is left.
    pub available: Vec<String>,
    /// The reseller whose lists these are.
    pub reseller: Option<AccountId>,
}

/// The lists of a document of settings, as far as they are there.
#[derive(Clone, Debug, Default)]
struct Lists {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
}

impl NumberService {
    /// Reads the lists of a holder; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NotFound`], [`Error::NoAccount`], [`Error::Invalid`] for an
    /// account without a reseller, and those of every read.
    pub async fn feature_permissions(
        &self,
        actor: &Actor,
        holder: &FeatureHolder,
    ) -> Result<FeaturePermissions, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let settings = self.settings.get().await?;
        match holder {
            FeatureHolder::Number(id) => {
                let found = self.numbers.get(id).await?;
                let (number, _) = found.ok_or_else(|| Error::NotFound(id.clone()))?;
                let terms = self.feature_terms(&number, &settings).await?;
                Ok(of_number(&number, &terms))
            }
            FeatureHolder::ResellerOf(account) => {
                let reseller = self.lists_of(account).await?;
                let document =
                    self.settings.document(&SettingsName::Account(reseller.clone())).await?;
                let lists = Lists::read(Some(&document.body));
                Ok(FeaturePermissions {
                    reseller: Some(reseller),
                    ..of_lists(&lists, &settings.features)
                })
            }
            FeatureHolder::System => {
                let document = self.settings.document(&SettingsName::System).await?;
                let lists = Lists::read(document.body.get(DEFAULT).and_then(Value::as_object));
                Ok(of_lists(&lists, &settings.features))
            }
        }
    }

    /// Adds a feature to a list or takes it off; administrators only. Repeated, it changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFeature`], [`Error::Invalid`] when a number's list would be empty and so mean
    /// the opposite, and those of [`NumberService::feature_permissions`] and of every write.
    pub async fn change_feature(
        &self,
        actor: &Actor,
        holder: &FeatureHolder,
        (kind, add): (FeatureListKind, bool),
        feature: &str,
    ) -> Result<FeaturePermissions, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        if !KNOWN_FEATURES.contains(&feature) {
            return Err(Error::UnknownFeature(feature.to_owned()));
        }
        match holder {
            FeatureHolder::Number(id) => {
                let settings = &*self.settings.get().await?;
                let target = Target { actor, account: None, settings, terms: Terms::default() };
                self.change(&target, id, &ChangeList { kind, add, feature }).await?;
            }
            FeatureHolder::ResellerOf(account) => {
                let reseller = self.lists_of(account).await?;
                let system = self.settings.get().await?;
                let name = SettingsName::Account(reseller);
                let change = |own: &Lists| own.changed(&system.features, (kind, add), feature);
                self.change_lists(&name, change).await?;
            }
            FeatureHolder::System => {
                let change = |own: &Lists| own.system_change((kind, add), feature);
                self.change_lists(&SettingsName::System, change).await?;
            }
        }
        self.feature_permissions(actor, holder).await
    }

    /// Writes the list of features that are allowed by default; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], and those of every write.
    pub async fn reset_allowed_features(&self, actor: &Actor) -> Result<FeaturePermissions, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let change = |own: &Lists| {
            let mut allow = DEFAULT_FEATURES.map(str::to_owned).to_vec();
            allow.sort();
            let is_so = own.allow.as_ref() == Some(&allow);
            (!is_so).then_some((FeatureListKind::Allowed, allow))
        };
        self.change_lists(&SettingsName::System, change).await?;
        self.feature_permissions(actor, &FeatureHolder::System).await
    }

    /// Makes sure that the system allows what only administrators may use; administrators only.
    /// Returns the feature that had to be added.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], and those of every write.
    pub async fn ensure_admin_only_features(
        &self,
        actor: &Actor,
    ) -> Result<(Option<&'static str>, FeaturePermissions), Error> {
        let before = self.feature_permissions(actor, &FeatureHolder::System).await?;
        if before.effective_allowed.iter().any(|it| it == ADMIN_ONLY) {
            return Ok((None, before));
        }
        let change = (FeatureListKind::Allowed, true);
        let after = self.change_feature(actor, &FeatureHolder::System, change, ADMIN_ONLY).await?;
        Ok((Some(ADMIN_ONLY), after))
    }

    /// The application of an account that routes a number, by its documents. A
    /// callflow comes before a trunk.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NoAccount`], and those of every read.
    pub async fn app_using(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
    ) -> Result<Option<&'static str>, Error> {
        let lineage = self.lineage(account).await?;
        if !actor.rules(&lineage) {
            return Err(Error::forbidden());
        }
        let found = self.numbers.applications(account, std::slice::from_ref(number)).await?;
        Ok(found.iter().flatten().map(|document| document.app).min())
    }

    /// The account whose lists are those of an account's reseller.
    async fn lists_of(&self, account: &AccountId) -> Result<AccountId, Error> {
        let account = self.account(account).await?;
        let none = || Error::Invalid { cause: format!("account {} has no reseller", account.id) };
        account.reseller.clone().ok_or_else(none)
    }

    /// Reads a document of settings, lets `change` decide about its lists, and writes it.
    async fn change_lists(
        &self,
        name: &SettingsName,
        change: impl Fn(&Lists) -> Option<(FeatureListKind, Vec<String>)>,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            let SettingsDocument { mut body, rev } = self.settings.document(name).await?;
            let members = match name {
                SettingsName::System => object(&mut body, DEFAULT)?,
                SettingsName::Vendor(_) | SettingsName::Account(_) => &mut body,
            };
            let Some((kind, list)) = change(&Lists::read(Some(members))) else {
                return Ok(());
            };
            let lists = object(members, FEATURES)?;
            lists.insert(kind.key().to_owned(), list.into());
            if *name == SettingsName::System {
                Settings::read(members).map_err(Error::Setting)?;
            }
            let document = SettingsDocument { body, rev };
            match self.settings.write_document(name, document, self.numbers.now()).await {
                Err(RepositoryError::Conflict { .. }) => (),
                written => return Ok(written.map(drop)?),
            }
        }
        Err(Error::Conflict)
    }
}

/// Changes a list of a number.
struct ChangeList<'a> {
    kind: FeatureListKind,
    add: bool,
    feature: &'a str,
}

impl Operation for ChangeList<'_> {
    const IS_CHARGED: bool = false;
    const CONCERNS_FEATURES: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        let change = (self.kind, self.add);
        let terms = service.feature_terms(&stored.number, target.settings).await?;
        change_number(&mut stored.number, &terms, change, self.feature)?;
        Ok(Decision::save(stored))
    }
}

impl FeatureListKind {
    fn key(self) -> &'static str {
        match self {
            Self::Allowed => "allow",
            Self::Denied => "deny",
        }
    }
}

impl Lists {
    fn read(members: Option<&Map<String, Value>>) -> Self {
        let texts = |value: &Value| {
            let texts = value.as_array()?.iter().filter_map(Value::as_str);
            Some(texts.map(str::to_owned).collect())
        };
        let lists = members.and_then(|members| members.get(FEATURES));
        let list = |key| lists.and_then(|lists| lists.get(key)).and_then(texts);
        // The list of an older configuration stands in for the one of what is allowed.
        let providers = || members.and_then(|it| it.get("providers")).and_then(texts);
        Self { allow: list("allow").or_else(providers), deny: list("deny") }
    }

    /// A change of a reseller's lists, which inherits the system's.
    fn changed(
        &self,
        system: &FeatureRules,
        (kind, add): (FeatureListKind, bool),
        feature: &str,
    ) -> Option<(FeatureListKind, Vec<String>)> {
        let none = Vec::new();
        let (own, inherited) = match kind {
            FeatureListKind::Allowed => (self.allow.as_deref(), &system.allow),
            FeatureListKind::Denied => {
                (self.deny.as_deref(), system.deny.as_ref().unwrap_or(&none))
            }
        };
        changed_list(own, inherited, feature, add).map(|list| (kind, list))
    }

    /// A change of the system's lists, which inherit what is allowed by default. No list of what
    /// is denied is inherited: the first entry puts one in place of the rule for local numbers.
    fn system_change(
        &self,
        (kind, add): (FeatureListKind, bool),
        feature: &str,
    ) -> Option<(FeatureListKind, Vec<String>)> {
        let (own, inherited) = match kind {
            FeatureListKind::Allowed => {
                (self.allow.as_deref(), DEFAULT_FEATURES.map(str::to_owned).to_vec())
            }
            FeatureListKind::Denied => (self.deny.as_deref(), Vec::new()),
        };
        changed_list(own, &inherited, feature, add).map(|list| (kind, list))
    }
}

/// What a number inherits: what is allowed, and what of everything is denied to it by rule. That
/// there are no messages is no list's to say.
fn inherited(number: &Number, terms: &FeatureTerms<'_>) -> (Vec<String>, Vec<String>) {
    let known = KNOWN_FEATURES.map(str::to_owned).to_vec();
    let bare =
        Number { features_allowed: known.clone(), features_denied: Vec::new(), ..number.clone() };
    let is_denied = |feature: &String| {
        terms.denial(&bare, feature, true).is_some_and(|denial| denial != Denial::NoMessages)
    };
    (terms.inherited().to_vec(), known.into_iter().filter(is_denied).collect())
}

fn change_number(
    number: &mut Number,
    terms: &FeatureTerms<'_>,
    (kind, add): (FeatureListKind, bool),
    feature: &str,
) -> Result<(), Error> {
    let (allowed, denied) = inherited(number, terms);
    let (own, inherited) = match kind {
        FeatureListKind::Allowed => (&mut number.features_allowed, allowed),
        FeatureListKind::Denied => (&mut number.features_denied, denied),
    };
    let stored = Some(own.as_slice()).filter(|own| !own.is_empty());
    let Some(list) = changed_list(stored, &inherited, feature, add) else {
        return Ok(());
    };
    if list.is_empty() && !inherited.is_empty() {
        let cause = "a number's list that is empty counts as none".to_owned();
        return Err(Error::Invalid { cause });
    }
    *own = if is_same_list(&list, &inherited) { Vec::new() } else { list };
    Ok(())
}

/// The object under a key, made where there is none.
fn object<'a>(
    members: &'a mut Map<String, Value>,
    key: &str,
) -> Result<&'a mut Map<String, Value>, Error> {
    let value = members.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().ok_or_else(|| Error::Invalid { cause: format!("{key} is not an object") })
}

fn of_number(number: &Number, terms: &FeatureTerms<'_>) -> FeaturePermissions {
    let own = &number.features_allowed;
    let allowed = if own.is_empty() { terms.inherited() } else { own };
    let available = terms.available(number, true);
    let mut permissions = FeaturePermissions {
        allowed: own.clone(),
        denied: number.features_denied.clone(),
        effective_allowed: allowed.to_vec(),
        effective_denied: allowed.iter().filter(|it| !available.contains(it)).cloned().collect(),
        available,
        reseller: None,
    };
    permissions.sort();
    permissions
}

fn of_lists(own: &Lists, system: &FeatureRules) -> FeaturePermissions {
    let allowed = own.allow.clone().unwrap_or_else(|| system.allow.clone());
    let denied = own.deny.clone().or_else(|| system.deny.clone()).unwrap_or_default();
    let mut permissions = FeaturePermissions {
        allowed: own.allow.clone().unwrap_or_default(),
        denied: own.deny.clone().unwrap_or_default(),
        available: allowed.iter().filter(|it| !denied.contains(it)).cloned().collect(),
        effective_allowed: allowed,
        effective_denied: denied,
        reseller: None,
    };
    permissions.sort();
    permissions
}

impl FeaturePermissions {
    fn sort(&mut self) {
        for list in [&mut self.effective_allowed, &mut self.effective_denied, &mut self.available] {
            list.sort();
            list.dedup();
        }
    }
}
