//! Providers that a vendor runs: each is made from the vendor's settings, and stood in for by one that
//! refuses as long as it is not set up.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value, json};

use super::{FeatureProvider, Step};
use crate::domain::{ConfigurationError, Number};

/// The features that were taken off, in what is left.
const TAKEN: &str = "taken";
/// What was put outside and perhaps is not on the number, in what is left.
const IN_DOUBT: &str = "in_doubt";

/// Makes a provider from its vendor's settings; none when they lack something. Asks nobody.
pub(super) type Open =
    fn(&Map<String, Value>) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError>;

/// A provider that a vendor runs.
#[derive(Clone, Copy)]
pub struct Vendor {
    /// Its name in settings.
    pub name: &'static str,
    /// Whose settings it has: the document `number_manager.{settings}`.
    pub settings: &'static str,
    /// The public member that asks for its features.
    pub member: &'static str,
    /// The features.
    pub features: &'static [&'static str],
    /// The setting that says where it is.
    pub address: &'static str,
    /// The settings that are secrets.
    pub secrets: &'static [&'static str],
    /// Makes it.
    pub(super) open: Open,
}

/// What is still to be done outside about a feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outstanding<'a> {
    /// Nothing.
    Nothing,
    /// It is to be taken away.
    Remove,
    /// It is to be what the number says.
    Put(&'a Value),
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vendor").field(&self.name).finish()
    }
}

impl Vendor {
    /// The provider with these settings, if they are all there.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the first that cannot be used.
    pub fn open(
        &self,
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        (self.open)(members)
    }

    /// Whether a number has, or asks for, anything that it provides.
    #[must_use]
    pub fn concerns(&self, number: &Number) -> bool {
        number.public.contains_key(self.member)
            || self.features.iter().any(|feature| number.features.contains_key(*feature))
    }
}

/// What is left of features that a step takes off.
pub(super) fn taken(features: &[&'static str], step: Step<'_>) -> Option<Map<String, Value>> {
    let taken = features.iter().filter(|feature| step.taken(feature).is_some());
    let taken: Vec<Value> = taken.map(|feature| (*feature).into()).collect();
    (!taken.is_empty()).then(|| Map::from_iter([(TAKEN.to_owned(), taken.into())]))
}

/// What is left of a step of which nobody knows whether it was made.
pub(super) fn in_doubt(features: &[&'static str], step: Step<'_>) -> Value {
    let put = features.iter().filter_map(|feature| Some((*feature, step.put(feature)?)));
    let put: Map<String, Value> = put.map(|(name, it)| (name.to_owned(), it.clone())).collect();
    json!({ IN_DOUBT: put })
}

/// What is still to be done about a feature of a number as it is now.
pub(super) fn outstanding<'a>(
    feature: &str,
    now: Option<&'a Number>,
    left: &Value,
) -> Outstanding<'a> {
    let is_taken = left[TAKEN].as_array().is_some_and(|taken| taken.iter().any(|it| it == feature));
    let put = left[IN_DOUBT].get(feature);
    match (now.and_then(|now| now.features.get(feature)), put) {
        (None, put) if is_taken || put.is_some() => Outstanding::Remove,
        (Some(now), Some(put)) if now != put => Outstanding::Put(now),
        _ => Outstanding::Nothing,
    }
}

/// Keeps something in the carrier data; nothing when it is null.
pub(super) fn keep(data: &mut Option<Value>, member: &str, value: Value) {
    let members = match data {
        Some(Value::Object(members)) => members,
        _ if value.is_null() => return,
        _ => {
            *data = Some(Value::Object(Map::new()));
            return keep(data, member, value);
        }
    };
    if value.is_null() {
        members.shift_remove(member);
    } else {
        members.insert(member.to_owned(), value);
    }
}
