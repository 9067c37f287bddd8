//! Whose word it is that a number may have a feature or not.

use super::{Facts, FeatureList, Finding, Repair};
use crate::domain::{FeatureRules, KNOWN_FEATURES, LOCAL_FEATURE, Number, State};

/// One feature, and who allows or denies it.
#[derive(Clone, Debug)]
pub struct FeaturePermission {
    /// The feature.
    pub feature: &'static str,
    /// Whether the number may have it.
    pub is_allowed: bool,
    /// Who says so.
    pub by: &'static str,
    /// What would allow it, where one call does.
    pub repair: Option<Repair>,
}

/// Why a number may not have a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Denial {
    NotAllowedByNumber,
    NotAllowedBySystem,
    DeniedByNumber,
    DeniedBySystem,
    AdminOnly,
    Unowned,
    Local,
    NoTrunk,
    Otherwise,
}

/// Every feature that there is.
pub(super) fn all(facts: &Facts<'_>) -> Vec<FeaturePermission> {
    let Some(number) = facts.number else { return Vec::new() };
    let rules = &facts.settings.features;
    let is_admin = facts.actor.is_admin;
    let available = rules.available(number, is_admin);
    let permission = |feature: &'static str| {
        if available.iter().any(|it| it == feature) {
            let by = if number.features_allowed.is_empty() { "system" } else { "number" };
            return FeaturePermission { feature, is_allowed: true, by, repair: None };
        }
        let denial = denial(rules, number, feature, is_admin);
        let repair = repair(denial, feature);
        FeaturePermission { feature, is_allowed: false, by: denial.by(), repair }
    };
    KNOWN_FEATURES.into_iter().map(permission).collect()
}

/// The features in force that are denied.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(number) = facts.number else { return Vec::new() };
    let in_force = |it: &FeaturePermission| {
        it.feature != LOCAL_FEATURE && number.features.contains_key(it.feature)
    };
    let denied = all(facts).into_iter().filter(|it| !it.is_allowed && in_force(it));
    let finding = |it: FeaturePermission| {
        let message = format!("feature {} is in force and denied by {}", it.feature, it.by);
        Finding::new("feature_denied", message, it.repair)
    };
    denied.map(finding).collect()
}

/// The first reason, in the order in which [`FeatureRules::available`] looks.
fn denial(rules: &FeatureRules, number: &Number, feature: &str, is_admin: bool) -> Denial {
    let names = |list: &[String]| list.iter().any(|it| it == feature);
    let own = &number.features_allowed;
    if !names(if own.is_empty() { &rules.allow } else { own }) {
        return if own.is_empty() {
            Denial::NotAllowedBySystem
        } else {
            Denial::NotAllowedByNumber
        };
    }
    if feature == "carrier_name" && !is_admin {
        return Denial::AdminOnly;
    }
    if !number.features_denied.is_empty() {
        return Denial::DeniedByNumber;
    }
    if feature == "failover" && number.used_by.as_deref() != Some("trunkstore") {
        return Denial::NoTrunk;
    }
    if number.owner.is_none() || number.state == State::Discovery {
        return Denial::Unowned;
    }
    match &rules.deny {
        Some(deny) if names(deny) => Denial::DeniedBySystem,
        None if number.is_local() => Denial::Local,
        _ => Denial::Otherwise,
    }
}

fn repair(denial: Denial, feature: &str) -> Option<Repair> {
    let on =
        |list, is_allowed| Some(Repair::Feature { list, is_allowed, feature: feature.to_owned() });
    match denial {
        Denial::NotAllowedByNumber => on(FeatureList::Number, true),
        Denial::NotAllowedBySystem => on(FeatureList::System, true),
        Denial::DeniedByNumber => on(FeatureList::Number, false),
        Denial::DeniedBySystem => on(FeatureList::System, false),
        Denial::Local => Some(Repair::LocalOverride),
        Denial::AdminOnly | Denial::Unowned | Denial::NoTrunk | Denial::Otherwise => None,
    }
}

impl Denial {
    fn by(self) -> &'static str {
        match self {
            Self::NotAllowedByNumber | Self::DeniedByNumber => "number",
            Self::NotAllowedBySystem | Self::DeniedBySystem => "system",
            Self::AdminOnly => "rule: only administrators may have it",
            Self::Unowned => "rule: nobody owns the number",
            Self::Local => "rule: the number is local",
            Self::NoTrunk => "rule: the number is not used by trunkstore",
            Self::Otherwise => "rule",
        }
    }
}
