//! Simwood, API v3: numbers of the United Kingdom and of the United States, allocated and taken away
//! at once. What was allocated is asked for before it counts as bought.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder, Url, header};
use serde_json::{Map, Value};

use super::{
    Ability, CarrierError, Descriptor, Module, Offered, Order, OutsideCarrier, Ownership, Returned,
    Wanted, described,
    http::{Deadline, Line, Reply},
    login::Login,
    settings::{Common, address, asking, below, missing, said},
};
use crate::domain::{ConfigurationError, E164};

/// Simwood.
pub(super) const CARRIER: Descriptor = Descriptor {
    plans: &["44", "1"],
    module: Some(&Module {
        abilities: &[Ability::Search, Ability::Check, Ability::Buy, Ability::Ask, Ability::Return],
        address: "numbers_api_url",
        secrets: &["auth_password"],
        pretends: false,
        open: Simwood::open,
    }),
    ..Descriptor::tag("knm_simwood")
};

/// Where it is.
const URL: &str = "https://api.simwood.com/v3/numbers";
/// How many numbers are checked at once.
const CHECKED: usize = 4;

#[derive(Debug)]
struct Simwood {
    line: Line,
    url: Url,
    account: Option<String>,
    login: Option<Login>,
}

impl Simwood {
    fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Arc<dyn OutsideCarrier>, ConfigurationError> {
        let login = Login::read(members, "auth_username", "auth_password")?;
        Ok(Arc::new(Self {
            line: Line::new(common.line, login.iter().flat_map(Login::secrets).collect()),
            url: match address(members, "numbers_api_url", false)? {
                Some(url) => url,
                None => Url::parse(URL).expect("an address"),
            },
            account: said(members, "simwood_account_id")?,
            login,
        }))
    }

    fn request(
        &self,
        method: Method,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, CarrierError> {
        let account = self.account.as_deref().ok_or_else(|| missing("simwood_account_id"))?;
        let login = self.login.as_ref().ok_or_else(|| missing("auth_username"))?;
        let url = asking(below(&self.url, &[&[account], parts].concat()), query);
        let request = self.line.request(method, url).header(header::ACCEPT, "application/json");
        Ok(login.sign(request))
    }

    fn of_number(&self, method: Method, number: &E164) -> Result<RequestBuilder, CarrierError> {
        self.request(method, &["allocated", number.as_str().trim_start_matches('+')], &[])
    }

    fn refusal(&self, reply: &Reply) -> CarrierError {
        let said = reply.json().ok();
        let text = |key: &str| said.as_ref()?.get(key)?.as_str().map(str::to_owned);
        let reason = text("errors").or_else(|| text("error")).or_else(|| text("message"));
        self.line.refusal(reply, None, &reason.unwrap_or_else(|| reply.text()))
    }

    /// Whether a number is allocated to us; none when it is not said.
    async fn is_ours(
        &self,
        number: &E164,
        deadline: Deadline,
    ) -> Result<Option<bool>, CarrierError> {
        let reply = self.line.ask(self.of_number(Method::GET, number)?, deadline).await?;
        if reply.status == 404 {
            return Ok(Some(false));
        }
        if !reply.is_success() {
            return Err(self.refusal(&reply).without_doubt());
        }
        let said = reply.json().map_err(CarrierError::without_doubt)?;
        Ok(rows(said).iter().any(|row| number_of(row).as_ref() == Some(number)).then_some(true))
    }
}

#[async_trait]
impl OutsideCarrier for Simwood {
    async fn search(&self, wanted: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        let digits = wanted.prefix.trim_start_matches('+');
        let Some(country) = CARRIER.plans.iter().find(|code| digits.starts_with(**code)) else {
            return Ok(Vec::new());
        };
        // There are lists of these lengths only.
        let length = match wanted.quantity {
            0..=1 => "1",
            2..=10 => "10",
            _ => "100",
        };
        let pattern = format!("{}*", &digits[country.len()..]);
        let query = [("pattern", pattern.as_str()), ("country_code", country)];
        let request = self.request(Method::GET, &["available", "standard", length], &query)?;
        let reply = self.line.ask(request, self.line.search()).await?;
        if !reply.is_success() {
            return Err(self.refusal(&reply));
        }
        let offered = |row: Value| Some(Offered { number: number_of(&row)?, data: Some(row) });
        Ok(rows(reply.json()?).into_iter().filter_map(offered).collect())
    }

    fn describe(&self, data: &Value) -> Map<String, Value> {
        let sms = (data["SMS"] == 1 || data["SMS"] == "1").then(|| Value::from("sms"));
        described(Map::new(), sms.into_iter().collect(), Map::new())
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        let deadline = self.line.search();
        let asked = numbers.iter().map(|number| async move {
            let is_ours = self.is_ours(number, deadline).await? == Some(true);
            Ok::<_, CarrierError>(is_ours.then(|| (number.clone(), "owned".to_owned())))
        });
        let asked: Vec<_> = asked.collect();
        let words: Vec<_> = stream::iter(asked).buffered(CHECKED).try_collect().await?;
        Ok(words.into_iter().flatten().collect())
    }

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        let (number, data) = (&order.offered.number, order.offered.data.clone());
        if self.is_ours(number, self.line.provisioning()).await? == Some(true) {
            return Ok(data);
        }
        let request = self.of_number(Method::PUT, number)?;
        let err = match self.line.order(request, self.line.provisioning()).await {
            Ok(reply) if reply.is_success() => {
                CarrierError::doubtful("it is not said that the number is ours")
            }
            Ok(reply) => self.refusal(&reply),
            Err(err) => err,
        };
        let is_ours = async || self.is_ours(number, self.line.provisioning()).await;
        if err.is_doubtful() && is_ours().await.is_ok_and(|is_ours| is_ours == Some(true)) {
            return Ok(data);
        }
        Err(err)
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        let is_ours = self.is_ours(&order.offered.number, self.line.provisioning()).await?;
        Ok(match is_ours {
            Some(true) => Ownership::Ours(None),
            Some(false) => Ownership::NotOurs,
            None => Ownership::Unknown,
        })
    }

    async fn disconnect(
        &self,
        number: &E164,
        _data: Option<&Value>,
    ) -> Result<Returned, CarrierError> {
        let request = self.of_number(Method::DELETE, number)?;
        let reply = self.line.order(request, self.line.provisioning()).await?;
        if reply.is_success() || reply.status == 404 {
            return Ok(Returned::Done);
        }
        Err(self.refusal(&reply))
    }
}

/// The rows of an answer: all that it is, or its data; one or several.
fn rows(said: Value) -> Vec<Value> {
    match said {
        Value::Array(rows) => rows,
        Value::Object(mut members) => match members.shift_remove("data") {
            Some(Value::Array(rows)) => rows,
            Some(row @ Value::Object(_)) => vec![row],
            _ => vec![Value::Object(members)],
        },
        _ => Vec::new(),
    }
}

/// The number of a row, which may be a number or a text.
fn number_of(row: &Value) -> Option<E164> {
    let digits = |key: &str| match &row[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    E164::parse(&format!("+{}{}", digits("country_code")?, digits("number")?)).ok()
}
