//! Voxbone, which has become a part of Bandwidth. Numbers that name it stay what they are; nobody is
//! asked for new ones: with its old API a search alone did buy numbers.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    CarrierError, Descriptor, Module, Offered, Order, OutsideCarrier, Wanted, registry::Open,
};
use crate::domain::E164;

/// Voxbone.
pub(super) const CARRIER: Descriptor = Descriptor {
    module: Some(&Module {
        abilities: &[],
        address: "",
        secrets: &["api_password"],
        pretends: false,
        open: Voxbone::OPEN,
    }),
    ..Descriptor::tag("knm_voxbone")
};

/// What is said instead.
const HINT: &str = "Voxbone is a part of Bandwidth now: search and buy with knm_bandwidth2, and \
                    convert the numbers of knm_voxbone to it (convert_carrier)";

#[derive(Debug)]
struct Voxbone;

impl Voxbone {
    const OPEN: Open = |_, _| Ok(Arc::new(Self));
}

#[async_trait]
impl OutsideCarrier for Voxbone {
    async fn search(&self, _: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        Err(CarrierError::refused(HINT))
    }

    async fn check(&self, _: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        Err(CarrierError::refused(HINT))
    }

    async fn acquire(&self, _: &Order) -> Result<Option<Value>, CarrierError> {
        Err(CarrierError::refused(HINT))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::carriers::{Ownership, Returned};

    #[tokio::test]
    async fn it_refuses_what_would_buy_and_holds_nothing_up() {
        let voxbone = CARRIER.module.unwrap().open(&Map::new()).unwrap();
        let number = E164::parse("+14155550100").unwrap();
        let (prefix, country) = ("+1415".to_owned(), "US".to_owned());
        let wanted = Wanted { prefix, country, quantity: 1, account: None };
        assert_eq!(voxbone.search(&wanted).await.unwrap_err().reason(), HINT);
        let offered = Offered { number: number.clone(), data: None };
        let order = Order { offered, reference: "r".to_owned() };
        let err = voxbone.acquire(&order).await.unwrap_err();
        assert_eq!((err.reason(), err.is_doubtful()), (HINT, false));
        assert_eq!(voxbone.owned(&order).await.unwrap(), Ownership::Unknown);
        assert_eq!(voxbone.disconnect(&number, None).await.unwrap(), Returned::Unsupported);
    }
}
