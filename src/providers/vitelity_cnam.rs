//! Caller names at Vitelity: the name that callees see, and the one that is looked up for callers. A name
//! that goes stays with the vendor, which has no command for that.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    FeatureProvider, Hold, ProviderError, Step,
    cnam_notifier::{self, INBOUND, OUTBOUND},
    vendor::{self, Outstanding, Vendor},
};
use crate::{
    domain::{ConfigurationError, E164, Number, State},
    upstream::{VendorError, digits::ten_digits, settings::Common, vitelity::Vitelity},
};

/// Vitelity's caller names.
pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    settings: "vitelity",
    member: "cnam",
    features: &[OUTBOUND, INBOUND],
    address: "api_uri",
    secrets: &["pass"],
    open: VitelityCnam::open,
};

const NAME: &str = "knm_vitelity_cnam";

#[derive(Debug)]
struct VitelityCnam {
    api: Vitelity,
    is_sandbox: bool,
}

impl VitelityCnam {
    fn open(
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        let common = Common::read(members, false)?;
        let api = Vitelity::open(members, &common)?;
        let is_sandbox = common.is_sandbox();
        Ok(api.is_set_up().then(|| Arc::new(Self { api, is_sandbox }) as _))
    }

    /// Sends a command about a number.
    async fn order(&self, command: &str, arguments: &[(&str, &str)]) -> Result<(), VendorError> {
        let deadline = self.api.line.provisioning();
        let said = self.api.command(command, arguments, deadline, true).await?;
        match said.said(&["response"]) {
            None | Some("ok" | "success") => Ok(()),
            Some(words) => Err(VendorError::refused(self.api.line.words(words))),
        }
    }

    /// Makes a feature what it is to be; none: nothing any more.
    async fn make(
        &self,
        number: &E164,
        feature: &str,
        value: Option<&Value>,
    ) -> Result<(), ProviderError> {
        let name = value.and_then(|value| value["display_name"].as_str());
        let is_nothing = feature == OUTBOUND && name.is_none();
        if self.is_sandbox || is_nothing {
            return Ok(());
        }
        let elsewhere =
            |err: VendorError| ProviderError::Invalid { cause: err.reason().to_owned() };
        let did = ("did", ten_digits(number).map_err(elsewhere)?);
        let ordered = match (name, value) {
            (Some(name), _) => self.order("lidb", &[did, ("name", name)]).await,
            (None, Some(_)) => self.order("cnamenable", &[did]).await,
            (None, None) => self.order("cnamdisable", &[did]).await,
        };
        ordered.map_err(failed)
    }

    /// Switches the look-up off for a number. One that is not there any more has none.
    async fn switch_off(&self, number: &E164) -> Result<(), ProviderError> {
        match self.make(number, INBOUND, None).await {
            Err(ProviderError::Invalid { .. }) => Ok(()),
            Err(err) if err.is_doubtful() => Err(err),
            Err(err) if self.api.has(number).await.map_err(failed)? => Err(err),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl FeatureProvider for VitelityCnam {
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

    async fn provide(
        &self,
        before: Option<&Number>,
        after: &mut Number,
        _: Option<&str>,
    ) -> Result<(), ProviderError> {
        let step = Step { before, after: Some(after) };
        let mut done: Option<&str> = None;
        for feature in [OUTBOUND, INBOUND] {
            let Some(value) = step.put(feature) else { continue };
            if let Err(err) = self.make(&after.id, feature, Some(value)).await {
                // What was put before it is held against the number.
                return Err(if done.is_some() { in_doubt(err) } else { err });
            }
            done = Some(feature);
        }
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        let Some(after) = step.after else { return Ok(()) };
        for feature in [OUTBOUND, INBOUND].into_iter().filter(|it| step.put(it).is_some()) {
            let old = step.before.and_then(|before| before.features.get(feature));
            self.make(&after.id, feature, old).await?;
        }
        Ok(())
    }

    fn leftover(&self, before: Option<&Number>, after: Option<&mut Number>) -> Option<Value> {
        let step = Step { before, after: after.as_deref() };
        vendor::taken(&[INBOUND], step).map(Value::Object)
    }

    async fn settle(
        &self,
        number: &E164,
        now: Option<&Number>,
        left: &Value,
    ) -> Result<(), ProviderError> {
        for feature in [OUTBOUND, INBOUND] {
            match vendor::outstanding(feature, now, left) {
                Outstanding::Remove if feature == INBOUND => self.switch_off(number).await?,
                Outstanding::Nothing | Outstanding::Remove => (),
                Outstanding::Put(value) => self.make(number, feature, Some(value)).await?,
            }
        }
        Ok(())
    }
}

fn failed(err: VendorError) -> ProviderError {
    ProviderError::failed(NAME, err)
}

/// The same of a change that was made in part.
fn in_doubt(err: ProviderError) -> ProviderError {
    match err {
        ProviderError::Failed { provider, reason } => {
            ProviderError::Failed { provider, reason: reason.map(VendorError::in_doubt) }
        }
        other => other,
    }
}
