//! Whether calls between numbers of the platform leave it all the same.

use serde_json::{Map, Value};

use super::{FeatureProvider, read};

/// Keeps what `force_outbound` says, yes or no; anything else is no wish.
#[derive(Debug)]
pub(super) struct ForceOutbound;

impl FeatureProvider for ForceOutbound {
    fn name(&self) -> &'static str {
        "knm_force_outbound"
    }

    fn member(&self) -> &'static str {
        "force_outbound"
    }

    fn features(&self) -> &'static [&'static str] {
        &["force_outbound"]
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        let flag = read::flag(public.get("force_outbound"));
        flag.map(|flag| ("force_outbound", flag.into())).into_iter().collect()
    }
}
