//! `VoIP Innovations`, SOAP service version 3: numbers of the United States, assigned and released at
//! once. What became of a purchase is asked of the number itself.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    Ability, CarrierError, Descriptor, Module, Offered, Order, OutsideCarrier, Ownership, Returned,
    Wanted, described,
    digits::{number_in, ten_digits},
    http::{Deadline, Line},
    settings::{Common, address, missing, said, secret},
    tollfree,
    xml::{Element, document, leaf, node},
};
use crate::domain::{ConfigurationError, E164, members::wrong};

/// `VoIP Innovations`.
pub(super) const CARRIER: Descriptor = Descriptor {
    plans: &["1"],
    module: Some(&Module {
        abilities: &[Ability::Search, Ability::Check, Ability::Buy, Ability::Ask, Ability::Return],
        address: "base_url",
        secrets: &["password"],
        pretends: false,
        open: VoipInnovations::open,
    }),
    ..Descriptor::tag("knm_voip_innovations")
};

/// Where it is.
const SERVICE: &str = "https://backoffice.voipinnovations.com/Services/APIService.asmx";
/// The namespace of its words.
const SPACE: &str = "http://tempuri.org/";
/// The namespace of envelopes.
const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The beginning of the numbers that it has.
const PLAN: &str = "+1";
/// What stands for all states that numbers without charge are in.
const TOLL_FREE: &str = "TF";
/// How many numbers are checked at once.
const CHECKED: usize = 4;

/// Its code of success.
const DONE: &str = "100";
/// There is nothing to be told.
const NOTHING: &str = "101";
/// It is set aside for us; asked again, it is ours.
const RESERVED: &str = "104220";
/// It is ours already.
const OURS: &str = "104225";
/// A question about a number that nobody knows.
const UNKNOWN: &str = "102420";
/// The number to be released is not ours: it is free, somebody else's, unknown, or was released before.
const RELEASED: [&str; 5] = ["106230", "106231", "106235", "106241", "106420"];

#[derive(Debug)]
struct VoipInnovations {
    line: Line,
    service: Url,
    login: Option<String>,
    password: Option<SecretString>,
    /// Where calls are to be sent: the number of a group.
    group: Option<String>,
}

/// What is said of a number.
struct Verdict {
    code: String,
    words: String,
    availability: String,
}

