//! Bandwidth, Numbers API v2 in XML: numbers of many countries, bought and given back one at a time
//! by orders that are looked at until they are carried out.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    Ability, CarrierError, Descriptor, Module, Offered, Order, OutsideCarrier, Ownership, Returned,
    Wanted, described,
    digits::number_in,
    http::{Deadline, Line, Reply},
    login::Login,
    looks::Looks,
    settings::{Common, address, asking, below, missing, said},
    token::Tokens,
    tollfree,
    xml::{Element, document, leaf, node},
};
use crate::domain::{
    Clock, ConfigurationError, E164, SystemClock, calling_code, gregorian_seconds,
    members::{flag, whole},
};

/// Bandwidth.
pub(super) const CARRIER: Descriptor = Descriptor {
    plans: &["1"],
    module: Some(&Module {
        abilities: &[Ability::Search, Ability::Check, Ability::Buy, Ability::Ask, Ability::Return],
        address: "base_url",
        secrets: &["client_secret", "api_password"],
        pretends: true,
        open: Bandwidth::open,
    }),
    ..Descriptor::tag("knm_bandwidth2")
};

/// Where it is.
const BASE: &str = "https://api.bandwidth.com/api/v2";
/// Where tokens are had, on the same host.
const TOKENS: &str = "/api/v1/oauth2/token";
/// What the names of orders begin with when nothing is set.
const ORDER_NAME: &str = "Kazoo";
/// The most numbers that a search may ask for.
const MOST: i64 = 5000;
/// The error of a number that waits for an order to be carried out.
const PENDING: &str = "5019";
/// The errors of a search that asks for what there is not.
const FRUITLESS: std::ops::RangeInclusive<u32> = 4000..=4026;
/// How many numbers are checked at once.
const CHECKED: usize = 4;
/// How many orders of one name are looked at.
const SAME: usize = 5;

#[derive(Debug)]
struct Bandwidth {
    line: Line,
    common: Common,
    base: Url,
    key: Option<Key>,
    account: Option<String>,
    site: Option<String>,
    peer: Option<String>,
    order_name: String,
    most: usize,
    has_details: bool,
}

/// How it is told who asks.
#[derive(Debug)]
enum Key {
    Tokens(Tokens),
    /// Until 2 December 2026.
    Login(Login),
}

/// An order that was made.
struct Placed {
    id: String,
    shown: Element,
}

/// Where an order stands.
enum Progress {
    Pending,
    Done,
    /// It is over, and perhaps it was carried out.
    Unclear,
    Failed(CarrierError),
}

