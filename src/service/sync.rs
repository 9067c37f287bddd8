//! Asking a number's carrier what it is there.

use serde_json::Value;
use uuid::Uuid;

use super::{
    Error, NumberService,
    change::{Operation, Target, must_exist},
    outside::ask,
};
use crate::{
    carriers::{CarrierError, Offered, Order, Ownership},
    domain::{E164, Number},
    repository::{Decision, Opened, Settings},
};

/// What a number's carrier says of it is kept. A number of a carrier that cannot be asked stays as it is;
/// one that the carrier does not count among ours fails, and stays as well.
pub(super) struct Sync;

impl Operation for Sync {
    const IS_CHARGED: bool = false;
    const CONCERNS_FEATURES: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        if let Some(said) = service.said_of(&stored.number, target.settings).await? {
            stored.number.carrier_data = Some(said);
        }
        Ok(Decision::save(stored))
    }
}

impl NumberService {
    /// What its carrier says of a number that is ours; nothing when it says no more than that, or cannot
    /// be asked.
    async fn said_of(&self, number: &Number, settings: &Settings) -> Result<Option<Value>, Error> {
        let name = &number.carrier;
        let Some(carrier) = self.carrier(name).await else { return Ok(None) };
        let offered = Offered { number: number.id.clone(), data: number.carrier_data.clone() };
        // It is about no purchase, so none may be found by the name of this one.
        let order = Order { offered, reference: Uuid::new_v4().simple().to_string() };
        let question = async move { carrier.owned(&order).await };
        let reason = match ask(name, settings.search.purchase_timeout, question).await {
            Ok(Ownership::Ours(said)) => return Ok(said),
            Ok(Ownership::NotOurs) => CarrierError::refused("it says that the number is not ours"),
            Ok(Ownership::Unknown) => {
                CarrierError::refused("it does not say whether the number is ours")
            }
            Err(unanswered) => unanswered.told(),
        };
        let (number, carrier) = (number.id.clone(), name.clone());
        Err(Error::Carrier { number, carrier, reason: Some(reason) })
    }
}
