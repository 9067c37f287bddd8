//! Telnyx, API v2: numbers of many countries, bought one at a time by order.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    Ability, CarrierError, Descriptor, Holdings, Module, Offered, Order, OutsideCarrier, Ownership,
    Returned, Wanted, described,
    http::Deadline,
    looks::Looks,
    settings::{Common, said},
    tollfree,
};
use crate::{
    domain::{
        ConfigurationError, E164, calling_code,
        members::{flag, wrong},
    },
    upstream::telnyx::Telnyx as Api,
};

/// Telnyx.
pub(super) const CARRIER: Descriptor = Descriptor {
    module: Some(&Module {
        abilities: &[
            Ability::Search,
            Ability::Check,
            Ability::Buy,
            Ability::Ask,
            Ability::Return,
            Ability::List,
        ],
        address: "base_url",
        secrets: &["token"],
        pretends: false,
        open: Telnyx::open,
    }),
    ..Descriptor::tag("knm_telnyx")
};

/// How many numbers a page of its list of ours has.
const LISTED: u32 = 250;
/// The error of what is not there.
const NOT_FOUND: &str = "10005";
/// The error of an order that was made before.
const DUPLICATE: &str = "10012";

#[derive(Debug)]
struct Telnyx {
    api: Api,
    common: Common,
    keep_best_effort: bool,
    /// What numbers must cost at once and every month to be shown; any when not set.
    rates: Option<(f64, f64)>,
    /// What orders say beside the number.
    extras: Map<String, Value>,
}

impl Telnyx {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let mut extras = Map::new();
        for key in ["connection_id", "messaging_profile_id", "billing_group_id"] {
            extras.extend(said(members, key)?.map(|text| (key.to_owned(), text.into())));
        }
        let rate = |key| match members.get(key) {
            None | Some(Value::Null) => Ok(1.0),
            Some(value) => decimal(value).ok_or_else(|| wrong(key, "is no amount".to_owned())),
        };
        let rates = (rate("upfront_cost")?, rate("monthly_recurring_cost")?);
        let is_filtered = flag(members, "should_filter_rates")?.unwrap_or(false);
        Ok(Arc::new(Self {
            api: Api::open(members, common)?,
            common: *common,
            keep_best_effort: flag(members, "should_keep_best_effort")?.unwrap_or(false),
            rates: is_filtered.then_some(rates),
            extras,
        }))
    }

    async fn available(
        &self,
        filters: &[(&str, &str)],
        quantity: usize,
        deadline: Deadline,
    ) -> Result<Vec<Offered>, CarrierError> {
        let limit = quantity.to_string();
        let best_effort = if self.keep_best_effort { "true" } else { "false" };
        let common = [("filter[best_effort]", best_effort), ("filter[limit]", &limit)];
        let query = [filters, &common].concat();
        let request = self.api.request_with(Method::GET, &["available_phone_numbers"], &query)?;
        let reply = self.api.line.ask(request, deadline).await?;
        let rows = match self.api.said(&reply) {
            // There are none in that region.
            Err(err) if err.code() == Some(NOT_FOUND) => return Ok(Vec::new()),
            said => said?,
        };
        let rows = rows["data"].as_array().cloned().unwrap_or_default();
        Ok(rows.into_iter().filter_map(|row| self.offered(row)).collect())
    }

    /// A row of a search, if it is what is wanted.
    fn offered(&self, row: Value) -> Option<Offered> {
        let number = E164::parse(row["phone_number"].as_str()?).ok()?;
        let is_exact = self.keep_best_effort || row["best_effort"] != true;
        let costs = |key: &str| decimal(&row["cost_information"][key]);
        let is_wanted = self.rates.is_none_or(|(upfront, monthly)| {
            let is = |cost: Option<f64>, wanted: f64| {
                cost.is_some_and(|cost| (cost - wanted).abs() < f64::EPSILON)
            };
            is(costs("upfront_cost"), upfront) && is(costs("monthly_cost"), monthly)
        });
        (is_exact && is_wanted).then(|| Offered { number, data: Some(row) })
    }

    /// The carrier's own id of each of these numbers that is ours.
    async fn ours(
        &self,
        numbers: &[E164],
        deadline: Deadline,
    ) -> Result<BTreeMap<E164, Option<String>>, CarrierError> {
        let path = ["phone_numbers", "actions", "verify_ownership"];
        let numbers: Vec<&str> = numbers.iter().map(E164::as_str).collect();
        let request =
            self.api.request(Method::POST, &path)?.json(&json!({ "phone_numbers": numbers }));
        let reply = self.api.line.ask(request, deadline).await?;
        let said = self.api.said(&reply).map_err(CarrierError::without_doubt)?;
        let found = said["data"]["found"].as_array().cloned().unwrap_or_default();
        let row = |row: Value| {
            let number = E164::parse(row["number_val_e164"].as_str()?).ok()?;
            Some((number, row["id"].as_str().map(str::to_owned)))
        };
        Ok(found.into_iter().filter_map(row).collect())
    }

    /// The order that was made under our own name for it, if the carrier knows it.
    async fn order_of(
        &self,
        reference: &str,
        deadline: Deadline,
    ) -> Result<Option<Value>, CarrierError> {
        let filters = [("filter[customer_reference]", reference)];
        let request = self.api.request_with(Method::GET, &["number_orders"], &filters)?;
        let reply = self.api.line.ask(request, deadline).await?;
        let said = self.api.said(&reply).map_err(CarrierError::without_doubt)?;
        let is_it = |order: &&Value| order["customer_reference"] == reference;
        Ok(said["data"].as_array().and_then(|orders| orders.iter().find(is_it)).cloned())
    }

    /// Makes an order, and finds it again when it is not known whether it was made.
    async fn place(&self, order: &Order, reference: &str) -> Result<Value, CarrierError> {
        let mut body = self.extras.clone();
        let number = order.offered.number.as_str();
        body.insert("phone_numbers".to_owned(), json!([{ "phone_number": number }]));
        body.insert("customer_reference".to_owned(), reference.into());
        let request = self.api.request(Method::POST, &["number_orders"])?.json(&body);
        let placed = match self.api.line.order(request, self.api.line.provisioning()).await {
            Ok(reply) => self.api.said(&reply).and_then(named),
            Err(err) => Err(err),
        };
        match placed {
            Err(err) if err.is_doubtful() || err.code() == Some(DUPLICATE) => {
                match self.order_of(reference, self.api.line.provisioning()).await {
                    Ok(Some(order)) => Ok(order),
                    // It may come yet.
                    _ => Err(err.in_doubt()),
                }
            }
            placed => placed,
        }
    }

    /// Looks at an order until it is carried out.
    async fn await_order(&self, mut order: Value) -> Result<Value, CarrierError> {
        let mut looks = Looks::begin(&self.common);
        loop {
            match Progress::of(&order) {
                Progress::Done => return Ok(order),
                Progress::Failed => {
                    return Err(CarrierError::refused("the order has failed").with_code("failure"));
                }
                Progress::NeedsPapers => {
                    let reason = "the order waits for documents that the carrier wants";
                    return Err(CarrierError::doubtful(reason));
                }
                Progress::Pending => (),
            }
            looks.next().await?;
            let id = order["id"].as_str().unwrap_or_default().to_owned();
            let request = self.api.request(Method::GET, &["number_orders", &id])?;
            let looked = self.api.line.ask(request, self.api.line.provisioning()).await;
            let said = looked.and_then(|reply| self.api.said(&reply));
            order = said.and_then(named).map_err(CarrierError::in_doubt)?;
        }
    }
}

