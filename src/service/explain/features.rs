//! Whose word it is that a number may have a feature or not.

use super::{Facts, FeatureList, Finding, Repair};
use crate::domain::{Denial, KNOWN_FEATURES, LOCAL_FEATURE, Layer};

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

/// Every feature that there is.
pub(super) fn all(facts: &Facts<'_>) -> Vec<FeaturePermission> {
    let (Some(number), Some(terms)) = (facts.number, facts.terms) else { return Vec::new() };
    let permission =
        |feature: &'static str| match terms.denial(number, feature, facts.actor.is_admin) {
            None => {
                let by = list_of(terms.allowed_by(number));
                FeaturePermission { feature, is_allowed: true, by, repair: None }
            }
            Some(denial) => {
                let repair = repair(facts, denial, feature);
                FeaturePermission { feature, is_allowed: false, by: said_by(denial), repair }
            }
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

fn repair(facts: &Facts<'_>, denial: Denial, feature: &str) -> Option<Repair> {
    let on = |layer, is_allowed| {
        let list = match layer {
            Layer::Number => FeatureList::Number,
            Layer::Reseller => FeatureList::ResellerOf(facts.account?.clone()),
            Layer::System => FeatureList::System,
        };
        Some(Repair::Feature { list, is_allowed, feature: feature.to_owned() })
    };
    match denial {
        Denial::NotAllowed(layer) => on(layer, true),
        Denial::Denied(layer) => on(layer, false),
        Denial::Local => Some(Repair::LocalOverride),
        Denial::AdminOnly | Denial::Unowned | Denial::NoTrunk | Denial::NoMessages => None,
    }
}

fn said_by(denial: Denial) -> &'static str {
    match denial {
        Denial::NotAllowed(layer) | Denial::Denied(layer) => list_of(layer),
        Denial::AdminOnly => "rule: only administrators may have it",
        Denial::Unowned => "rule: nobody owns the number",
        Denial::Local => "rule: the number is local",
        Denial::NoTrunk => "rule: the number is not used by trunkstore",
        Denial::NoMessages => "rule: the number or its carrier has no messages",
    }
}

fn list_of(layer: Layer) -> &'static str {
    match layer {
        Layer::Number => "number",
        Layer::Reseller => "reseller",
        Layer::System => "system",
    }
}
