//! Classifiers and carriers in the words of the document.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// Classifiers by name, or what is known of one text.
#[derive(ToSchema)]
pub(super) struct ClassifiersBody {
    #[serde(flatten)]
    members: BTreeMap<String, Value>,
}

/// The carriers.
#[derive(ToSchema)]
pub(super) struct CarriersInfoBody {
    /// The longest prefix that can be searched for, in digits.
    maximal_prefix_length: u8,
    /// The carriers that a number can be given.
    usable_carriers: Vec<String>,
    /// The states in which the caller may create numbers.
    usable_creation_states: Vec<String>,
}
