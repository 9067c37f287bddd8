//! Reports in words, byte for byte as operators' scripts know them.

use std::{collections::BTreeMap, fmt::Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::service::CarrierUsage;

/// What is encoded in the name of a database.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'~');

/// The name of a database as reports spell it (`numbers%2F%2B1415`).
pub(super) fn database(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// How many numbers each carrier has, over all databases.
pub(super) fn totals(usage: &CarrierUsage) -> BTreeMap<&str, u64> {
    let mut totals = BTreeMap::new();
    for (carrier, count) in usage.databases.values().flatten() {
        *totals.entry(carrier.as_str()).or_insert(0) += count;
    }
    totals
}

/// Usage by carrier: each database, then the totals.
pub(super) fn usage(usage: &CarrierUsage) -> String {
    let mut text = String::new();
    for (name, carriers) in &usage.databases {
        line(&mut text, format_args!("{}:", database(name)));
        for (carrier, count) in carriers {
            line(&mut text, format_args!("{carrier}: {count}"));
        }
    }
    line(&mut text, format_args!("Totals:"));
    for (carrier, count) in totals(usage) {
        line(&mut text, format_args!("{carrier}: {count}"));
    }
    text
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_one_database() {
        let carriers =
            BTreeMap::from([("knm_managed".to_owned(), 14), ("knm_local".to_owned(), 7)]);
        let databases = BTreeMap::from([("numbers/+1555".to_owned(), carriers)]);
        assert_eq!(
            usage(&CarrierUsage { databases }),
            "numbers%2F%2B1555:\nknm_local: 7\nknm_managed: 14\nTotals:\nknm_local: 7\nknm_managed: 14\n",
        );
        assert_eq!(usage(&CarrierUsage::default()), "Totals:\n");
    }
}
