//! Changing what is written on a number.

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    change::{Operation, Target, must_exist},
    create::asked_carrier,
};
use crate::{
    domain::{Actor, CarrierName, E164},
    repository::{Decision, Opened},
};

/// How the public members of a number change.
#[derive(Clone, Debug)]
pub enum Update {
    /// These and no others.
    Replace(Map<String, Value>),
    /// Merged deep; `null` deletes.
    Merge(Map<String, Value>),
}

pub(super) struct Rewrite {
    pub(super) update: Update,
    pub(super) carrier: Option<CarrierName>,
}

impl NumberService {
    /// Changes what is written on a number that the actor's account or a descendant holds; neither
    /// its state nor its owner. `carrier`: the new carrier, for administrators.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for an unknown carrier, and
    /// those of every write.
    pub async fn update(
        &self,
        actor: &Actor,
        number: &E164,
        update: Update,
        carrier: Option<String>,
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let settings = &*self.settings.get().await?;
        let carrier = asked_carrier(actor, carrier.as_deref())?;
        let target = Target { actor, account: actor.account.as_ref(), settings, terms };
        self.change_one(&target, number, &Rewrite { update, carrier }).await
    }

    /// As [`NumberService::update`], for many numbers. What is refused for all of them is refused
    /// for each.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn update_many(
        &self,
        actor: &Actor,
        batch: &Batch,
        update: Update,
        carrier: Option<String>,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        let settings = &*self.settings.get().await?;
        let carrier = match asked_carrier(actor, carrier.as_deref()) {
            Err(refused) => return Ok(batch.refused(&refused)),
            Ok(carrier) => carrier,
        };
        let target = Target { actor, account: actor.account.as_ref(), settings, terms };
        self.change_many(&target, batch, &Rewrite { update, carrier }).await
    }
}

impl Operation for Rewrite {
    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        let owner = service.owner_of(&stored.number).await?;
        if !stored.number.is_changeable_by(target.actor, owner.as_ref()) {
            return Err(Error::forbidden());
        }
        self.update.apply(&mut stored.number.public);
        if let Some(carrier) = &self.carrier {
            service.may_rename(&stored.number, target.settings).await?;
            stored.number.set_carrier(carrier.clone());
        }
        Ok(Decision::save(stored))
    }
}

impl Update {
    pub(super) fn apply(&self, public: &mut Map<String, Value>) {
        match self {
            Self::Replace(members) => public.clone_from(members),
            Self::Merge(members) => merge(public, members),
        }
    }
}

/// Merges `from` into `into`, object by object; `null` deletes.
pub(super) fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (_, Value::Null) => {
                into.shift_remove(key);
            }
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            (_, Value::Object(from)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, from);
                into.insert(key.clone(), Value::Object(fresh));
            }
            (_, value) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(before: Value, update: Value, after: Value) {
        let (Value::Object(mut public), Value::Object(update), Value::Object(after)) =
            (before, update, after)
        else {
            panic!("the table holds objects");
        };
        Update::Merge(update).apply(&mut public);
        assert_eq!(public, after);
    }

    #[test]
    fn a_merge_is_deep_and_null_deletes() {
        check(json!({"a": 1}), json!({"b": 2}), json!({"a": 1, "b": 2}));
        check(json!({"a": {"x": 1}}), json!({"a": {"y": 2}}), json!({"a": {"x": 1, "y": 2}}));
        check(json!({"a": {"x": 1}}), json!({"a": {"x": null}}), json!({"a": {}}));
        check(json!({"a": 1}), json!({"a": null}), json!({}));
        check(json!({"a": 1}), json!({"a": {"x": null, "y": 1}}), json!({"a": {"y": 1}}));
        check(json!({"a": {"x": 1}}), json!({"a": [2]}), json!({"a": [2]}));
    }
}
