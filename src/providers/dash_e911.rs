//! Emergency addresses at Bandwidth's DASH: validated, added to the number and put in force.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::{Method, Url, header};
use serde_json::{Map, Value};

use super::{
    FeatureProvider, Hold, ProviderError, Step, Subject, Switch, e911,
    vendor::{self, Outstanding, Vendor},
};
use crate::{
    domain::{ConfigurationError, E164, FeatureTerms, Number, State},
    upstream::{
        VendorError,
        http::Line,
        login::Login,
        settings::{Common, address, below},
        xml::{Element, document, leaf, node},
    },
};

/// DASH.
pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    settings: "dash_e911",
    member: e911::MEMBER,
    features: e911::FEATURES,
    address: "emergency_provisioning_url",
    secrets: &["auth_password"],
    open: Dash::open,
};

const NAME: &str = "knm_dash_e911";
/// Where it is.
const URL: &str = "https://service.dashcs.com/dash-api/xml/emergencyprovisioning/v1";
/// How often it may be asked a second when nothing is set.
const PACE: u32 = 3;
/// The longest name of a caller.
const LONGEST_NAME: usize = 75;
/// What it calls an address that it knows, one that is in force, and a number without one.
const GEOCODED: &str = "GEOCODED";
const PROVISIONED: &str = "PROVISIONED";
const REMOVED: &str = "REMOVED";
/// What it says of an address that there is not, and of a number that it does not know.
const INVALID: &str = "INVALID";
const NOT_FOUND: &str = "NotFound";

/// Our names of what it says of an address, by its own.
const MEMBERS: [(&str, &str); 13] = [
    ("address1", "street_address"),
    ("address2", "extended_address"),
    ("activatedtime", "activated_time"),
    ("callername", "caller_name"),
    ("comments", "comments"),
    ("community", "locality"),
    ("customerorderid", "order_id"),
    ("latitude", "latitude"),
    ("longitude", "longitude"),
    ("locationid", "location_id"),
    ("plusfour", "plus_four"),
    ("postalcode", "postal_code"),
    ("state", "region"),
];
/// The same of the parts that older systems know.
const LEGACY: [(&str, &str); 4] = [
    ("housenumber", "house_number"),
    ("predirectional", "predirectional"),
    ("streetname", "streetname"),
    ("suite", "suite"),
];
/// What only it can say: it is not true any more of another address.
const ITS_OWN: [&str; 9] = [
    "activated_time",
    "comments",
    "latitude",
    "legacy_data",
    "location_id",
    "longitude",
    "order_id",
    "plus_four",
    "status",
];

#[derive(Debug)]
struct Dash {
    line: Line,
    url: Url,
    login: Login,
}

impl Dash {
    fn open(
        members: &Map<String, Value>,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, ConfigurationError> {
        let limits = Common::read(members, false)?.paced(members, PACE).line;
        let url = match address(members, VENDOR.address, false)? {
            Some(url) => url,
            None => Url::parse(URL).expect("an address"),
        };
        let login = Login::read(members, "auth_username", "auth_password")?;
        Ok(login.map(|login| {
            let line = Line::new(limits, login.secrets().into());
            Arc::new(Self { line, url, login }) as Arc<dyn FeatureProvider>
        }))
    }

    /// Says a word and reads what is said to it.
    async fn say(
        &self,
        word: &str,
        members: &[String],
        is_order: bool,
    ) -> Result<Element, VendorError> {
        let url = below(&self.url, &[&word.to_ascii_lowercase()]);
        let request = self.login.sign(self.line.request(Method::POST, url));
        let request =
            request.header(header::CONTENT_TYPE, "text/xml").body(document(&node(word, members)));
        let deadline = self.line.provisioning();
        let reply = if is_order {
            self.line.order(request, deadline).await?
        } else {
            self.line.ask(request, deadline).await?
        };
        if !reply.is_success() {
            return Err(self.line.refusal(&reply, None, &reply.text()));
        }
        let said = reply.xml()?;
        // Its names come in several spellings.
        if said.name().eq_ignore_ascii_case(&format!("{word}Response")) {
            return Ok(said);
        }
        Err(VendorError::doubtful("its answer is about something else"))
    }

    /// Finds the address that is meant. Changes nothing.
    async fn validate(&self, place: &str, given: &Value) -> Result<(), ProviderError> {
        let said = self.say("validateLocation", &[place.to_owned()], false).await;
        let said = said.map_err(|err| failed(err.without_doubt()))?;
        let found: Vec<&Element> = said.all("Location").collect();
        match found[..] {
            [] => Err(failed(VendorError::refused("its answer has no address"))),
            [one] => self.check(one),
            _ => Err(ProviderError::Choices {
                feature: e911::MEMBER,
                given: given.clone(),
                candidates: found.into_iter().map(|it| known(it, &Map::new())).collect(),
            }),
        }
    }

    /// Refuses an address that it does not know.
    fn check(&self, location: &Element) -> Result<(), ProviderError> {
        match location.said(&["status", "code"]) {
            Some(GEOCODED | PROVISIONED) => Ok(()),
            Some(INVALID) => {
                let words = location.said(&["status", "description"]).unwrap_or(INVALID);
                Err(ProviderError::Invalid { cause: self.line.words(words) })
            }
            code => Err(failed(VendorError::refused(self.line.words(code.unwrap_or("no status"))))),
        }
    }

    /// Puts an address in force and returns it as it is known there.
    async fn put(
        &self,
        number: &E164,
        given: &Value,
        holder: Option<&str>,
    ) -> Result<Value, ProviderError> {
        let uri = uri(e911::ten_digits(number)?);
        let place = node("location", &location(given));
        self.validate(&place, given).await?;
        let name = e911::caller_name(given, holder, LONGEST_NAME);
        let caller = node("uri", &[leaf("uri", &uri), leaf("callername", &name)]);
        let added = self.say("addLocation", &[caller, place], true).await.map_err(failed)?;
        let lost = || failed(VendorError::doubtful("its answer has no address"));
        let added = added.at(&["Location"]).ok_or_else(lost)?;
        self.check(added)?;
        let mut address = known(added, &kept(given));
        if address["status"] == GEOCODED
            && let Some(code) = self.provision(number, added).await
        {
            address["status"] = code.into();
        }
        Ok(address)
    }

    /// Puts an address in force that it knows. When that fails the address is no error, since calls
    /// still reach who handles unknown ones, but whoever looks sees that it is not in force.
    async fn provision(&self, number: &E164, added: &Element) -> Option<&'static str> {
        let id = added.said(&["locationid"]).unwrap_or_default();
        let said = self.say("provisionLocation", &[leaf("locationid", id)], true).await;
        let reason = match said {
            Ok(said) => match said.said(&["LocationStatus", "code"]) {
                Some(PROVISIONED) => return Some(PROVISIONED),
                code => self.line.words(code.unwrap_or("no status")),
            },
            Err(err) => err.to_string(),
        };
        let number = number.as_str();
        tracing::error!(number, reason, "an emergency address is known and not in force");
        None
    }

