//! What stands in for a carrier whose settings cannot be used.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::{CarrierError, Holdings, Offered, Order, OutsideCarrier, Ownership, Returned, Wanted};
use crate::domain::E164;

/// A carrier that refuses everything for the same reason.
#[derive(Debug)]
pub struct Unusable(String);

impl Unusable {
    /// It refuses for this reason.
    #[must_use]
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    fn refuse<T>(&self) -> Result<T, CarrierError> {
        Err(CarrierError::refused(self.0.as_str()))
    }
}

#[async_trait]
impl OutsideCarrier for Unusable {
    async fn search(&self, _: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        self.refuse()
    }

    async fn check(&self, _: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        self.refuse()
    }

    async fn acquire(&self, _: &Order) -> Result<Option<Value>, CarrierError> {
        self.refuse()
    }

    async fn owned(&self, _: &Order) -> Result<Ownership, CarrierError> {
        self.refuse()
    }

    async fn list(&self, _: Option<&str>) -> Result<Holdings, CarrierError> {
        self.refuse()
    }

    async fn disconnect(&self, _: &E164, _: Option<&Value>) -> Result<Returned, CarrierError> {
        self.refuse()
    }
}
