//! The gate in front of every carrier that can sell: whether what is bought and given back really
//! is. No carrier has to think of it, and none can forget it.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    CarrierError, Holdings, Offered, Order, OutsideCarrier, Ownership, Returned, Wanted,
    settings::{Common, Provisioning},
};
use crate::domain::E164;

/// A carrier behind its settings.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) common: Common,
    pub(super) carrier: Arc<dyn OutsideCarrier>,
    /// Whether it takes numbers back.
    pub(super) takes_back: bool,
}

#[async_trait]
impl OutsideCarrier for Gate {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        self.carrier.search(wanted).await
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        self.carrier.describe(data)
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        self.carrier.check(numbers).await
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        match self.common.provisioning()? {
            Provisioning::Real => self.carrier.acquire(order).await,
            Provisioning::Pretended => Ok(order.offered.data.clone()),
        }
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        self.carrier.owned(order).await
    }

    async fn list(&self, after: Option<&str>) -> Result<Holdings, CarrierError> {
        self.carrier.list(after).await
    }

    async fn disconnect(
        &self,
        number: &E164,
        data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        if !self.takes_back || !self.common.gives_back() {
            return Ok(Returned::Unsupported);
        }
        match self.common.provisioning()? {
            Provisioning::Real => self.carrier.disconnect(number, data).await,
            Provisioning::Pretended => Ok(Returned::Done),
        }
    }
}
