//! Middleware of the operator's own, which speaks a small contract over HTTP: the simplest way to buy
//! from anybody.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use reqwest::{Method, RequestBuilder, Url, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Ability, CarrierError, Descriptor, Module, Offered, Order, OutsideCarrier, Ownership, Wanted,
    described,
    http::{Deadline, Line, Reply},
    settings::{Common, address, asking, below, said, secret},
};
use crate::domain::{
    ConfigurationError, E164,
    members::{texts, wrong},
    nanp::to_npan,
};

/// Middleware of the operator's own.
pub(super) const CARRIER: Descriptor = Descriptor {
    longest_prefix: 10,
    module: Some(&Module {
        abilities: &[Ability::Search, Ability::Check, Ability::Buy, Ability::Ask],
        address: "phonebook_url",
        secrets: &["token"],
        pretends: false,
        open: Other::open,
    }),
    ..Descriptor::tag("knm_other")
};

/// The country in the paths when none is set.
const COUNTRY: &str = "US";
/// The header that a token is sent in when none is set.
const HEADER: &str = "authorization";

#[derive(Debug)]
struct Other {
    line: Line,
    base: Option<Url>,
    country: String,
    /// Where calls are to be sent; none when nothing is said.
    gateways: Vec<String>,
    header: HeaderName,
    token: Option<SecretString>,
}

impl Other {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let token = secret(members, "token")?;
        let header = said(members, "auth_header")?.unwrap_or_else(|| HEADER.to_owned());
        let bad_header = |_| wrong("auth_header", "is no name of a header".to_owned());
        Ok(Arc::new(Self {
            line: Line::new(common.line, token.iter().cloned().collect()),
            // It is the operator's own, and may be inside a network of theirs.
            base: address(members, "phonebook_url", true)?,
            country: said(members, "default_country")?.unwrap_or_else(|| COUNTRY.to_owned()),
            gateways: gateways(members)?,
            header: HeaderName::from_bytes(header.as_bytes()).map_err(bad_header)?,
            token,
        }))
    }

    /// A request about numbers; `missing`: what is said when nobody knows where to.
    fn request(
        &self,
        method: Method,
        what: &str,
        query: &[(&str, &str)],
        missing: &str,
    ) -> Result<RequestBuilder, CarrierError> {
        let base = self.base.as_ref().ok_or_else(|| CarrierError::refused(missing))?;
        let url = below(base, &["numbers", &self.country, what]);
        let request = self.line.request(method, asking(url, query));
        Ok(match &self.token {
            None => request,
            Some(token) if self.header == HEADER => request.bearer_auth(token.expose_secret()),
            Some(token) => request.header(&self.header, token.expose_secret()),
        })
    }

    /// What an answer of success says.
    fn said(&self, reply: &Reply) -> Result<Value, CarrierError> {
        if reply.status != 200 {
            return Err(self.refusal(reply));
        }
        reply.json()
    }

    /// The same, where it must say so itself.
    fn succeeded(&self, reply: &Reply) -> Result<Value, CarrierError> {
        let mut said = self.said(reply)?;
        if said["status"] == "success" { Ok(said["data"].take()) } else { Err(self.refusal(reply)) }
    }

    fn refusal(&self, reply: &Reply) -> CarrierError {
        let said = reply.json().ok();
        let text = |key: &str| said.as_ref()?.get(key)?.as_str();
        let reason = text("message").or_else(|| text("error")).map(str::to_owned);
        self.line.refusal(reply, None, &reason.unwrap_or_else(|| reply.text()))
    }

    /// What is said of numbers: the words of the middleware, by number.
    async fn words(
        &self,
        numbers: &[E164],
        deadline: Deadline,
    ) -> Result<BTreeMap<E164, String>, CarrierError> {
        let by_digits: BTreeMap<&str, &E164> = numbers.iter().map(|it| (digits(it), it)).collect();
        let asked: Vec<&&str> = by_digits.keys().collect();
        let request = self.request(Method::POST, "status", &[], "not_available")?;
        let reply = self.line.ask(request.json(&json!({ "data": asked })), deadline).await?;
        let said = self.succeeded(&reply)?;
        let word = |row: &Value| {
            let number = by_digits.get(row["number"].as_str()?)?;
            Some(((*number).clone(), self.line.words(row["status"].as_str()?)))
        };
        Ok(said.as_array().into_iter().flatten().filter_map(word).collect())
    }
}

