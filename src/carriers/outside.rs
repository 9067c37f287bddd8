//! Carriers that somebody else runs: what each of them can be asked, and which of them this process
//! can ask. A carrier is one file that implements [`OutsideCarrier`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{CarrierError, Module, find};
use crate::domain::{AccountId, CarrierName, E164};

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How the numbers begin, `+` and the country included.
    pub prefix: String,
    /// The country, as two letters.
    pub country: String,
    /// The most numbers that are of use.
    pub quantity: usize,
    /// The account that looks, if it is known.
    pub account: Option<AccountId>,
}

/// A number that a carrier offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// The number.
    pub number: E164,
    /// What the carrier needs to know again when the number is bought.
    pub data: Option<Value>,
}

/// A number that is to be bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The number, as it was found.
    pub offered: Offered,
    /// Our own name for this purchase: the same however often it is tried.
    pub reference: String,
}

/// Whether a carrier's number is ours.
#[derive(Clone, Debug, PartialEq)]
pub enum Ownership {
    /// It is, with what is to be kept of it.
    Ours(Option<Value>),
    /// It is not, and nothing that was asked for will make it ours.
    NotOurs,
    /// Nobody can say, or not yet.
    Unknown,
}

/// What became of a number that was to be given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// It is not ours any more.
    Done,
    /// This carrier takes nothing back, or not from us.
    Unsupported,
}

/// A part of a carrier's own list of our numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The numbers.
    pub numbers: Vec<E164>,
    /// Where the list goes on; none at its end.
    pub next: Option<String>,
}

/// A carrier that somebody else runs. Who calls it puts an end to calls that take too long, and
/// survives a panic.
#[async_trait]
pub trait OutsideCarrier: fmt::Debug + Send + Sync + 'static {
    /// Looks for numbers. Those that do not begin with the prefix are dropped by the caller.
    ///
    /// # Errors
    ///
    /// [`CarrierError`] in the carrier's words.
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError>;

    /// What a person who chooses may want to know of a number that was found, from what was found with
    /// it: `locality` (an object), `features` (texts), `cost` (`upfront`, `monthly`, `currency`, as
    /// texts); what is not known is left out.
    fn describe(&self, _data: &Value) -> Map<String, Value> {
        Map::new()
    }

    /// Says of numbers whether they can be had (`success`, or a word of the carrier's).
    ///
    /// # Errors
    ///
    /// [`CarrierError`] in the carrier's words.
    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError>;

    /// Buys a number that was found, and returns what is to be kept of it. Asked again for a number
    /// that is ours already, it succeeds.
    ///
    /// # Errors
    ///
    /// [`CarrierError`] in the carrier's words: the number was not bought, unless the error says
    /// that it is in doubt.
    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError>;

    /// Says whether a number is ours of which nobody knows how its purchase ended.
    ///
    /// # Errors
    ///
    /// [`CarrierError`]: nobody can say.
    async fn owned(&self, _order: &Order) -> Result<Ownership, CarrierError> {
        Ok(Ownership::Unknown)
    }

    /// Lists the numbers that are ours, a part at a time. `after`: where the part before said that the list
    /// goes on.
    ///
    /// # Errors
    ///
    /// [`CarrierError`]: there is no such part, or no list at all.
    async fn list(&self, _after: Option<&str>) -> Result<Holdings, CarrierError> {
        Err(CarrierError::refused("it has no list of our numbers"))
    }

    /// Gives a number back. One that is not there any more was given back; so it may be asked for
    /// again.
    ///
    /// # Errors
    ///
    /// [`CarrierError`] in the carrier's words: it is to be tried again.
    async fn disconnect(
        &self,
        _number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        Ok(Returned::Unsupported)
    }
}

/// What is known of a number that was found, without what is empty.
pub(super) fn described(
    locality: Map<String, Value>,
    features: Vec<Value>,
    cost: Map<String, Value>,
) -> Map<String, Value> {
    let members = [
        ("locality", !locality.is_empty(), Value::Object(locality)),
        ("features", !features.is_empty(), Value::Array(features)),
        ("cost", !cost.is_empty(), Value::Object(cost)),
    ];
    let known = members.into_iter().filter(|(_, is_known, _)| *is_known);
    known.map(|(name, _, value)| (name.to_owned(), value)).collect()
}

/// The outside carriers that this process can ask.
#[derive(Clone, Debug, Default)]
pub struct OutsideCarriers {
    given: BTreeMap<CarrierName, Arc<dyn OutsideCarrier>>,
    /// Whether those of this build are among them.
    has_standard: bool,
}

impl OutsideCarriers {
    /// All that this build has a module for.
    #[must_use]
    pub fn standard() -> Self {
        Self { given: BTreeMap::new(), has_standard: true }
    }

    /// Adds one under its name, in place of this build's.
    #[must_use]
    pub fn with(mut self, name: CarrierName, carrier: Arc<dyn OutsideCarrier>) -> Self {
        self.given.insert(name, carrier);
        self
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.is_empty() && !self.has_standard
    }

    /// Whether the carrier of that name can be asked.
    #[must_use]
    pub fn has(&self, name: &CarrierName) -> bool {
        self.given(name).is_some() || self.module(name).is_some()
    }

    /// The carrier that was added under that name.
    #[must_use]
    pub fn given(&self, name: &CarrierName) -> Option<&Arc<dyn OutsideCarrier>> {
        self.given.get(name)
    }

    /// How this build asks the carrier of that name.
    #[must_use]
    pub fn module(&self, name: &CarrierName) -> Option<&'static Module> {
        find(name).and_then(|carrier| carrier.module).filter(|_| self.has_standard)
    }
}
