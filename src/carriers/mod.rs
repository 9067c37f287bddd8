//! The carriers that this build knows as facts, those that somebody else runs, and two directories
//! of places.
//!
//! A carrier that somebody else runs is one file: it implements [`OutsideCarrier`] over `http`, reads
//! its `settings`, and says of itself what it can ([`Module`]). To add one: write its file, name the
//! module here, and put its descriptor into [`CARRIERS`].

mod bandwidth2;
mod directory;
mod gate;
mod other;
mod outside;
mod registry;
mod simwood;
mod telnyx;
mod tollfree;
mod unusable;
mod vitelity;
mod voip_innovations;
mod voxbone;

pub use directory::{Directory, DirectoryError, Limits};
pub use outside::{
    Holdings, Offered, Order, OutsideCarrier, OutsideCarriers, Ownership, Returned, Wanted,
};
pub use registry::{Ability, Descriptor, Module};
pub use unusable::Unusable;

use self::outside::described;

use serde_json::{Map, Value};

pub use crate::upstream::VendorError as CarrierError;
use crate::{
    domain::{CarrierName, ConfigurationError},
    upstream::{digits, http, login, looks, settings, token, xml},
};

/// Every carrier, in the order in which the wire lists them.
pub const CARRIERS: [Descriptor; 26] = [
    bandwidth2::CARRIER,
    Descriptor::tag("knm_bandwidth"),
    Descriptor { plans: &["8835100"], ..Descriptor::ours("knm_inum", 15) },
    Descriptor::ours("knm_local", 10),
    Descriptor::ours("knm_inventory", 10),
    Descriptor::ours("knm_managed", 15),
    Descriptor::ours("knm_mdn", 0),
    other::CARRIER,
    Descriptor::search_only("knm_reserved"),
    Descriptor::search_only("knm_reserved_reseller"),
    simwood::CARRIER,
    telnyx::CARRIER,
    vitelity::CARRIER,
    voip_innovations::CARRIER,
    voxbone::CARRIER,
    Descriptor::tag("knm_didww"),
    Descriptor::tag("knm_flowroute"),
    Descriptor::tag("knm_inteliquent"),
    Descriptor::tag("knm_it_vocal"),
    Descriptor::tag("knm_level3"),
    Descriptor::tag("knm_o1"),
    Descriptor::tag("knm_peerless"),
    Descriptor::tag("knm_thinq"),
    Descriptor::tag("knm_verizon"),
    Descriptor::tag("knm_windstream"),
    Descriptor::tag("knm_ziron"),
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

/// Checks the settings of a vendor, by its name without `knm_`. Those of one that is no carrier, or
/// that cannot be asked here, are not looked at.
///
/// # Errors
///
/// [`ConfigurationError`] names the first that cannot be used.
pub fn check_settings(
    vendor: &str,
    members: &Map<String, Value>,
) -> Result<(), ConfigurationError> {
    let carrier = named(vendor).as_ref().and_then(find).and_then(|carrier| carrier.module);
    carrier.map_or(Ok(()), |module| module.open(members).map(|_| ()))
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