impl VoipInnovations {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let password = secret(members, "password")?;
        Ok(Arc::new(Self {
            line: Line::new(common.line, password.iter().cloned().collect()),
            service: match address(members, "base_url", false)? {
                Some(url) => url,
                None => Url::parse(SERVICE).expect("an address"),
            },
            login: said(members, "login")?,
            password,
            group: group(members)?,
        }))
    }

    /// Calls an operation and reads its result: an error unless it was carried out.
    async fn call(
        &self,
        operation: &str,
        arguments: &[String],
        deadline: Deadline,
        is_order: bool,
    ) -> Result<Element, CarrierError> {
        let login = self.login.as_deref().ok_or_else(|| missing("login"))?;
        let password = self.password.as_ref().ok_or_else(|| missing("password"))?;
        let caller = leaf("login", login) + &leaf("secret", password.expose_secret());
        let body = format!(
            "<env:Envelope xmlns:env=\"{ENVELOPE}\"><env:Body><{operation} xmlns=\"{SPACE}\">\
             {caller}{}</{operation}></env:Body></env:Envelope>",
            arguments.concat(),
        );
        let request = self.line.request(Method::POST, self.service.clone());
        let request = request
            .header(header::CONTENT_TYPE, "text/xml;charset=UTF-8")
            .header("SOAPAction", format!("{SPACE}{operation}"))
            .body(document(&body));
        let reply = if is_order {
            self.line.order(request, deadline).await?
        } else {
            self.line.ask(request, deadline).await?
        };
        if !reply.is_success() {
            let said = reply.xml().ok();
            let fault = said.as_ref().and_then(|it| it.said(&["Body", "Fault", "faultstring"]));
            let words = fault.map_or_else(|| reply.text(), str::to_owned);
            return Err(self.line.refusal(&reply, None, &words));
        }
        let (answer, result) = (format!("{operation}Response"), format!("{operation}Result"));
        let said = reply.xml()?;
        let result = said.at(&["Body", &answer, &result]);
        let result = result.ok_or_else(|| CarrierError::doubtful("its answer has no result"))?;
        match result.said(&["responseCode"]) {
            Some(DONE | NOTHING) => Ok(result.clone()),
            Some(code) => {
                let words = result.said(&["responseMessage"]).unwrap_or("no reason was given");
                let err = CarrierError::refused(self.line.words(words));
                Err(err.with_code(self.line.words(code)))
            }
            None => Err(CarrierError::doubtful("its answer has no code")),
        }
    }

    /// The numbers that fit, whatever else fits them.
    async fn locate(
        &self,
        criteria: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Vec<Offered>, CarrierError> {
        let criteria: Vec<_> = criteria.iter().map(|(name, text)| leaf(name, text)).collect();
        let found = self.call("getDIDs", &criteria, deadline, false).await;
        let found = found.map_err(CarrierError::without_doubt)?;
        let list = found.at(&["DIDLocators"]).into_iter();
        Ok(list.flat_map(|list| list.all("DIDLocator")).filter_map(offered).collect())
    }

    /// What is said of a number to which something was to be done.
    async fn tell(
        &self,
        operation: &str,
        number: &E164,
        more: &[String],
    ) -> Result<Verdict, CarrierError> {
        let members = [&[leaf("tn", ten_digits(number)?)][..], more].concat();
        let arguments = [node("didParams", &[node("DIDParam", &members)])];
        let deadline = self.line.provisioning();
        let result = self.call(operation, &arguments, deadline, true).await?;
        let verdict = self.verdict(&result, number);
        verdict.ok_or_else(|| CarrierError::doubtful("its answer does not name the number"))
    }

    fn verdict(&self, result: &Element, number: &E164) -> Option<Verdict> {
        let list = result.at(&["DIDs"])?;
        let it = list
            .all("DID")
            .find(|it| it.said(&["tn"]).and_then(number_in).as_ref() == Some(number))?;
        let said = |name: &str| self.line.words(it.said(&[name]).unwrap_or_default());
        let (code, words) = (said("statusCode"), said("status"));
        Some(Verdict { code, words, availability: said("availability").to_ascii_lowercase() })
    }

    /// What a number is, in the carrier's word; none when nobody knows it.
    async fn standing(
        &self,
        number: &E164,
        deadline: Deadline,
    ) -> Result<Option<String>, CarrierError> {
        let result =
            self.call("queryDID", &[leaf("did", ten_digits(number)?)], deadline, false).await;
        let result = result.map_err(CarrierError::without_doubt)?;
        match self.verdict(&result, number) {
            Some(it) if it.code == UNKNOWN => Ok(None),
            Some(it) if it.code == DONE && !it.availability.is_empty() => Ok(Some(it.availability)),
            Some(it) => Err(it.refused()),
            None => Err(CarrierError::refused("its answer does not name the number")),
        }
    }

    async fn is_ours(&self, number: &E164) -> Result<bool, CarrierError> {
        let standing = self.standing(number, self.line.provisioning()).await?;
        Ok(standing.is_some_and(|word| word == "assigned"))
    }
}

