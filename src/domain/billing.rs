//! What is counted of an account's numbers, and what it costs.
//!
//! *Item*: one thing that is counted: a class of numbers, a carrier, a feature. What is counted
//! follows from the number alone, and not from how it came to be so. *Charge*: what one change of a
//! number newly costs the account that holds it afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::{Add, Mul},
};

use serde_json::{Map, Value};

use super::{
    AccountId, CarrierName, KNOWN_FEATURES, LOCAL_FEATURE, Number, Numbering,
    settings::{self, ConfigurationError},
};

/// The setting that holds the prices.
pub const KEY: &str = "billing";

/// How many parts a unit of a currency has: the smallest amount.
const PARTS: f64 = 10_000.0;
/// The highest price, in units.
const HIGHEST: f64 = 1_000_000.0;
/// The class of a number that is in none.
const NO_CLASS: &str = "unknown";

/// What kind of thing is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Numbers that leave the platform, by class.
    PhoneNumbers,
    /// Numbers by carrier.
    Carriers,
    /// Features.
    Services,
}

/// One thing that is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Its kind.
    pub category: Category,
    /// The class, the carrier or the feature.
    pub name: String,
}

/// How many there are of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantities(BTreeMap<Item, u64>);

/// An amount of money, in ten-thousandths of a unit: sums have no errors of rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u64);

/// What an item costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    /// What people call it.
    pub name: String,
    /// Once, when an account gets it.
    pub one_time: Money,
    /// Every month.
    pub monthly: Money,
}

/// What everything costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    currency: String,
    items: BTreeMap<Item, Price>,
}

/// What one change of a number newly costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays: the account that holds the number afterwards.
    pub account: AccountId,
    /// The currency of the prices.
    pub currency: String,
    /// Each thing that the account gets, one of it.
    pub lines: Vec<(Item, Price)>,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PhoneNumbers, Self::Carriers, Self::Services];

    /// Its name in invoices and counts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PhoneNumbers => "phone_numbers",
            Self::Carriers => "number_carriers",
            Self::Services => "number_services",
        }
    }
}

impl Item {
    fn new(category: Category, name: &str) -> Self {
        Self { category, name: name.to_owned() }
    }
}

/// What is counted of a number that somebody holds; nothing of one that nobody does.
#[must_use]
pub fn items_of(number: &Number, numbering: &Numbering) -> BTreeSet<Item> {
    if number.owner.is_none() {
        return BTreeSet::new();
    }
    let class = || numbering.classify(number.id.as_str()).map_or(NO_CLASS, |class| class.name());
    let own = (!number.features.contains_key(LOCAL_FEATURE))
        .then(|| Item::new(Category::PhoneNumbers, class()));
    let carrier = Item::new(Category::Carriers, number.carrier.as_str());
    let services = number.features.keys().map(|name| Item::new(Category::Services, name));
    own.into_iter().chain([carrier]).chain(services).collect()
}

impl Quantities {
    /// Counts another number.
    pub fn count(&mut self, number: &Number, numbering: &Numbering) {
        for item in items_of(number, numbering) {
            *self.0.entry(item).or_default() += 1;
        }
    }

    /// How many there are of one item.
    #[must_use]
    pub fn of(&self, item: &Item) -> u64 {
        self.0.get(item).copied().unwrap_or_default()
    }

    /// How many there are of each item of a category, by name.
    pub fn within(&self, category: Category) -> impl Iterator<Item = (&str, u64)> {
        let own = self.0.iter().filter(move |(item, _)| item.category == category);
        own.map(|(item, count)| (item.name.as_str(), *count))
    }
}

impl Extend<(Item, u64)> for Quantities {
    fn extend<T: IntoIterator<Item = (Item, u64)>>(&mut self, counts: T) {
        for (item, count) in counts {
            *self.0.entry(item).or_default() += count;
        }
    }
}

