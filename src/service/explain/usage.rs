//! Who uses the number: whether its owner's applications say so too.

use super::{Facts, Finding, Repair};

/// What a number is called that two applications use.
const BOTH: &str = "calltrunkflow";

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(used_by) = facts.number.and_then(|number| number.used_by.as_deref()) else {
        return Vec::new();
    };
    let is_app = |name: &str| facts.apps.iter().any(|document| document.app == name);
    let app = match (is_app("callflow"), is_app("trunkstore")) {
        (true, true) if used_by == BOTH => return Vec::new(),
        (true, _) => Some("callflow"),
        (false, true) => Some("trunkstore"),
        (false, false) => None,
    };
    if is_app(used_by) {
        return Vec::new();
    }
    let message = match app {
        None => {
            format!("used_by says {used_by}, and no document of an application names the number")
        }
        Some(app) => format!("used_by says {used_by}, and documents of {app} name the number"),
    };
    vec![Finding::new("unsupported_used_by", message, Some(Repair::UsedBy(app.map(str::to_owned))))]
}