#[async_trait]
impl OutsideCarrier for Other {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let limit = wanted.quantity.to_string();
        let query = [("prefix", &*wanted.prefix), ("limit", &limit), ("offset", "0")];
        let request = self.request(Method::GET, "search", &query, "not_available")?;
        let reply = self.line.ask(request, self.line.search()).await?;
        let Value::Object(found) = self.succeeded(&reply)? else {
            return Err(CarrierError::refused("its answer has no data"));
        };
        let offered = |(number, data): (String, Value)| {
            Some(Offered { number: E164::parse(&number).ok()?, data: Some(data) })
        };
        Ok(found.into_iter().filter_map(offered).collect())
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let place = |key: &str| Some((key.to_owned(), Value::from(data[key].as_str()?)));
        let places = ["city", "state", "rate_center", "country"];
        let locality: Map<_, _> = places.into_iter().filter_map(place).collect();
        let cost = |name: &str| Some((name.to_owned(), Value::from(data[name].as_str()?)));
        let costs = ["upfront", "monthly", "currency"];
        let cost: Map<_, _> = costs.into_iter().filter_map(cost).collect();
        described(locality, Vec::new(), cost)
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        self.words(numbers, self.line.search()).await
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let data = order.offered.data.clone();
        let number = order.offered.number.as_str();
        let mut body = json!({ "numbers": [number], "reference": order.reference });
        if !self.gateways.is_empty() {
            body["gateways"] = json!(self.gateways);
        }
        let request = self.request(Method::PUT, "order", &[], "missing_provider_url")?;
        let request = request.json(&json!({ "data": body }));
        let reply = self.line.order(request, self.line.provisioning()).await?;
        let said = self.said(&reply)?;
        let row = &said["data"][number];
        if row["status"] != "success" {
            let words = |row: &Value| row["message"].as_str().map(str::to_owned);
            let reason = words(row).unwrap_or_else(|| "lookup_resp_error".to_owned());
            // An answer about something else says nothing of this number.
            let error = CarrierError::refused(self.line.words(&reason)).with_status(reply.status);
            return Err(if row.is_null() { error.in_doubt() } else { error });
        }
        let opaque = row["opaque"].as_object().filter(|it| !it.is_empty()).cloned();
        let mut kept = opaque.map(Value::Object).or(data).unwrap_or_else(|| json!({}));
        let locality = row["locality"].as_object().filter(|it| !it.is_empty());
        if let (Some(kept), Some(locality)) = (kept.as_object_mut(), locality) {
            kept.insert("locality".to_owned(), Value::Object(locality.clone()));
        }
        Ok(Some(kept))
    }

    /// The contract leaves the words free; these are understood where the middleware says them.
    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let number = &order.offered.number;
        let words = self.words(std::slice::from_ref(number), self.line.provisioning()).await?;
        Ok(match words.get(number).map(String::as_str) {
            Some("owned") => Ownership::Ours(None),
            Some("free" | "available") => Ownership::NotOurs,
            _ => Ownership::Unknown,
        })
    }
}

/// A number as the contract has it in questions about its status: ten digits in the North American
/// plan, all elsewhere.
fn digits(number: &E164) -> &str {
    to_npan(number.as_str()).trim_start_matches('+')
}

/// One text or several.
fn gateways(members: &Map<String, Value>) -> Result<Vec<String>, ConfigurationError> {
    match members.get("endpoints") {
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        _ => Ok(texts(members, "endpoints")?.unwrap_or_default()),
    }
}
