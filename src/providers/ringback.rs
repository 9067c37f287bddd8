//! What callers hear while it rings, and while they are put through.

use serde_json::{Map, Value};

use super::{FeatureProvider, read};

/// Keeps the media that `ringback` names. KAZOO reads them in old documents and writes them in none.
#[derive(Debug)]
pub(super) struct Ringback;

impl FeatureProvider for Ringback {
    fn name(&self) -> &'static str {
        "knm_ringback"
    }

    fn member(&self) -> &'static str {
        "ringback"
    }

    fn features(&self) -> &'static [&'static str] {
        &["ringback"]
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        let Some(members) = read::object(public, "ringback") else {
            return Vec::new();
        };
        let named = ["early", "transfer"].iter().filter_map(|media| {
            read::text(members, media).map(|id| ((*media).to_owned(), Value::from(id)))
        });
        let media: Map<String, Value> = named.collect();
        if media.is_empty() { Vec::new() } else { vec![("ringback", Value::Object(media))] }
    }
}
