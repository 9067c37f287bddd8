//! Emergency addresses at Telnyx, API v2: an address is checked, made, and put in force on the number.
//! Addresses cannot be changed there: the one before goes once the new one is in force and stored.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    FeatureProvider, Hold, ProviderError, Step, Subject, Switch, e911,
    vendor::{self, Outstanding, Vendor},
};
use crate::{
    domain::{ConfigurationError, E164, FeatureTerms, Number, State, members::whole},
    upstream::{VendorError, looks::Looks, settings::Common, telnyx::Telnyx},
};

/// Telnyx's emergency addresses.
pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    settings: "telnyx",
    member: e911::MEMBER,
    features: e911::FEATURES,
    address: "base_url",
    secrets: &["token"],
    open: TelnyxE911::open,
};

const NAME: &str = "knm_telnyx_e911";
/// The longest name of a caller.
const LONGEST_NAME: usize = 100;
/// What it says of a number whose address is in force, and of one that has none.
const ACTIVE: &str = "active";
const DISABLED: &str = "disabled";
/// The same when it gave up.
const FAILED: &str = "provisioning-failed";
/// What is kept in the carrier data: its id of the address, and what it said last.
const ADDRESS_ID: &str = "address_id";
const STATUS: &str = "emergency_status";
/// The regions of the country that is not the United States.
const CANADA: [&str; 13] =
    ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];
/// Our names of the parts of an address, by its own.
const PARTS: [(&str, &str); 5] = [
    ("street_address", "street_address"),
    ("extended_address", "extended_address"),
    ("locality", "locality"),
    ("administrative_area", "region"),
    ("postal_code", "postal_code"),
];

#[derive(Debug)]
struct TelnyxE911 {
    api: Telnyx,
    common: Common,
}

/// An address that was made, and what became of it.
struct Made {
    id: String,
    status: String,
}

impl TelnyxE911 {
    fn open(
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        let patience = whole(members, "emergency_poll_timeout_s", 10, 0..=600)?;
        let common = Common::read(members, false)?.patient(patience);
        let api = Telnyx::open(members, &common)?;
        Ok(api.is_set_up().then(|| Arc::new(Self { api, common }) as _))
    }

