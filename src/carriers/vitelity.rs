//! Vitelity, the XML of its API: numbers of the United States, bought and given back at once. It has
//! no place for a name of our own, so what became of a purchase is read from the list of what we have.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    Ability, CarrierError, Descriptor, Holdings, Module, Offered, Order, OutsideCarrier, Ownership,
    Returned, Wanted, described,
    digits::ten_digits,
    http::Deadline,
    settings::{Common, missing, said},
    tollfree,
    xml::Element,
};
use crate::{
    domain::{
        ConfigurationError, E164,
        members::{texts, wrong},
    },
    upstream::vitelity::{NOTHING, Vitelity as Api, number_of},
};

/// Vitelity.
pub(super) const CARRIER: Descriptor = Descriptor {
    plans: &["1"],
    module: Some(&Module {
        abilities: &[
            Ability::Search,
            Ability::Check,
            Ability::Buy,
            Ability::Ask,
            Ability::Return,
            Ability::List,
        ],
        address: "api_uri",
        secrets: &["pass"],
        pretends: false,
        open: Vitelity::open,
    }),
    ..Descriptor::tag("knm_vitelity")
};

/// The beginning of the numbers that it has.
const PLAN: &str = "+1";

#[derive(Debug)]
struct Vitelity {
    api: Api,
    /// Where calls are to be sent.
    route: Option<String>,
    /// What kind of line is bought.
    kind: Option<String>,
    /// What searches say beside the prefix.
    extras: Vec<(&'static str, String)>,
}

impl Vitelity {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let kind = said(members, "type")?;
        let mut extras = Vec::from_iter(kind.clone().map(|kind| ("type", kind)));
        for key in ["provider", "withrates", "cnam"] {
            extras.extend(word(members, key)?.map(|word| (key, word)));
        }
        Ok(Arc::new(Self {
            api: Api::open(members, common)?,
            route: first(members, "routesip")?,
            kind,
            extras,
        }))
    }

    /// What a list holds; nothing when it says that there is nothing.
    async fn list(
        &self,
        command: &str,
        arguments: &[(&str, &str)],
        deadline: Deadline,
    ) -> Result<Vec<Offered>, CarrierError> {
        let content = match self.api.command(command, arguments, deadline, false).await {
            Err(err) if NOTHING.contains(&err.reason()) => return Ok(Vec::new()),
            content => content.map_err(CarrierError::without_doubt)?,
        };
        let numbers = content.at(&["numbers"]);
        let numbers = numbers.ok_or_else(|| CarrierError::refused("no_numbers"))?;
        match numbers.said(&["response"]) {
            Some(words) if NOTHING.contains(&words) => Ok(Vec::new()),
            Some(words) => Err(CarrierError::refused(self.api.line.words(words))),
            None => Ok(numbers.children().iter().filter_map(offered).collect()),
        }
    }

    /// The numbers that are ours.
    async fn ours(&self, deadline: Deadline) -> Result<BTreeSet<E164>, CarrierError> {
        let listed = self.list("listdids", &[], deadline).await?;
        Ok(listed.into_iter().map(|it| it.number).collect())
    }

    async fn is_ours(&self, number: &E164) -> Result<bool, CarrierError> {
        Ok(self.ours(self.api.line.provisioning()).await?.contains(number))
    }
}

#[async_trait]
impl OutsideCarrier for Vitelity {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let Some(digits) = wanted.prefix.strip_prefix(PLAN).filter(|it| it.len() >= 3) else {
            return Ok(Vec::new());
        };
        let (area, limit) = (&digits[..3], wanted.quantity.to_string());
        let extras: Vec<_> = self.extras.iter().map(|(key, word)| (*key, word.as_str())).collect();
        let (command, first) = match digits.get(..6) {
            _ if tollfree::is_tollfree(area) => ("listtollfree", ("limit", limit.as_str())),
            Some(exchange) => ("listnpanxx", ("npanxx", exchange)),
            None => ("listnpa", ("npa", area)),
        };
        let arguments = match command {
            "listtollfree" => vec![first],
            _ => [&[first][..], &extras].concat(),
        };
        let mut found = self.list(command, &arguments, self.api.line.search()).await?;
        // Whole lists come.
        found.retain(|it| it.number.as_str().starts_with(&wanted.prefix));
        found.truncate(wanted.quantity);
        Ok(found)
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let place = |(key, name): (&str, &str)| Some((name.to_owned(), data[key].as_str()?.into()));
        let places = [("ratecenter", "rate_center"), ("state", "state")];
        described(places.into_iter().filter_map(place).collect(), Vec::new(), Map::new())
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        let ours = self.ours(self.api.line.search()).await?;
        let ours = numbers.iter().filter(|number| ours.contains(number));
        Ok(ours.map(|number| (number.clone(), "owned".to_owned())).collect())
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let (number, data) = (&order.offered.number, order.offered.data.clone());
        let route = self.route.as_deref().ok_or_else(|| missing("routesip"))?;
        let did = ten_digits(number)?;
        if self.is_ours(number).await? {
            return Ok(data);
        }
        let is_free = tollfree::is_tollfree(&did[..3]);
        let command = if is_free { "gettollfree" } else { "getlocaldid" };
        let mut arguments = vec![("did", did), ("routesip", route)];
        arguments.extend(self.kind.as_deref().map(|kind| ("type", kind)));
        match self.api.command(command, &arguments, self.api.line.provisioning(), true).await {
            Err(err) if err.is_doubtful() && !self.is_ours(number).await.unwrap_or(false) => {
                Err(err)
            }
            Err(err) if !err.is_doubtful() => Err(err),
            _ => Ok(data),
        }
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let is_ours = self.is_ours(&order.offered.number).await?;
        Ok(if is_ours { Ownership::Ours(None) } else { Ownership::NotOurs })
    }

    async fn list(&self, _: Option<&str>) -> Result<Holdings, CarrierError> {
        let ours = self.ours(self.api.line.provisioning()).await?;
        Ok(Holdings { numbers: ours.into_iter().collect(), next: None })
    }

    async fn disconnect(
        &self,
        number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        let arguments = [("did", ten_digits(number)?)];
        match self.api.command("removedid", &arguments, self.api.line.provisioning(), true).await {
            Err(err) if err.is_doubtful() => Err(err),
            // What is refused may be gone already.
            Err(err) if self.is_ours(number).await? => Err(err),
            _ => Ok(Returned::Done),
        }
    }
}

/// A row of a list: a number alone, or with what is known of it.
fn offered(row: &Element) -> Option<Offered> {
    let number = number_of(row)?;
    let said = |child: &Element| (child.name().to_owned(), Value::from(child.text()));
    let mut data: Map<_, _> = row.children().iter().map(said).collect();
    data.insert("number".to_owned(), number.as_str().into());
    Some(Offered { number, data: Some(Value::Object(data)) })
}

/// A word; `yes` and `no` may be flags.
fn word(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<String>, ConfigurationError> {
    match members.get(key) {
        Some(Value::Bool(flag)) => Ok(Some(if *flag { "yes" } else { "no" }.to_owned())),
        _ => said(members, key),
    }
}

/// A text, or the first of several.
fn first(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<String>, ConfigurationError> {
    match members.get(key) {
        Some(Value::Array(_)) => {
            let first = texts(members, key)?.unwrap_or_default().into_iter().next();
            first.map(Some).ok_or_else(|| wrong(key, "is empty".to_owned()))
        }
        _ => said(members, key),
    }
}
