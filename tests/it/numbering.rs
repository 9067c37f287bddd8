//! What holds of every input, and the configuration of an older system, loaded as it is.

use std::sync::LazyLock;

use number_manager::domain::{E164, Numbering, database::number_database};
use proptest::prelude::*;
use serde_json::Value;

static DEFAULT: LazyLock<Numbering> = LazyLock::new(Numbering::default);

static SEED: LazyLock<Numbering> = LazyLock::new(|| {
    let document: Value =
        serde_json::from_str(include_str!("../fixtures/seed_number_manager.json")).unwrap();
    Numbering::from_settings(document["default"].as_object().unwrap()).unwrap()
});

/// The rules of a configuration document of KAZOO 3.22.
pub(crate) fn seed() -> &'static Numbering {
    &SEED
}

/// Text that looks like something dialled more often than not.
fn dialled() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r"[+]?[-0-9 .()]{0,20}", r"[+]?(1|011|00)?[2-9][0-9]{6,14}"]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_as_given(input in dialled()) {
        let numbering = &*DEFAULT;
        match numbering.parse(&input) {
            Ok(number) => prop_assert!(E164::parse(number.as_str()).is_ok()),
            Err(refused) => prop_assert_eq!(refused.0, input.clone()),
        }
        let _ = (numbering.classify(&input), numbering.pretty(&input), seed().parse(&input));
    }

    #[test]
    fn a_number_reads_as_itself(input in dialled()) {
        for numbering in [&DEFAULT, seed()] {
            if let Ok(number) = numbering.parse(&input) {
                prop_assert_eq!(numbering.parse(number.as_str()), Ok(number));
            }
        }
    }

    #[test]
    fn separators_change_nothing(digits in "[2-9][0-9]{2}[2-9][0-9]{6}") {
        let numbering = &*DEFAULT;
        let spaced = format!("({}) {}-{}", &digits[..3], &digits[3..6], &digits[6..]);
        prop_assert_eq!(numbering.parse(&spaced), numbering.parse(&digits));
    }

    #[test]
    fn every_number_is_in_a_number_database(text in r"\+[0-9]{5,15}") {
        let number = E164::parse(&text).unwrap();
        let database = number_database(&number);
        prop_assert_eq!(database.strip_prefix("numbers/"), Some(&text[..5]));
    }
}

#[test]
fn the_seed_reads_any_variant_of_a_number() {
    let check = |input: &str, number: Option<&str>| {
        let read = seed().parse(input).ok();
        assert_eq!(read.as_ref().map(E164::as_str), number, "{input:?}");
    };
    check("+14158867900", Some("+14158867900"));
    check("14158867900", Some("+14158867900"));
    check("4158867900", Some("+14158867900"));
    check("011442071234567", Some("+442071234567"));
    check("00442071234567", Some("+442071234567"));
    check("442071234567", None);
    check("100", None);
    check("011", None);
    check("911", None);
}

#[test]
fn the_seed_classifies_from_the_top_of_its_list() {
    let numbering = seed();
    let check = |input: &str, name: &str, friendly_name: &str| {
        let class = numbering.classify(input).unwrap();
        assert_eq!((class.name(), class.friendly_name()), (name, friendly_name), "{input:?}");
    };
    check("8005551212", "tollfree_us", "US TollFree");
    check("9005551212", "toll_us", "US Toll");
    check("911", "emergency", "Emergency Dispatcher");
    check("2425551212", "caribbean", "Caribbean");
    check("4158867900", "did_us", "US DID");
    check("011442071234567", "unknown", "Unknown");
    check("100", "unknown", "Unknown");
}

#[test]
fn the_seed_prints_by_the_format_of_the_class() {
    assert_eq!(seed().pretty("4158867900"), "(415) 886 - 7900");
    assert_eq!(seed().pretty("8005551212"), "(800) 555 - 1212");
    assert_eq!(seed().pretty("100"), "100");
}

#[test]
fn the_seed_shows_its_classes_in_its_order() {
    let names: Vec<String> = seed().classifiers().available().into_iter().map(|(n, _)| n).collect();
    let order =
        ["tollfree_us", "toll_us", "emergency", "caribbean", "did_us", "international", "unknown"];
    assert_eq!(names, order);
}