impl Bandwidth {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let base = match address(members, "base_url", false)? {
            Some(base) => base,
            None => Url::parse(BASE).expect("an address"),
        };
        let client = Login::read(members, "client_id", "client_secret")?;
        let user = Login::read(members, "api_username", "api_password")?;
        let secrets = client.iter().chain(&user).flat_map(Login::secrets).collect();
        let tokens = address(members, "token_url", false)?;
        let tokens = tokens.unwrap_or_else(|| base.join(TOKENS).expect("a path"));
        let client = client.map(|login| Key::Tokens(Tokens::of(tokens, login)));
        let most = whole(members, "max_search_quantity", 500, 1..=MOST)?;
        Ok(Arc::new(Self {
            line: Line::new(common.line, secrets),
            common: *common,
            base,
            key: client.or(user.map(Key::Login)),
            account: said(members, "account_id")?,
            site: said(members, "site_id")?,
            peer: said(members, "sip_peer")?,
            order_name: said(members, "order_name_prefix")?
                .unwrap_or_else(|| ORDER_NAME.to_owned()),
            most: usize::try_from(most).unwrap_or(1),
            has_details: flag(members, "enable_tn_detail")?.unwrap_or(true),
        }))
    }

    fn account(&self) -> Result<&str, CarrierError> {
        self.account.as_deref().ok_or_else(|| missing("account_id"))
    }

    /// A request about something that is the account's.
    fn request(
        &self,
        method: Method,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, CarrierError> {
        let parts = [&["accounts", self.account()?], parts].concat();
        Ok(self.plain(method, &parts, query))
    }

    fn plain(&self, method: Method, parts: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let url = asking(below(&self.base, parts), query);
        self.line.request(method, url).header(header::ACCEPT, "application/xml")
    }

    /// Asks what changes nothing.
    async fn ask(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Reply, CarrierError> {
        self.send(request, deadline, false).await.map_err(CarrierError::without_doubt)
    }

    /// Orders, in a document of this element.
    async fn order(&self, path: &str, root: &str) -> Result<Reply, CarrierError> {
        let request = self.request(Method::POST, &[path], &[])?;
        let request = request.header(header::CONTENT_TYPE, "application/xml").body(document(root));
        self.send(request, self.line.provisioning(), true).await
    }

    /// Sends a request with a token, and once more with a new one when that is refused.
    async fn send(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
        is_order: bool,
    ) -> Result<Reply, CarrierError> {
        let mut refused = None;
        loop {
            let again =
                request.try_clone().ok_or_else(|| CarrierError::refused("cannot be sent"))?;
            let (signed, token) = self.sign(again, deadline, refused.as_ref()).await?;
            let reply = if is_order {
                self.line.order(signed, deadline).await?
            } else {
                self.line.ask(signed, deadline).await?
            };
            match token {
                Some(token) if reply.status == 401 && refused.is_none() => refused = Some(token),
                _ => return Ok(reply),
            }
        }
    }

    async fn sign(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
        refused: Option<&SecretString>,
    ) -> Result<(RequestBuilder, Option<SecretString>), CarrierError> {
        match self.key.as_ref().ok_or_else(|| missing("client_id"))? {
            Key::Login(login) => Ok((login.sign(request), None)),
            Key::Tokens(tokens) => {
                let token = tokens.get(&self.line, deadline, refused).await?;
                Ok((request.bearer_auth(token.expose_secret()), Some(token)))
            }
        }
    }

    /// What an answer of success says.
    fn said(&self, reply: &Reply) -> Result<Element, CarrierError> {
        if reply.is_success() { reply.xml() } else { Err(self.refusal(reply)) }
    }

    /// The first error that an answer names.
    fn refusal(&self, reply: &Reply) -> CarrierError {
        let said = reply.xml().ok();
        match said.as_ref().and_then(error_in) {
            Some((code, reason)) => self.line.refusal(reply, code, reason),
            None => self.line.refusal(reply, None, &reply.text()),
        }
    }

    async fn available(
        &self,
        query: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Vec<Offered>, CarrierError> {
        let details = if self.has_details { "true" } else { "false" };
        let query = [query, &[("enableTNDetail", details)]].concat();
        let request = self.request(Method::GET, &["availableNumbers"], &query)?;
        let reply = self.ask(request, deadline).await?;
        let found = match self.said(&reply) {
            Err(err) if is_fruitless(&err) => {
                tracing::info!(error = %err, "nothing is found at Bandwidth");
                return Ok(Vec::new());
            }
            said => said?,
        };
        if found.name() != "SearchResult" {
            return Err(CarrierError::refused("its answer is no list of numbers"));
        }
        let plain = found.at(&["TelephoneNumberList"]).into_iter();
        let plain = plain.flat_map(|list| list.all("TelephoneNumber"));
        let plain = plain.filter_map(|it| {
            Some(Offered { number: number_in(it.text())?, data: Some(json!({})) })
        });
        let detailed = found.at(&["TelephoneNumberDetailList"]).into_iter();
        let detailed = detailed.flat_map(|list| list.all("TelephoneNumberDetail"));
        Ok(plain.chain(detailed.filter_map(offered)).collect())
    }

    /// What a number is here, in the carrier's word, and whether it is ours; none when it is unknown.
    async fn standing(
        &self,
        number: &E164,
        deadline: Deadline,
    ) -> Result<Option<(String, bool)>, CarrierError> {
        let account = self.account()?;
        let request = self.plain(Method::GET, &["tns", number.as_str()], &[]);
        let reply = self.ask(request, deadline).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let said = self.said(&reply).map_err(CarrierError::without_doubt)?;
        let said = said.at(&["TelephoneNumberDetails"]).unwrap_or(&said);
        let status = said.said(&["Status"]);
        let status = status.ok_or_else(|| CarrierError::refused("its answer has no status"))?;
        let status = self.line.words(status).to_ascii_lowercase();
        let is_held = matches!(status.as_str(), "inservice" | "inaccount");
        let is_ours = is_held && said.said(&["AccountId"]) == Some(account);
        Ok(Some((status, is_ours)))
    }

    async fn is_ours(&self, number: &E164) -> Result<bool, CarrierError> {
        let standing = self.standing(number, self.line.provisioning()).await?;
        Ok(standing.is_some_and(|(_, is_ours)| is_ours))
    }

    /// The order under our own name for it that has not failed, if there is one.
    async fn order_of(&self, order: &Order) -> Result<Option<Placed>, CarrierError> {
        let reference = reference_of(order);
        let query = [("customerOrderId", reference.as_str())];
        let request = self.request(Method::GET, &["orders"], &query)?;
        let reply = self.ask(request, self.line.provisioning()).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let said = self.said(&reply).map_err(CarrierError::without_doubt)?;
        if said.name() != "ResponseSelectWrapper" {
            return Err(CarrierError::refused("its answer is no list of orders"));
        }
        let rows = said.at(&["ListOrderIdUserIdDate"]).into_iter();
        let rows = rows.flat_map(|list| list.all("OrderIdUserIdDate"));
        let may_be =
            |row: &&Element| row.said(&["CustomerOrderId"]).is_none_or(|it| it == reference);
        for row in rows.filter(may_be).take(SAME) {
            let id = row.said(&["orderId"]).or_else(|| row.said(&["OrderId"])).unwrap_or_default();
            let found = self.look("orders", id).await?;
            let is_it = found.shown.said(&["Order", "CustomerOrderId"]) == Some(&*reference);
            let is_failed = matches!(found.progress(&order.offered.number), Progress::Failed(_));
            if is_it && !is_failed {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Looks at an order once.
    async fn look(&self, kind: &str, id: &str) -> Result<Placed, CarrierError> {
        let request = self.request(Method::GET, &[kind, id], &[])?;
        let reply = self.ask(request, self.line.provisioning()).await?;
        let shown = self.said(&reply).map_err(CarrierError::without_doubt)?;
        Ok(Placed { id: id.to_owned(), shown })
    }

    /// Makes an order, and finds it again when it is not known whether it was made.
    async fn place(&self, order: &Order, site: &str, name: &str) -> Result<Placed, CarrierError> {
        let number = leaf("TelephoneNumber", order.offered.number.as_str());
        let mut members = vec![
            leaf("Name", name),
            leaf("CustomerOrderId", &reference_of(order)),
            leaf("SiteId", site),
        ];
        members.extend(self.peer.as_deref().map(|peer| leaf("PeerId", peer)));
        members.extend([
            leaf("PartialAllowed", "false"),
            leaf("BackOrderRequested", "false"),
            node("ExistingTelephoneNumberOrderType", &[node("TelephoneNumberList", &[number])]),
        ]);
        let placed = match self.order("orders", &node("Order", &members)).await {
            Ok(reply) => self.placed(&reply, &["Order", "id"]),
            Err(err) => Err(err),
        };
        match placed {
            Err(err) if err.is_doubtful() || err.code() == Some(PENDING) => {
                match self.order_of(order).await {
                    Ok(Some(placed)) => Ok(placed),
                    // One that is pending is somebody else's order.
                    Ok(None) if !err.is_doubtful() => Err(err),
                    // It may come yet.
                    _ => Err(err.in_doubt()),
                }
            }
            placed => placed,
        }
    }

    /// The order that was taken just now.
    fn placed(&self, reply: &Reply, path: &[&str]) -> Result<Placed, CarrierError> {
        if !reply.is_success() {
            return Err(self.refusal(reply));
        }
        let shown = reply.xml();
        let named = shown.as_ref().ok().and_then(|it| it.said(path)).map(str::to_owned);
        let location = reply.headers.get(header::LOCATION).and_then(|it| it.to_str().ok());
        let location = location.and_then(|it| it.trim_end_matches('/').rsplit('/').next());
        let id = named.or_else(|| location.map(str::to_owned)).filter(|id| !id.is_empty());
        let Some(id) = id else {
            let err = CarrierError::doubtful("its answer names no order");
            return Err(shown.err().unwrap_or_else(|| err.with_status(reply.status)));
        };
        Ok(Placed { id, shown: shown.unwrap_or_default() })
    }

    /// Looks at an order until it is carried out.
    async fn await_order(&self, mut placed: Placed, number: &E164) -> Result<Placed, CarrierError> {
        let mut looks = Looks::begin(&self.common);
        loop {
            match placed.progress(number) {
                Progress::Done => return Ok(placed),
                Progress::Pending => (),
                Progress::Unclear => {
                    return Err(CarrierError::doubtful("the order is over and names no number"));
                }
                Progress::Failed(err) => return Err(self.clean(&err)),
            }
            looks.next().await?;
            placed = self.look("orders", &placed.id).await.map_err(CarrierError::in_doubt)?;
        }
    }

    /// The same error, as it may be shown.
    fn clean(&self, err: &CarrierError) -> CarrierError {
        let clean = CarrierError::refused(self.line.words(err.reason()));
        err.code().map(|code| clean.clone().with_code(self.line.words(code))).unwrap_or(clean)
    }

    /// What is to be kept of a number that is ours.
    fn kept(&self, order: &Order, placed: Option<&Placed>, name: Option<&str>) -> Value {
        let mut data = match order.offered.data.clone() {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        let mut keep = |key: &str, value: Option<&str>| {
            data.extend(value.map(|value| (key.to_owned(), Value::from(value))));
        };
        keep("number", Some(order.offered.number.as_str()));
        if let Some(placed) = placed {
            keep("order_id", Some(&reference_of(order)));
            keep("bandwidth_order_id", Some(&placed.id));
            keep("order_name", name.or_else(|| placed.shown.said(&["Order", "Name"])));
            keep("site_id", self.site.as_deref());
            keep("peer_id", self.peer.as_deref());
        }
        Value::Object(data)
    }

    /// Waits until a number is given back for which that was ordered.
    async fn await_return(&self, mut placed: Placed) -> Result<Returned, CarrierError> {
        let mut looks = Looks::begin(&self.common);
        loop {
            match placed.shown.said(&["OrderStatus"]).unwrap_or("RECEIVED") {
                "COMPLETE" | "COMPLETED" => return Ok(Returned::Done),
                "RECEIVED" | "PROCESSING" => (),
                _ => {
                    let (code, reason) =
                        error_in(&placed.shown).unwrap_or((None, "the order has failed"));
                    let err = CarrierError::refused(reason);
                    return Err(self.clean(&match code {
                        Some(code) => err.with_code(code),
                        None => err,
                    }));
                }
            }
            looks.next().await?;
            placed = self.look("disconnects", &placed.id).await?;
        }
    }
}

#[async_trait]
impl OutsideCarrier for Bandwidth {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let deadline = self.line.search();
        let code = calling_code(&wanted.country).unwrap_or_default();
        let Some(digits) = wanted.prefix.strip_prefix(&code) else {
            return Ok(Vec::new());
        };
        let (most, few) = (self.most.to_string(), wanted.quantity.min(self.most).to_string());
        if code != "+1" {
            let Some(country) = alpha3(&wanted.country) else {
                return Ok(Vec::new());
            };
            let mut query = vec![("countryCodeA3", country), ("phoneNumberType", "GEOGRAPHIC")];
            if !digits.is_empty() {
                query.push(("areaCode", digits));
            }
            query.push(("quantity", &few));
            return self.available(&query, deadline).await;
        }
        let Some(area) = digits.get(..3) else {
            return Ok(Vec::new());
        };
        // What is not asked for exactly is left over from more.
        let (quantity, exact) = (("quantity", &*few), ("LCA", "false"));
        let query = match digits.len() {
            3 if tollfree::is_tollfree(area) => vec![("tollFreeWildCardPattern", area), quantity],
            _ if tollfree::is_tollfree(area) => {
                vec![("tollFreeWildCardPattern", area), ("quantity", &most)]
            }
            3 => vec![("areaCode", area), quantity],
            4 | 5 => vec![("areaCode", area), ("quantity", &most)],
            6 => vec![("npaNxx", digits), exact, quantity],
            7 => vec![("npaNxxx", digits), exact, quantity],
            _ => vec![("npaNxxx", &digits[..7]), exact, ("quantity", &most)],
        };
        let mut found = self.available(&query, deadline).await?;
        found.retain(|it| it.number.as_str().starts_with(&wanted.prefix));
        found.truncate(wanted.quantity);
        Ok(found)
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let center = &data["rate_center"];
        let places = [
            ("rate_center", &center["name"]),
            ("state", &center["state"]),
            ("lata", &center["lata"]),
            ("city", &data["city"]),
        ];
        let known = places.into_iter().filter(|(_, value)| value.is_string());
        let locality = known.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        described(locality, Vec::new(), Map::new())
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        let deadline = self.line.search();
        let asked = numbers.iter().map(|number| async move {
            let standing = self.standing(number, deadline).await?;
            let word = |(word, is_ours)| if is_ours { "owned".to_owned() } else { word };
            Ok::<_, CarrierError>(standing.map(|standing| (number.clone(), word(standing))))
        });
        let asked: Vec<_> = asked.collect();
        let words: Vec<_> = stream::iter(asked).buffered(CHECKED).try_collect().await?;
        Ok(words.into_iter().flatten().collect())
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let site = self.site.as_deref().ok_or_else(|| missing("site_id"))?;
        let number = &order.offered.number;
        let earlier = self.order_of(order).await?;
        if self.is_ours(number).await? {
            return Ok(Some(self.kept(order, earlier.as_ref(), None)));
        }
        let name = format!("{}-{}", self.order_name, gregorian_seconds(SystemClock.now()));
        let (placed, name) = match earlier {
            Some(earlier) => (earlier, None),
            None => (self.place(order, site, &name).await?, Some(&*name)),
        };
        let done = self.await_order(placed, number).await?;
        Ok(Some(self.kept(order, Some(&done), name)))
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let placed = self.order_of(order).await?;
        if self.is_ours(&order.offered.number).await? {
            return Ok(Ownership::Ours(Some(self.kept(order, placed.as_ref(), None))));
        }
        // One that is not over, or only just, may make it ours.
        Ok(if placed.is_some() { Ownership::Unknown } else { Ownership::NotOurs })
    }

    async fn disconnect(
        &self,
        number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        if !self.is_ours(number).await? {
            return Ok(Returned::Done);
        }
        let list = node("TelephoneNumberList", &[leaf("TelephoneNumber", number.as_str())]);
        let reference = format!("kz-rel-{}", uuid::Uuid::new_v4().simple());
        let members = [
            leaf("CustomerOrderId", &reference),
            node("DisconnectTelephoneNumberOrderType", &[list, leaf("Protected", "UNCHANGED")]),
        ];
        let reply =
            self.order("disconnects", &node("DisconnectTelephoneNumberOrder", &members)).await?;
        self.await_return(self.placed(&reply, &["orderRequest", "id"])?).await
    }
}

impl Placed {
    fn progress(&self, number: &E164) -> Progress {
        let is_completed = || {
            let list = self.shown.at(&["CompletedNumbers"]).into_iter();
            list.flat_map(|list| list.all("TelephoneNumber")).any(|it| {
                let text = it.said(&["FullNumber"]).unwrap_or(it.text());
                number_in(text).as_ref() == Some(number)
            })
        };
        match self.shown.said(&["OrderStatus"]).unwrap_or("RECEIVED") {
            "RECEIVED" | "PROCESSING" => Progress::Pending,
            "COMPLETE" | "COMPLETED" | "PARTIAL" if is_completed() => Progress::Done,
            "PARTIAL" | "FAILED" | "BACKORDERED" => {
                let (code, reason) =
                    error_in(&self.shown).unwrap_or((None, "the order has failed"));
                let err = CarrierError::refused(reason);
                Progress::Failed(match code {
                    Some(code) => err.with_code(code),
                    None => err,
                })
            }
            _ => Progress::Unclear,
        }
    }
}

/// The code and the words of the first error, in each of the places where there may be one.
fn error_in(said: &Element) -> Option<(Option<&str>, &str)> {
    let error = said.somewhere("Error").or_else(|| said.somewhere("ResponseStatus"))?;
    let code = error.said(&["Code"]).or_else(|| error.said(&["ErrorCode"]));
    Some((code, error.said(&["Description"]).unwrap_or_default()))
}

fn is_fruitless(err: &CarrierError) -> bool {
    let code = err.code().and_then(|code| code.parse().ok());
    err.status() == Some(400) && code.is_some_and(|code| FRUITLESS.contains(&code))
}

/// A row of a search with details.
fn offered(row: &Element) -> Option<Offered> {
    let number = number_in(row.said(&["FullNumber"])?)?;
    let kept = |names: &[(&str, &str)]| -> Map<String, Value> {
        let said =
            |(key, name): &(&str, &str)| Some(((*key).to_owned(), row.said(&[name])?.into()));
        names.iter().filter_map(said).collect()
    };
    let center = kept(&[("name", "RateCenter"), ("lata", "LATA"), ("state", "State")]);
    let mut data = Map::from_iter([("rate_center".to_owned(), Value::Object(center))]);
    data.extend(kept(&[
        ("city", "City"),
        ("tier", "Tier"),
        ("vendor_id", "VendorId"),
        ("vendor_name", "VendorName"),
    ]));
    Some(Offered { number, data: Some(Value::Object(data)) })
}

/// Our own name for a purchase as it is told.
fn reference_of(order: &Order) -> String {
    format!("kz-{}", order.reference)
}

/// A country as three letters.
fn alpha3(country: &str) -> Option<&'static str> {
    celes::Country::from_alpha2(country).ok().map(|country| country.alpha3)
}
