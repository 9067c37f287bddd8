//! What a change of a number does to its features, before anybody outside is asked.

use serde_json::Value;

use super::{FeatureProvider, Hold, Step};
use crate::domain::{Denial, Number};

/// Features of older versions, which nothing reads any more.
const OBSOLETE: [&str; 3] = ["im", "cnam", "inbound_lookup"];

/// A feature that is asked for and that the number may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("feature '{feature}' is denied by {denial}")]
pub struct DeniedFeature {
    /// The feature.
    pub feature: &'static str,
    /// Why.
    pub denial: Denial,
}

/// Takes off what older versions left.
pub fn clean(number: &mut Number) {
    for feature in OBSOLETE {
        number.features.shift_remove(feature);
    }
}

/// Brings the features of one provider in line with what `after` asks for. What is denied is refused
/// when it is asked for newly; what the number carries already stays as it is, and what it asked for
/// earlier is not put back.
///
/// # Errors
///
/// [`DeniedFeature`].
pub fn plan(
    provider: &dyn FeatureProvider,
    before: Option<&Number>,
    after: &mut Number,
    denial: impl Fn(&Number, &str) -> Option<Denial>,
) -> Result<(), DeniedFeature> {
    let wanted = provider.wanted(&after.public);
    let asked = before.map(|before| provider.wanted(&before.public)).unwrap_or_default();
    let is_new = |wish: &&(&'static str, Value)| !asked.contains(wish);
    for wish in wanted.iter().filter(is_new) {
        if let Some(denial) = denial(after, wish.0).filter(|_| !provider.is_lenient()) {
            return Err(DeniedFeature { feature: wish.0, denial });
        }
    }
    let hold = provider.holds_in(after.state);
    for &feature in provider.features() {
        let wish = wanted.iter().find(|(name, _)| *name == feature);
        match (hold, wish) {
            (Hold::Left, _) => (),
            (Hold::Dropped, _) | (Hold::Held, None) => {
                after.features.shift_remove(feature);
            }
            (Hold::Held, Some(wish)) => {
                let is_put = provider.rearms() || is_new(&wish);
                if is_put && denial(after, feature).is_none() {
                    after.features.insert(feature.to_owned(), wish.1.clone());
                }
            }
        }
    }
    Ok(())
}

/// Whether a change concerns the features of a provider.
#[must_use]
pub fn differs(provider: &dyn FeatureProvider, step: Step<'_>) -> bool {
    provider.features().iter().any(|name| step.put(name).or(step.taken(name)).is_some())
}

/// Whether a change puts any of the features of a provider on the number.
#[must_use]
pub fn puts(provider: &dyn FeatureProvider, step: Step<'_>) -> bool {
    provider.features().iter().any(|name| step.put(name).is_some())
}

impl<'a> Step<'a> {
    /// The settings of a feature that is put on the number, or that change.
    #[must_use]
    pub fn put(&self, feature: &str) -> Option<&'a Value> {
        let before = self.before.and_then(|before| before.features.get(feature));
        self.after?.features.get(feature).filter(|after| Some(*after) != before)
    }

    /// The settings of a feature that is taken off.
    #[must_use]
    pub fn taken(&self, feature: &str) -> Option<&'a Value> {
        let is_kept = self.after.is_some_and(|after| after.features.contains_key(feature));
        self.before?.features.get(feature).filter(|_| !is_kept)
    }
}