impl IntoIterator for Quantities {
    type Item = (Item, u64);
    type IntoIter = std::collections::btree_map::IntoIter<Item, u64>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Prices {
    /// Reads `billing.prices`: `currency`, and under `classifications`, `features` and `carriers`
    /// what each costs, as `{"name", "one_time", "monthly"}`. `None` when there are no prices.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming the first member that is bad.
    pub fn from_settings(
        members: &Map<String, Value>,
        numbering: &Numbering,
    ) -> Result<Option<Self>, ConfigurationError> {
        let Some(billing) = settings::object(KEY, members.get(KEY))? else {
            return Ok(None);
        };
        let path = format!("{KEY}.prices");
        let Some(prices) = settings::object(&path, billing.get("prices"))? else {
            return Ok(None);
        };
        let mut read = Self { currency: String::new(), items: BTreeMap::new() };
        for (section, value) in prices {
            let key = format!("{path}.{section}");
            match section.as_str() {
                "currency" => read.currency = read_currency(&key, value)?,
                "classifications" => read.section(&key, value, |name| {
                    let class = numbering.classifiers().iter().find(|it| it.name() == name)?;
                    let item = Item::new(Category::PhoneNumbers, name);
                    Some((item, class.friendly_name().to_owned()))
                })?,
                "features" => read.section(&key, value, |name| {
                    let known = KNOWN_FEATURES.contains(&name) || name == LOCAL_FEATURE;
                    known.then(|| (Item::new(Category::Services, name), name.to_owned()))
                })?,
                "carriers" => read.section(&key, value, |name| {
                    let carrier = CarrierName::given(name)?;
                    Some((Item::new(Category::Carriers, carrier.as_str()), name.to_owned()))
                })?,
                _ => return Err(ConfigurationError::new(&key, "it is not known".to_owned())),
            }
        }
        if read.currency.is_empty() {
            let key = format!("{path}.currency");
            return Err(ConfigurationError::new(&key, "it is missing".to_owned()));
        }
        Ok(Some(read))
    }

    fn section(
        &mut self,
        key: &str,
        value: &Value,
        item: impl Fn(&str) -> Option<(Item, String)>,
    ) -> Result<(), ConfigurationError> {
        for (name, price) in settings::object(key, Some(value))?.into_iter().flatten() {
            let key = format!("{key}.{name}");
            let unknown = || ConfigurationError::new(&key, "there is nothing of that name".into());
            let (item, called) = item(name).ok_or_else(unknown)?;
            self.items.insert(item, Price::read(&key, price, called)?);
        }
        Ok(())
    }

    /// What a change of a number newly costs: everything for another holder, what was added for the
    /// same. `None` when that is nothing.
    #[must_use]
    pub fn charge(
        &self,
        before: Option<&Number>,
        after: &Number,
        numbering: &Numbering,
    ) -> Option<Charge> {
        let account = after.owner.clone()?;
        let held = before.filter(|before| before.owner.as_ref() == Some(&account));
        let had = held.map(|before| items_of(before, numbering)).unwrap_or_default();
        let gets = items_of(after, numbering).into_iter().filter(|item| !had.contains(item));
        let costs = |price: &&Price| price.one_time.max(price.monthly) > Money::default();
        let line = |item: Item| Some((item.clone(), self.items.get(&item).filter(costs)?.clone()));
        let lines: Vec<_> = gets.filter_map(line).collect();
        let currency = self.currency.clone();
        (!lines.is_empty()).then_some(Charge { account, currency, lines })
    }
}

impl Price {
    fn read(key: &str, value: &Value, called: String) -> Result<Self, ConfigurationError> {
        let wanted = "an object with name, one_time, monthly";
        let Value::Object(members) = value else {
            return Err(settings::unexpected(key, wanted, value));
        };
        let mut price = Self { name: called, one_time: Money(0), monthly: Money(0) };
        for (member, value) in members {
            let key = format!("{key}.{member}");
            match member.as_str() {
                "name" => {
                    if let Some(name) = settings::text(&key, Some(value))? {
                        name.clone_into(&mut price.name);
                    }
                }
                "one_time" => price.one_time = Money::read(&key, value)?,
                "monthly" => price.monthly = Money::read(&key, value)?,
                _ => return Err(ConfigurationError::new(&key, "it is not known".to_owned())),
            }
        }
        Ok(price)
    }
}

fn read_currency(key: &str, value: &Value) -> Result<String, ConfigurationError> {
    let text = settings::text(key, Some(value))?.unwrap_or_default();
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text.to_owned());
    }
    let reason = format!("`{text}` is not a currency's code of three capital letters");
    Err(ConfigurationError::new(key, reason))
}

