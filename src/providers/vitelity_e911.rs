//! Emergency addresses at Vitelity: checked, then sent.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    FeatureProvider, Hold, ProviderError, Step, e911,
    vendor::{self, Outstanding, Vendor},
};
use crate::{
    domain::{ConfigurationError, E164, Number, State, members},
    upstream::{VendorError, settings::Common, vitelity::Vitelity, xml::Element},
};

/// Vitelity's emergency addresses.
pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    settings: "vitelity",
    member: e911::MEMBER,
    features: e911::FEATURES,
    address: "api_uri",
    secrets: &["pass"],
    open: VitelityE911::open,
};

const NAME: &str = "knm_vitelity_e911";
/// The longest name of a caller.
const LONGEST_NAME: usize = 75;
/// What is kept in the carrier data: what it says of an address that it took.
const INFO: &str = "e911_info";
/// Our names of the parts of an address, by its own.
const PARTS: [(&str, &str); 4] = [
    ("address", "street_address"),
    ("city", "locality"),
    ("state", "region"),
    ("zip", "postal_code"),
];

#[derive(Debug)]
struct VitelityE911 {
    api: Vitelity,
    /// Who is named on every address, if somebody is.
    customer: Option<String>,
    is_sandbox: bool,
}

impl VitelityE911 {
    fn open(
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        let common = Common::read(members, false)?;
        let api = Vitelity::open(members, &common)?;
        let customer = members::text(members, "customer_name")?.map(str::to_owned);
        let customer = customer.filter(|name| !name.is_empty());
        let is_sandbox = common.is_sandbox();
        Ok(api.is_set_up().then(|| Arc::new(Self { api, customer, is_sandbox }) as _))
    }

    /// Sends an address, and returns what is said of it.
    async fn put(
        &self,
        number: &E164,
        given: &Value,
        holder: Option<&str>,
    ) -> Result<Option<Value>, ProviderError> {
        let did = e911::ten_digits(number)?;
        if self.is_sandbox {
            return Ok(None);
        }
        let said = |key: &str| given[key].as_str().map(str::trim).filter(|text| !text.is_empty());
        let name = e911::caller_name(given, holder, LONGEST_NAME);
        let name = self.customer.as_deref().unwrap_or(&name);
        let mut place = vec![("name", name)];
        place.extend(PARTS.into_iter().filter_map(|(theirs, ours)| Some((theirs, said(ours)?))));
        self.check(&place).await?;
        let (kind, unit) = unit(said("extended_address").unwrap_or_default());
        let unit = [("unittype", kind), ("unitnumber", unit)];
        place.extend(unit.into_iter().filter(|(_, text)| !text.is_empty()));
        place.push(("did", did));
        let deadline = self.api.line.provisioning();
        let sent = self.api.command("e911send", &place, deadline, true).await.map_err(failed)?;
        Ok(sent.at(&["info"]).map(|info| self.info(info)))
    }

    /// Refuses an address that there is not. Changes nothing.
    async fn check(&self, place: &[(&str, &str)]) -> Result<(), ProviderError> {
        let deadline = self.api.line.provisioning();
        match self.api.command("e911checkaddress", place, deadline, false).await {
            Ok(_) => Ok(()),
            // It has no other way to say no, to an address as to a stranger.
            Err(err) if !err.is_doubtful() && err.status().is_none() => {
                self.api.login_works().await.map_err(failed)?;
                Err(ProviderError::Invalid { cause: err.reason().to_owned() })
            }
            Err(err) => Err(failed(err.without_doubt())),
        }
    }

    fn info(&self, info: &Element) -> Value {
        let said = |child: &Element| {
            (child.name().to_owned(), Value::from(self.api.line.words(child.text())))
        };
        Value::Object(info.children().iter().map(said).collect())
    }

    async fn remove(&self, number: &E164) -> Result<(), ProviderError> {
        // It has no others.
        let Ok(did) = e911::ten_digits(number) else { return Ok(()) };
        if self.is_sandbox {
            return Ok(());
        }
        let did = [("did", did)];
        let deadline = self.api.line.provisioning();
        let Err(refused) = self.api.command("e911delete", &did, deadline, true).await else {
            return Ok(());
        };
        if refused.is_doubtful() || refused.status().is_some() {
            return Err(failed(refused));
        }
        // What is refused may be gone already; a stranger is refused, too.
        match self.api.command("e911getinfo", &did, deadline, false).await {
            Ok(_) => Err(failed(refused)),
            Err(err) if err.is_doubtful() || err.status().is_some() => Err(failed(err)),
            Err(_) => self.api.login_works().await.map_err(failed),
        }
    }
}

#[async_trait]
impl FeatureProvider for VitelityE911 {
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
        e911::holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        e911::wanted(public)
    }

    fn acts_outside(&self) -> bool {
        true
    }

    async fn provide(
        &self,
        _: Option<&Number>,
        after: &mut Number,
        holder: Option<&str>,
    ) -> Result<(), ProviderError> {
        let Some(given) = e911::address(Some(after)) else { return Ok(()) };
        let info = self.put(&after.id, given, holder).await?;
        vendor::keep(&mut after.carrier_data, INFO, info.unwrap_or_default());
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        let Some(number) = step.after.map(|number| &number.id) else { return Ok(()) };
        match e911::address(step.before) {
            Some(old) => self.put(number, old, None).await.map(|_| ()),
            None => self.remove(number).await,
        }
    }

    fn leftover(&self, before: Option<&Number>, after: Option<&mut Number>) -> Option<Value> {
        let step = Step { before, after: after.as_deref() };
        let taken = vendor::taken(VENDOR.features, step)?;
        if let Some(after) = after {
            vendor::keep(&mut after.carrier_data, INFO, Value::Null);
        }
        Some(Value::Object(taken))
    }

    async fn settle(
        &self,
        number: &E164,
        now: Option<&Number>,
        left: &Value,
    ) -> Result<(), ProviderError> {
        match vendor::outstanding(e911::MEMBER, now, left) {
            Outstanding::Nothing => Ok(()),
            Outstanding::Remove => self.remove(number).await,
            Outstanding::Put(address) => self.put(number, address, None).await.map(|_| ()),
        }
    }
}

fn failed(err: VendorError) -> ProviderError {
    ProviderError::failed(NAME, err)
}

/// The kind of a unit and its number: `Suite 4`.
fn unit(text: &str) -> (&str, &str) {
    text.split_once(' ').map_or(("", text), |(kind, number)| (kind, number.trim()))
}
