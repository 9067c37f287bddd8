//! The carriers that this build knows as facts, those that somebody else runs, and two directories
//! of places.

mod directory;
mod error;
mod outside;

pub use directory::{Directory, DirectoryError, Limits};
pub use error::CarrierError;
pub use outside::{Offered, Order, OutsideCarrier, OutsideCarriers, Ownership, Returned, Wanted};

use crate::domain::CarrierName;

/// What is known of a carrier before it is asked anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name in documents, configuration and URLs.
    pub name: &'static str,
    /// The longest prefix that it can search, in digits without the calling code.
    pub longest_prefix: u8,
    /// Whether its numbers are held by us and nobody has to be asked for them.
    pub is_ours: bool,
    /// Whether a number can be given this carrier; the others only search.
    pub is_usable: bool,
}

const fn ours(name: &'static str, longest_prefix: u8) -> Descriptor {
    Descriptor { name, longest_prefix, is_ours: true, is_usable: true }
}

const fn search_only(name: &'static str) -> Descriptor {
    Descriptor { name, longest_prefix: 10, is_ours: true, is_usable: false }
}

const fn vendor(name: &'static str, longest_prefix: u8) -> Descriptor {
    Descriptor { name, longest_prefix, is_ours: false, is_usable: true }
}

/// Every carrier, in the order in which the wire lists them.
pub const CARRIERS: [Descriptor; 26] = [
    vendor("knm_bandwidth2", 3),
    vendor("knm_bandwidth", 3),
    ours("knm_inum", 15),
    ours("knm_local", 10),
    ours("knm_inventory", 10),
    ours("knm_managed", 15),
    ours("knm_mdn", 0),
    vendor("knm_other", 10),
    search_only("knm_reserved"),
    search_only("knm_reserved_reseller"),
    vendor("knm_simwood", 3),
    vendor("knm_telnyx", 3),
    vendor("knm_vitelity", 3),
    vendor("knm_voip_innovations", 3),
    vendor("knm_voxbone", 3),
    vendor("knm_didww", 3),
    vendor("knm_flowroute", 3),
    vendor("knm_inteliquent", 3),
    vendor("knm_it_vocal", 3),
    vendor("knm_level3", 3),
    vendor("knm_o1", 3),
    vendor("knm_peerless", 3),
    vendor("knm_thinq", 3),
    vendor("knm_verizon", 3),
    vendor("knm_windstream", 3),
    vendor("knm_ziron", 3),
];

/// The carrier of that name, if this build knows it.
#[must_use]
pub fn find(name: &CarrierName) -> Option<&'static Descriptor> {
    CARRIERS.iter().find(|carrier| carrier.name == name.as_str())
}

/// The carrier that a person names, with its prefix or without; older spellings count. `None` when
/// this build knows no such carrier.
#[must_use]
pub fn named(text: &str) -> Option<CarrierName> {
    CarrierName::given(text).filter(|name| find(name).is_some())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_spelt_as_documents_spell_them() {
        let names: BTreeSet<_> = CARRIERS.iter().map(|carrier| carrier.name).collect();
        assert_eq!(names.len(), CARRIERS.len());
        assert!(names.iter().all(|name| name.starts_with("knm_")));
    }

    #[track_caller]
    fn check(given: &str, name: Option<&str>) {
        assert_eq!(named(given).as_ref().map(CarrierName::as_str), name, "{given}");
    }

    #[test]
    fn a_carrier_is_named_in_every_spelling() {
        check("knm_telnyx", Some("knm_telnyx"));
        check("telnyx", Some("knm_telnyx"));
        check("wnm_telnyx", Some("knm_telnyx"));
        check("knm_bandwidth", Some("knm_bandwidth2"));
        check("knm_bandwid", None);
        check("", None);
        check("knm_", None);
    }
}