#[async_trait]
impl OutsideCarrier for Telnyx {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let deadline = self.api.line.search();
        let code = calling_code(&wanted.country).unwrap_or_default();
        let Some(digits) = wanted.prefix.strip_prefix(&code) else {
            return Ok(Vec::new());
        };
        let mut filters = vec![("filter[country_code]", wanted.country.as_str())];
        if code != "+1" {
            if !digits.is_empty() {
                filters.push(("filter[national_destination_code]", digits));
            }
            return self.available(&filters, wanted.quantity, deadline).await;
        }
        let (area, rest) = digits.split_at(digits.len().min(3));
        let kind = if tollfree::is_tollfree(area) { "toll_free" } else { "local" };
        filters.push(("filter[phone_number_type]", kind));
        if !area.is_empty() {
            filters.push(("filter[national_destination_code]", area));
        }
        if !rest.is_empty() {
            filters.push(("filter[phone_number][starts_with]", rest));
        }
        self.available(&filters, wanted.quantity, deadline).await
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let region = |row: &Value| {
            let name = row["region_name"].as_str()?;
            Some((row["region_type"].as_str()?.to_owned(), Value::from(name)))
        };
        let regions = data["region_information"].as_array().into_iter().flatten();
        let locality: Map<_, _> = regions.filter_map(region).collect();
        let features = data["features"].as_array().into_iter().flatten();
        let features: Vec<_> =
            features.map(|it| it["name"].clone()).filter(Value::is_string).collect();
        let costs = &data["cost_information"];
        let cost =
            |key: &str, name: &str| Some((name.to_owned(), Value::from(costs[key].as_str()?)));
        let costs =
            [("upfront_cost", "upfront"), ("monthly_cost", "monthly"), ("currency", "currency")];
        let cost: Map<_, _> = costs.into_iter().filter_map(|(key, name)| cost(key, name)).collect();
        described(locality, features, cost)
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        let ours = self.ours(numbers, self.api.line.search()).await?;
        Ok(ours.into_keys().map(|number| (number, "owned".to_owned())).collect())
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let number = &order.offered.number;
        let mut data = object(order.offered.data.clone());
        let reference = reference_of(order);
        let ours = self.ours(std::slice::from_ref(number), self.api.line.provisioning()).await?;
        if let Some(id) = ours.get(number) {
            data.extend(id.clone().map(|id| ("phone_number_id".to_owned(), id.into())));
            return Ok(Some(Value::Object(data)));
        }
        let placed = self.place(order, &reference).await?;
        let done = self.await_order(placed).await?;
        data.insert("order_id".to_owned(), done["id"].clone());
        data.insert("customer_reference".to_owned(), reference.into());
        // It is ours; what it is called is looked up again where that matters.
        if let Ok(Some(id)) = self.api.id_of(number).await {
            data.insert("phone_number_id".to_owned(), id.into());
        }
        Ok(Some(Value::Object(data)))
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let number = &order.offered.number;
        let ours = self.ours(std::slice::from_ref(number), self.api.line.provisioning()).await?;
        let reference = reference_of(order);
        let placed = self.order_of(&reference, self.api.line.provisioning()).await?;
        if let Some(id) = ours.get(number) {
            let mut data = object(order.offered.data.clone());
            data.extend(id.clone().map(|id| ("phone_number_id".to_owned(), id.into())));
            if let Some(placed) = placed {
                data.insert("order_id".to_owned(), placed["id"].clone());
                data.insert("customer_reference".to_owned(), reference.into());
            }
            return Ok(Ownership::Ours(Some(Value::Object(data))));
        }
        Ok(match placed.as_ref().map(Progress::of) {
            None | Some(Progress::Failed) => Ownership::NotOurs,
            Some(Progress::Done | Progress::Pending | Progress::NeedsPapers) => Ownership::Unknown,
        })
    }

    async fn list(&self, after: Option<&str>) -> Result<Holdings, CarrierError> {
        let page: u64 =
            after.map_or(Ok(1), str::parse).map_err(|_| CarrierError::refused("no page"))?;
        let (number, size) = (page.to_string(), LISTED.to_string());
        let query = [("page[number]", &*number), ("page[size]", &*size)];
        let request = self.api.request_with(Method::GET, &["phone_numbers"], &query)?;
        let said =
            self.api.said(&self.api.line.ask(request, self.api.line.provisioning()).await?)?;
        let rows = said["data"].as_array().ok_or_else(|| CarrierError::refused("no list came"))?;
        let number = |row: &Value| {
            let number = row["phone_number"].as_str().and_then(|text| E164::parse(text).ok());
            number.ok_or_else(|| CarrierError::refused("its list has a row without a number"))
        };
        let numbers = rows.iter().map(number).collect::<Result<_, _>>()?;
        let pages = said["meta"]["total_pages"].as_u64();
        let pages =
            pages.ok_or_else(|| CarrierError::refused("its list does not say how long it is"))?;
        Ok(Holdings { numbers, next: (page < pages).then(|| (page + 1).to_string()) })
    }

    async fn disconnect(
        &self,
        number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        // Ids that are stored may be those of the API before this one.
        let Some(id) = self.api.id_of(number).await? else {
            return Ok(Returned::Done);
        };
        let request = self.api.request(Method::DELETE, &["phone_numbers", &id])?;
        let reply = self.api.line.order(request, self.api.line.provisioning()).await?;
        if reply.is_success() || reply.status == 404 {
            return Ok(Returned::Done);
        }
        Err(self.api.refusal(&reply))
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Pending,
    NeedsPapers,
    Done,
    Failed,
}

impl Progress {
    fn of(order: &Value) -> Self {
        let of_number = &order["phone_numbers"][0];
        match (order["status"].as_str(), of_number["status"].as_str()) {
            (Some("failure"), _) | (Some("success"), Some("failure")) => Self::Failed,
            (Some("success"), _) => Self::Done,
            _ if order["requirements_met"] == false => Self::NeedsPapers,
            _ => Self::Pending,
        }
    }
}

/// The order that an answer is about.
fn named(mut said: Value) -> Result<Value, CarrierError> {
    let order = said.get_mut("data").map(Value::take).filter(|order| order["id"].is_string());
    order.ok_or_else(|| CarrierError::doubtful("its answer names no order"))
}

/// Our own name for a purchase as it is told.
fn reference_of(order: &Order) -> String {
    format!("kz-{}", order.reference)
}

/// An amount, as a number or as text.
fn decimal(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn object(data: Option<Value>) -> Map<String, Value> {
    match data {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
