//! What callers' names and numbers begin with.

use serde_json::{Map, Value};

use super::{FeatureProvider, read};

/// Keeps `prepend` while it is switched on.
#[derive(Debug)]
pub(super) struct Prepend;

impl FeatureProvider for Prepend {
    fn name(&self) -> &'static str {
        "knm_prepend"
    }

    fn member(&self) -> &'static str {
        "prepend"
    }

    fn features(&self) -> &'static [&'static str] {
        &["prepend"]
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        read::enabled(public, "prepend").map(|value| ("prepend", value)).into_iter().collect()
    }
}
