//! What is answered at once: as data, and in the words of the old console.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::{Map, Value, json};

use super::features::{self, FeatureCommand};
use crate::{
    domain::{Actor, encoded},
    service::{CarrierUsage, Error, NumberService},
};

/// What is answered at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// How many numbers each carrier has; everywhere when there are no prefixes.
    Usage {
        /// The databases or prefixes.
        prefixes: Option<Vec<String>>,
    },
    /// Which features are allowed; some of these commands change it.
    Features(FeatureCommand),
    /// What has nothing to do here any more.
    Gone {
        /// Why, and what is done in its place.
        instead: &'static str,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// As data.
    pub data: Value,
    /// In words.
    pub text: String,
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// Why.
    #[source]
    pub why: Refusal,
    /// What the old console printed then; none where it printed no such thing.
    pub line: Option<String>,
}

/// Why something is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// The text names no account.
    #[error("`{0}` is no account id")]
    Account(String),
    /// The service refused.
    #[error(transparent)]
    Service(#[from] Box<Error>),
}

/// Answers a question.
///
/// # Errors
///
/// [`Refused`].
pub async fn answer(
    service: &NumberService,
    actor: &Actor,
    question: Question,
) -> Result<Report, Refused> {
    match question {
        Question::Usage { prefixes } => {
            let counted = carrier_usage(service, actor, prefixes.as_deref()).await;
            counted.map_err(|error| Refused { why: Box::new(error).into(), line: None })
        }
        Question::Features(command) => features::run(service, actor, command).await,
        Question::Gone { instead } => {
            Ok(Report { data: json!({ "instead": instead }), text: format!("{instead}\n") })
        }
    }
}

/// Counts numbers by carrier: in these databases and under these prefixes, or everywhere.
///
/// # Errors
///
/// As [`NumberService::carrier_usage`].
pub async fn carrier_usage(
    service: &NumberService,
    actor: &Actor,
    prefixes: Option<&[String]>,
) -> Result<Report, Error> {
    Ok(of_usage(&service.carrier_usage(actor, prefixes).await?))
}

/// Each database, then the totals, byte for byte as operators' scripts know them.
fn of_usage(usage: &CarrierUsage) -> Report {
    let mut totals = BTreeMap::<&str, u64>::new();
    for (carrier, count) in usage.databases.values().flatten() {
        *totals.entry(carrier).or_default() += count;
    }
    let mut databases = Map::new();
    let mut text = String::new();
    for (name, carriers) in &usage.databases {
        let name = encoded(name);
        let _ = writeln!(text, "{name}:");
        for (carrier, count) in carriers {
            let _ = writeln!(text, "{carrier}: {count}");
        }
        databases.insert(name, json!(carriers));
    }
    text.push_str("Totals:\n");
    for (carrier, count) in &totals {
        let _ = writeln!(text, "{carrier}: {count}");
    }
    Report { data: json!({ "databases": databases, "totals": totals }), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_one_database() {
        let carriers =
            BTreeMap::from([("knm_managed".to_owned(), 14), ("knm_local".to_owned(), 7)]);
        let databases = BTreeMap::from([("numbers/+1555".to_owned(), carriers)]);
        let Report { data, text } = of_usage(&CarrierUsage { databases });
        assert_eq!(
            text,
            "numbers%2F%2B1555:\nknm_local: 7\nknm_managed: 14\nTotals:\nknm_local: 7\nknm_managed: 14\n",
        );
        let counts = json!({"knm_local": 7, "knm_managed": 14});
        assert_eq!(data, json!({"databases": {"numbers%2F%2B1555": counts}, "totals": counts}));
        assert_eq!(of_usage(&CarrierUsage::default()).text, "Totals:\n");
    }
}
