//! What the number is: whether it is stored, can be read, is still itself, and comes from somewhere.

use super::{Facts, Finding, Repair};
use crate::{carriers, domain::Numbering};

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    [tombstone(facts), unreadable(facts), not_itself(facts), unknown_carrier(facts)]
        .into_iter()
        .flatten()
        .collect()
}

fn tombstone(facts: &Facts<'_>) -> Option<Finding> {
    if !facts.seen.is_tombstone {
        return None;
    }
    let message = match &facts.seen.owner {
        Some(owner) => format!("the number was deleted; {owner} owned it"),
        None => "the number was deleted; nobody owned it".to_owned(),
    };
    let repair = facts.account.cloned().map(Repair::Reconcile);
    Some(Finding::new("tombstone", message, repair))
}

fn unreadable(facts: &Facts<'_>) -> Option<Finding> {
    let why = facts.seen.versions.first()?.number.as_ref().err()?;
    Some(Finding::new("unreadable", why.clone(), None))
}

/// Only the rule of what may become a number can make a stored one no longer itself: what begins
/// with `+` is not converted.
fn not_itself(facts: &Facts<'_>) -> Option<Finding> {
    if facts.is_canonical {
        return None;
    }
    let id = facts.id;
    let by_default = Numbering::default().parse(id.as_str()).is_ok_and(|again| again == *id);
    let pattern = facts.settings.numbering.reconcile_pattern();
    let wider = (!by_default).then(|| format!(r"{pattern}|^\{id}$"));
    let message = format!("{id} is no number by the rule {pattern}");
    Some(Finding::new("not_canonical", message, Some(Repair::ReconcileRule(wider))))
}

fn unknown_carrier(facts: &Facts<'_>) -> Option<Finding> {
    let carrier = &facts.number?.carrier;
    if carriers::find(carrier).is_some() {
        return None;
    }
    let known = &facts.settings.available_carrier;
    let repair = carriers::find(known).map(|_| Repair::Carrier(known.clone()));
    let message = format!("carrier {} is not known", carrier.as_str());
    Some(Finding::new("unknown_carrier", message, repair))
}
