//! The document and its copies: what is missing, stale or in the wrong place, and versions that
//! contradict each other.

use super::{Facts, Finding, FoundCopy, Repair};
use crate::domain::AccountId;

/// Findings that name accounts other than the owner.
pub(super) const OF_OTHERS: &[&str] = &["wrong_account", "two_accounts", "conflicting_revisions"];

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::from_iter(of_owner(facts));
    found.extend(of_others(facts));
    found.extend(of_versions(facts));
    found
}

fn of_owner(facts: &Facts<'_>) -> Option<Finding> {
    let owner = facts.number?.owner.as_ref()?;
    let repair = || Some(Repair::Copies(vec![owner.clone()]));
    if facts.owner.is_none() {
        let message = format!("the owner {owner} does not exist");
        return Some(Finding::new("unknown_owner", message, None));
    }
    let Some(copy) = facts.seen.copies.iter().find(|copy| copy.account == *owner) else {
        let message = format!("the owner {owner} has no copy");
        return Some(Finding::new("missing_copy", message, repair()));
    };
    (!copy.differs_in.is_empty()).then(|| {
        let members = copy.differs_in.join(", ");
        let message = format!("the copy of the owner {owner} differs in {members}");
        Finding::new("stale_copy", message, repair())
    })
}

/// Copies that belong to nobody, or beside the owner's.
fn of_others(facts: &Facts<'_>) -> Vec<Finding> {
    if facts.number.is_none() && !facts.seen.versions.is_empty() {
        // Nobody knows whose it is, so no copy is wrong for certain.
        return Vec::new();
    }
    let owner = facts.number.and_then(|number| number.owner.as_ref());
    let copies = &facts.seen.copies;
    let wrong: Vec<&FoundCopy> =
        copies.iter().filter(|copy| Some(&copy.account) != owner).collect();
    let mut found: Vec<Finding> = wrong.iter().map(|copy| wrong_account(&copy.account)).collect();
    if !wrong.is_empty() && copies.len() > 1 {
        let accounts: Vec<&str> = copies.iter().map(|copy| copy.account.as_str()).collect();
        let message = format!("{} accounts hold a copy: {}", accounts.len(), accounts.join(", "));
        let repair = Repair::Copies(wrong.iter().map(|copy| copy.account.clone()).collect());
        found.push(Finding::new("two_accounts", message, Some(repair)));
    }
    found
}

fn wrong_account(account: &AccountId) -> Finding {
    let message = format!("account {account} holds a copy and does not own the number");
    Finding::new("wrong_account", message, Some(Repair::Copies(vec![account.clone()])))
}

/// Versions that a split cluster or a restore left. Which one is right nobody can know from them,
/// so the one that counts is proposed, and another one can be kept as well.
fn of_versions(facts: &Facts<'_>) -> Option<Finding> {
    let [first, _, ..] = facts.seen.versions.as_slice() else { return None };
    let owner = |it: &super::Version| match &it.number {
        Ok(number) => number.owner.as_ref().map_or("nobody", AccountId::as_str).to_owned(),
        Err(_) => "cannot be read".to_owned(),
    };
    let versions = facts.seen.versions.iter().map(|it| format!("{} ({})", it.rev, owner(it)));
    let versions: Vec<String> = versions.collect();
    let message = format!("revisions contradict each other: {}", versions.join(", "));
    Some(Finding::new(
        "conflicting_revisions",
        message,
        Some(Repair::KeepRevision(first.rev.clone())),
    ))
}
