//! What is known of carriers, and what those that somebody else runs can be asked here.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{OutsideCarrier, gate::Gate, settings::Common};
use crate::domain::{ConfigurationError, E164};

/// What is known of a carrier before it is asked anything.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Its name in documents, configuration and URLs.
    pub name: &'static str,
    /// The longest prefix that it can search, in digits without the calling code.
    pub longest_prefix: u8,
    /// How the numbers begin that it can have, behind the `+`; any when that is nothing.
    pub plans: &'static [&'static str],
    /// Whether its numbers are held by us and nobody has to be asked for them.
    pub is_ours: bool,
    /// Whether a number can be given this carrier; the others only search.
    pub is_usable: bool,
    /// How it is asked; none when its name is all that there is.
    pub module: Option<&'static Module>,
}

/// How a carrier that somebody else runs is asked.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// What it can be asked; nothing when it only says why not.
    pub abilities: &'static [Ability],
    /// The setting that says where it is; empty when nobody is asked.
    pub address: &'static str,
    /// The settings that are secrets.
    pub secrets: &'static [&'static str],
    /// Whether buying is pretended where it is switched off and nothing else is said
    /// (`sandbox_provisioning`).
    pub(super) pretends: bool,
    /// Makes it from its settings.
    pub(super) open: Open,
}

/// Makes a carrier from its settings and from those that all have in common; asks nobody. One that
/// lacks something says so when it is asked; an error is about a setting that cannot be used.
pub(super) type Open =
    fn(&Map<String, Value>, &Common) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError>;

/// What a carrier can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// To look for numbers.
    Search,
    /// To say of numbers whether they can be had.
    Check,
    /// To sell a number.
    Buy,
    /// To say whether a number is ours.
    Ask,
    /// To take a number back.
    Return,
    /// To list the numbers that are ours.
    List,
}

impl Module {
    /// The carrier with these settings; asks nobody. What it lacks it says when it is asked.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the first that cannot be used.
    pub fn open(
        &self,
        members: &Map<String, Value>,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let common = Common::read(members, self.pretends)?;
        let carrier = (self.open)(members, &common)?;
        if !self.abilities.contains(&Ability::Buy) {
            return Ok(carrier);
        }
        let takes_back = self.abilities.contains(&Ability::Return);
        Ok(Arc::new(Gate { common, carrier, takes_back }))
    }
}

impl Descriptor {
    /// Whether a number can be one of this carrier's.
    #[must_use]
    pub fn can_have(&self, number: &E164) -> bool {
        let digits = number.as_str().trim_start_matches('+');
        self.plans.is_empty() || self.plans.iter().any(|plan| digits.starts_with(plan))
    }

    /// A carrier whose numbers are held by us.
    pub(super) const fn ours(name: &'static str, longest_prefix: u8) -> Self {
        let plans = &[];
        Self { name, longest_prefix, plans, is_ours: true, is_usable: true, module: None }
    }

    /// One that only searches.
    pub(super) const fn search_only(name: &'static str) -> Self {
        Self { is_usable: false, ..Self::ours(name, 10) }
    }

    /// One that somebody else runs and that cannot be asked here: its name alone.
    pub(super) const fn tag(name: &'static str) -> Self {
        Self { is_ours: false, ..Self::ours(name, 3) }
    }
}