    async fn ask(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, VendorError> {
        let request = self.api.request(method, path)?.json(body);
        let reply = self.api.line.ask(request, self.api.line.provisioning()).await?;
        self.api.said(&reply).map_err(VendorError::without_doubt)
    }

    async fn order(
        &self,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> Result<Value, VendorError> {
        let request = self.api.request(method, path)?.json(body);
        let reply = self.api.line.order(request, self.api.line.provisioning()).await?;
        self.api.said(&reply)
    }

    /// Finds the address that is meant. Changes nothing.
    async fn validate(&self, given: &Value) -> Result<(), ProviderError> {
        let path = ["addresses", "actions", "validate"];
        let said = self.ask(Method::POST, &path, &place(given)).await.map_err(failed)?;
        let said = &said["data"];
        match said["result"].as_str() {
            Some("valid") => Ok(()),
            Some("invalid") => Err(self.refused_address(said, given)),
            _ => Err(failed(VendorError::refused("its answer has no result"))),
        }
    }

    /// Why an address is refused: it suggests another one, or says what is wrong.
    fn refused_address(&self, said: &Value, given: &Value) -> ProviderError {
        if let Some(candidate) = candidate(&said["suggested"], given) {
            let (feature, given) = (e911::MEMBER, given.clone());
            return ProviderError::Choices { feature, given, candidates: vec![candidate] };
        }
        let error = &said["errors"][0];
        let words = error["detail"].as_str().or_else(|| error["title"].as_str());
        let words = words.unwrap_or("there is no such address");
        ProviderError::Invalid { cause: self.api.line.words(words) }
    }

    /// The number as it is known there.
    async fn row(&self, number: &E164) -> Result<Option<Value>, ProviderError> {
        let row = self.api.owned(number).await;
        row.map_err(|err| failed(err.without_doubt()))
    }

    /// Makes an address and puts it in force. `made` is told the address as soon as there is one.
    async fn put(
        &self,
        number: &E164,
        given: &Value,
        holder: Option<&str>,
        made: impl FnOnce(&str) + Send,
    ) -> Result<Made, ProviderError> {
        e911::ten_digits(number)?;
        let row = self.row(number).await?;
        let row = row.ok_or_else(|| failed(VendorError::refused("the number is not there")))?;
        self.validate(given).await?;
        let body = address(given, &e911::caller_name(given, holder, LONGEST_NAME));
        let said = self.order(Method::POST, &["addresses"], &body).await.map_err(failed)?;
        let lost = || failed(VendorError::doubtful("its answer names no address"));
        let id = said["data"]["id"].as_str().ok_or_else(lost)?.to_owned();
        made(&id);
        match self.enable(number, row, &id).await {
            Ok(status) => Ok(Made { id, status }),
            Err(err) => {
                if !err.is_doubtful() {
                    self.drop_quietly(&id).await;
                }
                Err(failed(err))
            }
        }
    }

    /// Puts an address in force and returns what is said of that.
    async fn enable(
        &self,
        number: &E164,
        row: Value,
        address_id: &str,
    ) -> Result<String, VendorError> {
        let id = id_of(&row)?;
        let path = ["phone_numbers", id, "actions", "enable_emergency"];
        let body = json!({"emergency_enabled": true, "emergency_address_id": address_id});
        self.order(Method::POST, &path, &body).await?;
        match self.look_until(number, ACTIVE).await?.as_str() {
            FAILED => {
                Err(VendorError::refused("the address was not put in force").with_code(FAILED))
            }
            status => Ok(status.to_owned()),
        }
    }

    /// Switches a number off, and makes sure of it.
    async fn disable(&self, number: &E164, row: &Value) -> Result<(), VendorError> {
        let body = json!({
            "emergency_enabled": false, "emergency_address_id": null,
            "phone_numbers": [{"id": id_of(row)?}],
        });
        let path = ["phone_numbers", "jobs", "update_emergency_settings"];
        self.order(Method::POST, &path, &body).await?;
        match self.look_until(number, DISABLED).await?.as_str() {
            DISABLED => Ok(()),
            status => {
                let status = self.api.line.words(status);
                Err(VendorError::refused("the number is not switched off yet").with_code(status))
            }
        }
    }

    /// Looks at a number until it is what was ordered, or something is wrong, or there is no time left;
    /// returns what was said last.
    async fn look_until(&self, number: &E164, wanted: &str) -> Result<String, VendorError> {
        let mut looks = Looks::begin(&self.common);
        loop {
            let row = self.api.owned(number).await.map_err(VendorError::in_doubt)?;
            let gone = || VendorError::doubtful("the number is not there any more");
            let status = status_of(&row.ok_or_else(gone)?).to_owned();
            if status == wanted || status == FAILED || looks.next().await.is_err() {
                return Ok(status);
            }
        }
    }

    /// Drops an address. One that is not there was dropped.
    async fn drop(&self, id: &str) -> Result<(), VendorError> {
        let request = self.api.request(Method::DELETE, &["addresses", id])?;
        let reply = self.api.line.order(request, self.api.line.provisioning()).await?;
        let is_gone = reply.is_success() || reply.status == 404;
        if is_gone { Ok(()) } else { Err(self.api.refusal(&reply)) }
    }

    async fn drop_quietly(&self, id: &str) {
        if let Err(err) = self.drop(id).await {
            tracing::warn!(address_id = id, error = %err, "an address is left at the vendor");
        }
    }

    /// Takes away what is in force on a number, and returns the address that was.
    async fn remove(&self, number: &E164) -> Result<Option<String>, ProviderError> {
        let Some(row) = self.row(number).await? else { return Ok(None) };
        if row["emergency_enabled"] == true || ![DISABLED, ""].contains(&status_of(&row)) {
            self.disable(number, &row).await.map_err(failed)?;
        }
        Ok(row["emergency_address_id"].as_str().map(str::to_owned))
    }

    /// Puts the address in force that a number says it has, which is made anew when it is not known.
    async fn put_again(&self, number: &Number, given: &Value) -> Result<(), ProviderError> {
        let (Some(id), Some(row)) = (kept(number), self.row(&number.id).await?) else {
            return self.put(&number.id, given, None, |_| ()).await.map(|_| ());
        };
        self.enable(&number.id, row, id).await.map_err(failed)?;
        Ok(())
    }
}

#[async_trait]
impl FeatureProvider for TelnyxE911 {
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
        let Some(given) = e911::address(Some(after)).cloned() else { return Ok(()) };
        if self.common.is_sandbox() {
            return Ok(());
        }
        let id = after.id.clone();
        let data = &mut after.carrier_data;
        let made = self
            .put(&id, &given, holder, |made| vendor::keep(data, ADDRESS_ID, made.into()))
            .await?;
        vendor::keep(&mut after.carrier_data, ADDRESS_ID, made.id.into());
        vendor::keep(&mut after.carrier_data, STATUS, made.status.into());
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        let Some(after) = step.after.filter(|_| !self.common.is_sandbox()) else { return Ok(()) };
        let new = kept(after);
        match (step.before, e911::address(step.before)) {
            (Some(before), Some(old)) => self.put_again(before, old).await?,
            _ => drop(self.remove(&after.id).await?),
        }
        match new.filter(|id| step.before.and_then(kept) != Some(*id)) {
            Some(id) => self.drop(id).await.map_err(failed),
            None => Ok(()),
        }
    }

    fn leftover(&self, before: Option<&Number>, after: Option<&mut Number>) -> Option<Value> {
        let step = Step { before, after: after.as_deref() };
        let old = before.and_then(kept).map(str::to_owned);
        let is_replaced = step.put(e911::MEMBER).is_some()
            && old.is_some()
            && step.after.and_then(kept) != old.as_deref();
        let taken = vendor::taken(VENDOR.features, step);
        if taken.is_none() && !is_replaced {
            return None;
        }
        if let Some(after) = after.filter(|_| taken.is_some()) {
            for member in [ADDRESS_ID, STATUS] {
                vendor::keep(&mut after.carrier_data, member, Value::Null);
            }
        }
        let mut left = taken.unwrap_or_default();
        left.extend(old.map(|old| (ADDRESS_ID.to_owned(), old.into())));
        Some(Value::Object(left))
    }

    fn in_doubt(&self, step: Step<'_>) -> Value {
        let mut left = vendor::in_doubt(VENDOR.features, step);
        if let Some(id) =
            step.after.and_then(kept).filter(|id| step.before.and_then(kept) != Some(*id))
        {
            left[ADDRESS_ID] = id.into();
        }
        left
    }

    async fn settle(
        &self,
        number: &E164,
        now: Option<&Number>,
        left: &Value,
    ) -> Result<(), ProviderError> {
        if self.common.is_sandbox() {
            return Ok(());
        }
        let mut ids: Vec<String> =
            left[ADDRESS_ID].as_str().map(str::to_owned).into_iter().collect();
        match vendor::outstanding(e911::MEMBER, now, left) {
            Outstanding::Nothing => (),
            Outstanding::Remove => ids.extend(self.remove(number).await?),
            Outstanding::Put(given) => {
                if let Some(now) = now {
                    self.put_again(now, given).await?;
                }
            }
        }
        let in_use = now.filter(|now| e911::address(Some(now)).is_some()).and_then(kept);
        ids.retain(|id| Some(id.as_str()) != in_use);
        ids.dedup();
        for id in ids {
            self.drop(&id).await.map_err(failed)?;
        }
        Ok(())
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let status =
            step.after.and_then(|after| after.carrier_data.as_ref()?.get(STATUS)?.as_str());
        let is_pending = status.is_some_and(|status| status != ACTIVE);
        let put = step.put(e911::MEMBER).filter(|_| is_pending);
        put.map(|address| Subject::E911(Switch::On, address.clone())).into_iter().collect()
    }
}

fn failed(err: VendorError) -> ProviderError {
    ProviderError::failed(NAME, err)
}

/// Its own id of a number's address.
fn kept(number: &Number) -> Option<&str> {
    number.carrier_data.as_ref()?.get(ADDRESS_ID)?.as_str()
}

fn id_of(row: &Value) -> Result<&str, VendorError> {
    row["id"].as_str().ok_or_else(|| VendorError::refused("the number has no id"))
}

fn status_of(row: &Value) -> &str {
    row["emergency_status"].as_str().unwrap_or_default()
}

/// An address as it wants it checked.
fn place(given: &Value) -> Value {
    let region = given["region"].as_str().unwrap_or_default();
    let country = if CANADA.contains(&region) { "CA" } else { "US" };
    let mut place = json!({ "country_code": country });
    for (theirs, ours) in PARTS {
        if let Some(text) = given[ours].as_str().filter(|text| !text.is_empty()) {
            place[theirs] = text.into();
        }
    }
    place
}

/// The same as it wants it made, for somebody.
fn address(given: &Value, name: &str) -> Value {
    let mut address = place(given);
    let name = name.trim();
    let (first, last) = name.split_once(' ').unwrap_or((name, name));
    address["business_name"] = name.into();
    address["first_name"] = first.into();
    address["last_name"] = last.trim().into();
    address["address_book"] = false.into();
    address
}

/// What it takes to be meant, beside what was given; none when it suggests nothing else.
fn candidate(suggested: &Value, given: &Value) -> Option<Value> {
    let mut candidate = given.clone();
    for (theirs, ours) in PARTS {
        if let Some(text) = suggested[theirs].as_str().filter(|text| !text.is_empty()) {
            candidate[ours] = text.into();
        }
    }
    (candidate != *given).then_some(candidate)
}
