//! Caller names at Telnyx, API v2: the name that callees see, and the one that is looked up for callers.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    FeatureProvider, Hold, ProviderError, Step,
    cnam_notifier::{self, INBOUND, OUTBOUND},
    vendor::{self, Outstanding, Vendor},
};
use crate::{
    domain::{ConfigurationError, E164, Number, State},
    upstream::{VendorError, settings::Common, telnyx::Telnyx},
};

/// Telnyx's caller names.
pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    settings: "telnyx",
    member: "cnam",
    features: &[OUTBOUND, INBOUND],
    address: "base_url",
    secrets: &["token"],
    open: TelnyxCnam::open,
};

const NAME: &str = "knm_telnyx_cnam";
/// The longest name.
const LONGEST_NAME: usize = 15;

#[derive(Debug)]
struct TelnyxCnam {
    api: Telnyx,
    is_sandbox: bool,
}

impl TelnyxCnam {
    fn open(
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        let common = Common::read(members, false)?;
        let api = Telnyx::open(members, &common)?;
        let is_sandbox = common.is_sandbox();
        Ok(api.is_set_up().then(|| Arc::new(Self { api, is_sandbox }) as _))
    }

    /// Changes how calls of a number are; nothing when there is nothing to change.
    async fn change(&self, number: &E164, body: Map<String, Value>) -> Result<(), ProviderError> {
        if body.is_empty() || self.is_sandbox {
            return Ok(());
        }
        let id = self.api.id_of(number).await.map_err(|err| failed(err.without_doubt()))?;
        let id = id.ok_or_else(|| failed(VendorError::refused("the number is not there")))?;
        let said = self.order(&id, &body).await.map_err(failed)?;
        // Its answer says what holds now.
        let named = &body.get("cnam_listing").unwrap_or(&Value::Null)["cnam_listing_details"];
        let echoed = &said["data"]["cnam_listing"]["cnam_listing_details"];
        let has_data = said["data"].is_object();
        if !has_data || (named.is_string() && echoed != named) {
            return Err(failed(VendorError::doubtful(
                "its answer does not say what was asked for",
            )));
        }
        Ok(())
    }

    async fn order(&self, id: &str, body: &Map<String, Value>) -> Result<Value, VendorError> {
        let request = self.api.request(Method::PATCH, &["phone_numbers", id, "voice"])?.json(body);
        let reply = self.api.line.order(request, self.api.line.provisioning()).await?;
        self.api.said(&reply)
    }
}

#[async_trait]
impl FeatureProvider for TelnyxCnam {
    fn name(&self) -> &'static str {
        NAME
    }

    fn member(&self) -> &'static str {
        VENDOR.member
    }

    fn features(&self) -> &'static [&'static str] {
        VENDOR.features
    }

    fn holds_in(&self, state: State) -> Hold {
        cnam_notifier::holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        cnam_notifier::wanted(public)
    }

    fn acts_outside(&self) -> bool {
        true
    }

    fn check(&self, step: Step<'_>) -> Result<(), ProviderError> {
        match step.put(OUTBOUND).and_then(|it| it["display_name"].as_str()) {
            Some(name) if !is_name(name) => {
                let cause = "a caller name is up to 15 letters, digits and spaces".to_owned();
                Err(ProviderError::Invalid { cause })
            }
            _ => Ok(()),
        }
    }

    async fn provide(
        &self,
        before: Option<&Number>,
        after: &mut Number,
        _: Option<&str>,
    ) -> Result<(), ProviderError> {
        let step = Step { before, after: Some(after) };
        let put = [OUTBOUND, INBOUND].map(|feature| (feature, step.put(feature)));
        let put = put.into_iter().filter_map(|(feature, put)| Some((feature, Some(put?))));
        self.change(&after.id, settings(put)).await
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        let Some(after) = step.after else { return Ok(()) };
        let old = |feature| step.before.and_then(|before| before.features.get(feature));
        let put = [OUTBOUND, INBOUND].into_iter().filter(|feature| step.put(feature).is_some());
        self.change(&after.id, settings(put.map(|feature| (feature, old(feature))))).await
    }

    fn leftover(&self, before: Option<&Number>, after: Option<&mut Number>) -> Option<Value> {
        let step = Step { before, after: after.as_deref() };
        vendor::taken(VENDOR.features, step).map(Value::Object)
    }

    async fn settle(
        &self,
        number: &E164,
        now: Option<&Number>,
        left: &Value,
    ) -> Result<(), ProviderError> {
        let due = [OUTBOUND, INBOUND].into_iter().filter_map(|feature| {
            match vendor::outstanding(feature, now, left) {
                Outstanding::Nothing => None,
                Outstanding::Remove => Some((feature, None)),
                Outstanding::Put(value) => Some((feature, Some(value))),
            }
        });
        let body = settings(due);
        if body.is_empty() || self.is_sandbox {
            return Ok(());
        }
        // What is not there any more has no name.
        let id = self.api.id_of(number).await.map_err(|err| failed(err.without_doubt()))?;
        if id.is_none() {
            return Ok(());
        }
        self.change(number, body).await
    }
}

fn failed(err: VendorError) -> ProviderError {
    ProviderError::failed(NAME, err)
}

fn is_name(name: &str) -> bool {
    name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ')
}

/// What it is told of these features; none: that they are switched off.
fn settings<'a>(
    features: impl Iterator<Item = (&'static str, Option<&'a Value>)>,
) -> Map<String, Value> {
    let setting = |(feature, value): (&str, Option<&Value>)| match (feature, value) {
        (OUTBOUND, Some(value)) => {
            let listing = json!({
                "cnam_listing_enabled": true, "cnam_listing_details": value["display_name"],
            });
            ("cnam_listing".to_owned(), listing)
        }
        (OUTBOUND, None) => ("cnam_listing".to_owned(), json!({"cnam_listing_enabled": false})),
        (_, value) => ("caller_id_name_enabled".to_owned(), value.is_some().into()),
    };
    features.map(setting).collect()
}
