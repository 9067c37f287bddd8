//! Reports in words, byte for byte as operators' scripts know them.

use std::{collections::BTreeMap, fmt::Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::service::{CarrierUsage, Converted, NewStock};

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

/// What a conversion did. `source` and `target` as they were given.
pub(super) fn conversion(source: Option<&str>, target: &str, results: &[Converted]) -> String {
    let mut text = String::new();
    for result in results {
        if let Some(name) = &result.database {
            let (source, name) = (source.unwrap_or_default(), database(name));
            line(
                &mut text,
                format_args!(
                    "attempt to convert numbers with carrier module {source} to {target} in database {name}"
                ),
            );
        }
        let converted = &result.converted;
        line(
            &mut text,
            format_args!("updated carrier module to {target} for {}:", converted.len()),
        );
        for number in converted {
            line(&mut text, format_args!("{number}"));
        }
        let failed = &result.failed;
        line(&mut text, format_args!("updating carrier module failed for {}:", failed.len()));
        for (number, _) in failed {
            line(&mut text, format_args!("{number}"));
        }
    }
    text
}

/// Which numbers were made.
pub(super) fn generation(stock: &NewStock) -> String {
    let mut text = String::new();
    let failed: Vec<_> = stock.failed.iter().map(|(number, _)| number.clone()).collect();
    let name = database(&stock.database);
    for (words, numbers) in [
        (format!("generated numbers in database {name} for"), &stock.made),
        ("numbers existed already for".to_owned(), &stock.existing),
        ("generating numbers failed for".to_owned(), &failed),
    ] {
        line(&mut text, format_args!("{words} {}:", numbers.len()));
        for number in numbers {
            line(&mut text, format_args!("{number}"));
        }
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

    /// The whole listing of the operators' manual.
    const CONVERSION: &str = include_str!("../../tests/fixtures/convert_carrier_module.txt");

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

    #[test]
    fn conversion_of_every_database() {
        let names = CONVERSION.lines().filter_map(|line| line.split(" in database ").nth(1));
        let result = |name: &str| Converted {
            database: Some(name.replace("%2F", "/").replace("%2B", "+")),
            converted: match name {
                "numbers%2F%2B1415" => vec!["+14152338397".to_owned(), "+14152338421".to_owned()],
                _ => Vec::new(),
            },
            ..Converted::default()
        };
        let results: Vec<_> = names.map(result).collect();
        assert!(results.len() > 40);
        assert_eq!(conversion(Some("knm_bandwidth"), "knm_bandwidth2", &results), CONVERSION);
    }

    #[test]
    fn conversion_of_named_numbers() {
        let result =
            Converted { converted: vec!["+14152266659".to_owned()], ..Converted::default() };
        assert_eq!(
            conversion(None, "knm_bandwidth2", &[result]),
            "updated carrier module to knm_bandwidth2 for 1:\n+14152266659\nupdating carrier module failed for 0:\n",
        );
    }
}