#[async_trait]
impl OutsideCarrier for VoipInnovations {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let Some(digits) = wanted.prefix.strip_prefix(PLAN).filter(|it| it.len() >= 3) else {
            return Ok(Vec::new());
        };
        let (deadline, area) = (self.line.search(), &digits[..3]);
        let mut found = match digits.get(..6) {
            _ if tollfree::is_tollfree(area) => {
                self.locate(&[("state", TOLL_FREE), ("npa", area)], deadline).await?
            }
            None => self.locate(&[("npa", area)], deadline).await?,
            Some(exchange) => {
                let criteria = [("npa", area), ("nxx", &exchange[3..])];
                match self.locate(&criteria, deadline).await? {
                    // It may want all six in one.
                    found if found.is_empty() => {
                        self.locate(&[("nxx", exchange)], deadline).await?
                    }
                    found => found,
                }
            }
        };
        found.retain(|it| it.number.as_str().starts_with(&wanted.prefix));
        found.truncate(wanted.quantity);
        Ok(found)
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let place = |key: &str| Some((key.to_owned(), Value::from(data[key].as_str()?)));
        let locality = ["rate_center", "state"].into_iter().filter_map(place).collect();
        let sms = (data["sms"] == true).then(|| Value::from("sms"));
        described(locality, sms.into_iter().collect(), Map::new())
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        let deadline = self.line.search();
        let asked = numbers.iter().filter(|number| ten_digits(number).is_ok());
        let asked = asked.map(|number| async move {
            let word = |word| if word == "assigned" { "owned".to_owned() } else { word };
            let standing = self.standing(number, deadline).await?;
            Ok::<_, CarrierError>(standing.map(|it| (number.clone(), word(it))))
        });
        let asked: Vec<_> = asked.collect();
        let words: Vec<_> = stream::iter(asked).buffered(CHECKED).try_collect().await?;
        Ok(words.into_iter().flatten().collect())
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let (number, data) = (&order.offered.number, order.offered.data.clone());
        let group = self.group.as_deref().ok_or_else(|| missing("endpoint_group"))?;
        let more = [leaf("epg", group)];
        let verdict = match self.tell("assignDID", number, &more).await {
            Ok(it) if it.code == RESERVED => self.tell("assignDID", number, &more).await,
            verdict => verdict,
        };
        let err = match verdict {
            Ok(it) if it.code == DONE || it.code == OURS => return Ok(data),
            Ok(it) => it.refused(),
            Err(err) => err,
        };
        if err.is_doubtful() && self.is_ours(number).await.unwrap_or(false) {
            return Ok(data);
        }
        Err(err)
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let standing = self.standing(&order.offered.number, self.line.provisioning()).await?;
        Ok(match standing.as_deref() {
            Some("assigned") => Ownership::Ours(None),
            None | Some("available") => Ownership::NotOurs,
            Some(_) => Ownership::Unknown,
        })
    }

    async fn disconnect(
        &self,
        number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        match self.tell("releaseDID", number, &[]).await? {
            it if it.code == DONE => Ok(Returned::Done),
            it if RELEASED.contains(&it.code.as_str()) => {
                tracing::warn!(%number, code = it.code, words = it.words, "it was not ours to release");
                Ok(Returned::Done)
            }
            it => Err(it.refused()),
        }
    }
}

impl Verdict {
    fn refused(self) -> CarrierError {
        CarrierError::refused(self.words).with_code(self.code)
    }
}

/// A row of a search.
fn offered(row: &Element) -> Option<Offered> {
    let number = number_in(row.said(&["tn"])?)?;
    let texts = [("rate_center", "rateCenter"), ("state", "state"), ("tier", "tier")];
    let text = |(key, name): (&str, &str)| Some((key.to_owned(), row.said(&[name])?.into()));
    let flags = [("cnam", "outboundCNAM"), ("t38", "t38"), ("sms", "sms")];
    let flag = |(key, name): (&str, &str)| {
        Some((key.to_owned(), row.said(&[name])?.parse::<bool>().ok()?.into()))
    };
    let mut data = Map::from_iter([("e164".to_owned(), Value::from(number.as_str()))]);
    data.extend(texts.into_iter().filter_map(text));
    data.extend(flags.into_iter().filter_map(flag));
    Some(Offered { number, data: Some(Value::Object(data)) })
}

/// The number of a group, as a number or as text.
fn group(members: &Map<String, Value>) -> Result<Option<String>, ConfigurationError> {
    const KEY: &str = "endpoint_group";
    let group = match members.get(KEY) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => said(members, KEY)?,
    };
    match group {
        Some(group) if !group.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(wrong(KEY, "is no number".to_owned()))
        }
        group => Ok(group),
    }
}