    async fn remove(&self, number: &E164) -> Result<(), ProviderError> {
        // It has no others.
        let Ok(digits) = e911::ten_digits(number) else { return Ok(()) };
        match self.say("removeURI", &[leaf("uri", &uri(digits))], true).await {
            Ok(said) => match said.said(&["URIStatus", "code"]) {
                Some(REMOVED) => Ok(()),
                Some(code) => Err(failed(VendorError::refused(self.line.words(code)))),
                None => Err(failed(VendorError::doubtful("its answer has no status"))),
            },
            Err(err) if err.status() == Some(404) || err.reason().contains(NOT_FOUND) => Ok(()),
            Err(err) => Err(failed(err)),
        }
    }
}

#[async_trait]
impl FeatureProvider for Dash {
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
        let address = self.put(&after.id, given, holder).await?;
        for members in [&mut after.features, &mut after.public] {
            members.insert(e911::MEMBER.to_owned(), address.clone());
        }
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        let Some(number) = step.after.or(step.before).map(|number| &number.id) else {
            return Ok(());
        };
        match e911::address(step.before) {
            Some(old) => self.put(number, old, None).await.map(|_| ()),
            None => self.remove(number).await,
        }
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
        match vendor::outstanding(e911::MEMBER, now, left) {
            Outstanding::Nothing => Ok(()),
            Outstanding::Remove => self.remove(number).await,
            Outstanding::Put(address) => self.put(number, address, None).await.map(|_| ()),
        }
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let put = step.put(e911::MEMBER).filter(|address| address["status"] != PROVISIONED);
        put.map(|address| Subject::E911(Switch::On, address.clone())).into_iter().collect()
    }
}

fn failed(err: VendorError) -> ProviderError {
    ProviderError::failed(NAME, err)
}

fn uri(digits: &str) -> String {
    format!("tel:1{digits}")
}

/// An address as it wants it.
fn location(given: &Value) -> Vec<String> {
    let members = [
        ("address1", "street_address"),
        ("address2", "extended_address"),
        ("community", "locality"),
        ("state", "region"),
        ("postalcode", "postal_code"),
    ];
    let said = |(theirs, ours): (&str, &str)| Some(leaf(theirs, given[ours].as_str()?));
    members.into_iter().filter_map(said).chain([leaf("type", "ADDRESS")]).collect()
}

/// What was given and is not its own to say.
fn kept(given: &Value) -> Map<String, Value> {
    let mut kept = given.as_object().cloned().unwrap_or_default();
    kept.retain(|name, _| !ITS_OWN.contains(&name.as_str()));
    kept
}

/// An address as it is known there, over what was given.
fn known(location: &Element, given: &Map<String, Value>) -> Value {
    let mut address = given.clone();
    let said = |place: &Element, members: &[(&str, &str)]| -> Map<String, Value> {
        let member = |(theirs, ours): &(&str, &str)| {
            Some(((*ours).to_owned(), Value::from(place.said(&[theirs])?)))
        };
        members.iter().filter_map(member).collect()
    };
    address.extend(said(location, &MEMBERS));
    let legacy = location.at(&["legacydata"]).map(|legacy| said(legacy, &LEGACY));
    if let Some(legacy) = legacy.filter(|legacy| !legacy.is_empty()) {
        address.insert("legacy_data".to_owned(), Value::Object(legacy));
    }
    if let Some(code) = location.said(&["status", "code"]) {
        address.insert("status".to_owned(), code.into());
    }
    Value::Object(address)
}
