//! The name of the carrier that a number comes from.

use std::fmt;

/// A carrier as number documents name it: `knm_local`, `knm_telnyx`, … Not checked against the
/// carriers that this build knows, since a platform's documents can name others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CarrierName(String);

impl CarrierName {
    /// The carrier of numbers that belong to one account.
    pub const LOCAL: &'static str = "knm_local";
    /// The carrier of numbers that belong to mobile devices.
    pub const MDN: &'static str = "knm_mdn";

    /// The carrier of numbers that were made for one account.
    pub const MANAGED: &'static str = "knm_managed";
    /// The carrier of international numbers that were made for one account.
    pub const INUM: &'static str = "knm_inum";
    /// The carrier of numbers that the operator owns.
    pub const INVENTORY: &'static str = "knm_inventory";

    /// Reads a name as a document spells it; older spellings come out as today's. `None` for a
    /// text that stands for no name.
    #[must_use]
    pub fn read(stored: &str) -> Option<Self> {
        let name = match stored {
            "" | "undefined" => return None,
            "knm_bandwidth" | "wnm_bandwidth" => "knm_bandwidth2".to_owned(),
            _ => match stored.strip_prefix("wnm_") {
                Some(rest) => format!("knm_{rest}"),
                None => stored.to_owned(),
            },
        };
        Some(Self(name))
    }

    /// Reads a name as a person gives it, with its prefix or without (`telnyx`, `knm_telnyx`).
    #[must_use]
    pub fn given(text: &str) -> Option<Self> {
        let bare = text.strip_prefix("knm_").or_else(|| text.strip_prefix("wnm_")).unwrap_or(text);
        if bare.is_empty() {
            return None;
        }
        Self::read(&format!("knm_{bare}"))
    }

    /// The local carrier.
    #[must_use]
    pub fn local() -> Self {
        Self(Self::LOCAL.to_owned())
    }

    /// The name as documents spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the wire shows it, without its prefix; `None` when it has none.
    #[must_use]
    pub fn short(&self) -> Option<&str> {
        self.0.strip_prefix("knm_")
    }

    /// Whether numbers of this carrier stay within the platform: they carry the `local` feature and
    /// are deleted when nobody takes them over.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.0 == Self::LOCAL || self.0 == Self::MDN
    }

    /// The carriers that keep a stock with us.
    #[must_use]
    pub fn stocked() -> [Self; 2] {
        [Self::MANAGED, Self::INUM].map(|name| Self(name.to_owned()))
    }

    /// The database of what this carrier has in stock; `None` when it keeps none with us.
    #[must_use]
    pub fn stock(&self) -> Option<&'static str> {
        match self.0.as_str() {
            Self::MANAGED => Some("numbers/managed"),
            Self::INUM => Some("numbers/inum"),
            _ => None,
        }
    }

    /// Whether it is the carrier of mobile devices' numbers, which are always in service.
    #[must_use]
    pub fn is_mdn(&self) -> bool {
        self.0 == Self::MDN
    }
}

impl fmt::Display for CarrierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
