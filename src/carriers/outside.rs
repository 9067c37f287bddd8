//! Carriers that somebody else runs: what each of them can be asked, and which of them this process
//! can ask. A carrier is one file that implements [`OutsideCarrier`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

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

/// What a carrier did not do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CarrierError(pub String);

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
    /// [`CarrierError`] in the carrier's words: the number was not bought.
    async fn acquire(&self, offered: &Offered) -> Result<Option<Value>, CarrierError>;
}

/// The outside carriers that this process can ask.
#[derive(Clone, Debug, Default)]
pub struct OutsideCarriers(BTreeMap<CarrierName, Arc<dyn OutsideCarrier>>);

impl OutsideCarriers {
    /// Adds one under its name.
    #[must_use]
    pub fn with(mut self, name: CarrierName, carrier: Arc<dyn OutsideCarrier>) -> Self {
        self.0.insert(name, carrier);
        self
    }

    /// The carrier of that name, if it can be asked.
    #[must_use]
    pub fn get(&self, name: &CarrierName) -> Option<&Arc<dyn OutsideCarrier>> {
        self.0.get(name)
    }
}