impl Money {
    fn read(key: &str, value: &Value) -> Result<Self, ConfigurationError> {
        let Some(units) = value.as_f64() else {
            return Err(settings::unexpected(key, "an amount", value));
        };
        let wrong = |reason| Err(ConfigurationError::new(key, format!("`{value}` {reason}")));
        if !(0.0..=HIGHEST).contains(&units) {
            return wrong("is not between 0 and 1000000");
        }
        let parts = units * PARTS;
        if (parts - parts.round()).abs() > 1e-4 {
            return wrong("has more than four decimals");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range is checked above"
        )]
        Ok(Self(parts.round() as u64))
    }

    /// The amount in units, as JSON has it.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "amounts are far below 2^53 parts")]
    pub fn as_units(self) -> f64 {
        self.0 as f64 / PARTS
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for Money {
    type Output = Self;

    fn mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_units().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::{Actor, E164, State};

    const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    fn numbering() -> Numbering {
        Numbering::from_settings(&Map::new()).unwrap()
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn read(prices: Value) -> Result<Option<Prices>, ConfigurationError> {
        let members = Map::from_iter([(KEY.to_owned(), json!({"prices": prices}))]);
        Prices::from_settings(&members, &numbering())
    }

    #[track_caller]
    fn check_refused(prices: Value, why: &str) {
        assert_eq!(read(prices).unwrap_err().to_string(), why);
    }

    fn number(carrier: &str) -> Number {
        let id = E164::parse("+14155550100").unwrap();
        let carrier = CarrierName::read(carrier).unwrap();
        let mut number = Number::new(id, State::InService, carrier, &Actor::operator(), 7);
        number.set_owner(Some(AccountId::parse(ACCOUNT).unwrap()));
        number
    }

    fn names(charge: Option<Charge>) -> Vec<String> {
        let lines = charge.map(|charge| charge.lines).unwrap_or_default();
        lines.into_iter().map(|(item, _)| item.name).collect()
    }

    #[test]
    fn bad_prices_are_refused_by_name() {
        let wrong =
            |key: &str, why: &str| format!("setting `billing.prices{key}` cannot be used: {why}");
        let check = |prices, key: &str, why: &str| check_refused(prices, &wrong(key, why));
        check(json!(1), "", "it must be an object, not a number");
        check(json!({}), ".currency", "it is missing");
        check(
            json!({"currency": "usd"}),
            ".currency",
            "`usd` is not a currency's code of three capital letters",
        );
        check(json!({"currency": "USD", "colour": 1}), ".colour", "it is not known");
        let class = |price| json!({"currency": "USD", "classifications": {"did_us": price}});
        let key = ".classifications.did_us";
        check(
            class(json!(1)),
            key,
            "it must be an object with name, one_time, monthly, not a number",
        );
        for (amount, why) in [
            (json!("1"), "it must be an amount, not a string"),
            (json!(-1), "`-1` is not between 0 and 1000000"),
            (json!(1e9), "`1000000000.0` is not between 0 and 1000000"),
            (json!(0.00001), "`0.00001` has more than four decimals"),
        ] {
            check(class(json!({"monthly": amount})), &format!("{key}.monthly"), why);
        }
        check(class(json!({"yearly": 1})), &format!("{key}.yearly"), "it is not known");
        let nothing = "there is nothing of that name";
        for section in ["classifications", "features"] {
            let prices = json!({"currency": "USD", section: {"x": {"monthly": 1}}});
            check(prices, &format!(".{section}.x"), nothing);
        }
    }

    #[test]
    fn no_prices_are_no_prices() {
        let numbering = numbering();
        for members in [json!({}), json!({"billing": {}}), json!({"billing": {"prices": null}})] {
            let read = Prices::from_settings(members.as_object().unwrap(), &numbering);
            assert_eq!(read.unwrap(), None);
        }
    }

    #[test]
    fn what_is_new_costs_and_what_was_there_does_not() {
        let prices = read(json!({
            "currency": "USD",
            "classifications": {"did_us": {"one_time": 1, "monthly": 2.5}},
            "features": {"cnam": {"monthly": 0.1}, "prepend": {}},
            "carriers": {"telnyx": {"one_time": 3}},
        }));
        let (prices, numbering) = (prices.unwrap().unwrap(), numbering());
        let charge =
            |before: Option<&Number>, after: &Number| prices.charge(before, after, &numbering);
        let held = number("knm_inventory");
        let charged = charge(None, &held).unwrap();
        assert_eq!(charged.account.as_str(), ACCOUNT);
        let (item, price) = &charged.lines[0];
        assert_eq!((item.category, price.name.as_str()), (Category::PhoneNumbers, "US DID"));
        assert_eq!((price.one_time.as_units(), price.monthly.as_units()), (1.0, 2.5));
        assert_eq!(names(charge(Some(&held), &held)), [""; 0]);
        let mut more = held.clone();
        more.features.insert("cnam".to_owned(), json!({}));
        more.features.insert("prepend".to_owned(), json!({}));
        assert_eq!(names(charge(Some(&held), &more)), ["cnam"], "what costs nothing is no charge");
        assert_eq!(names(charge(Some(&more), &held)), [""; 0]);
        assert_eq!(names(charge(Some(&held), &number("knm_telnyx"))), ["knm_telnyx"]);
        let mut other = more.clone();
        other.set_owner(AccountId::parse(&"e".repeat(32)).ok());
        assert_eq!(names(charge(Some(&other), &more)), ["did_us", "cnam"], "a new holder");
        other.set_owner(None);
        assert_eq!(charge(Some(&more), &other), None);
        assert_eq!(charge(None, &number("knm_local")), None, "a local number is in no class");
    }

    #[test]
    fn items_follow_from_the_number() {
        let mut counts = Quantities::default();
        counts.count(&number("knm_local"), &numbering());
        counts.count(&number("knm_inventory"), &numbering());
        let within = |category| counts.within(category).collect::<Vec<_>>();
        assert_eq!(within(Category::PhoneNumbers), [("did_us", 1)]);
        assert_eq!(within(Category::Carriers), [("knm_inventory", 1), ("knm_local", 1)]);
        assert_eq!(within(Category::Services), [("local", 1)]);
        let mut free = number("knm_inventory");
        free.set_owner(None);
        assert!(items_of(&free, &numbering()).is_empty());
    }

    #[test]
    fn amounts_have_no_errors_of_rounding() {
        let tenth = Money::read("k", &json!(0.1)).unwrap();
        assert_eq!((tenth * 3).to_string(), "0.3");
        assert_eq!([tenth; 7].into_iter().sum::<Money>().to_string(), "0.7");
    }
}
