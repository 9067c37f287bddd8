//! Which documents a job is about, and the parts that it goes through one by one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    domain::{AccountId, E164, NumberDatabase, account_database, encoded, number_database},
    service::{Error, NumberService, database_scopes},
};

/// Which documents a job is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// These databases, or the numbers in them that begin with the prefix; any when none is named.
    pub databases: Option<Vec<(NumberDatabase, Option<String>)>>,
    /// These accounts.
    pub accounts: Option<Vec<AccountId>>,
    /// These numbers, in any form that can be dialled.
    pub numbers: Option<Vec<String>>,
}

/// A form that a scope can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// There is nothing to choose.
    Nothing,
    /// `{"all": true}`
    All,
    /// `{"databases": […]}` or `{"prefix": …}`
    Databases,
    /// `{"accounts": […]}`
    Accounts,
    /// `{"numbers": […]}`
    Numbers,
    /// `{"accounts": […], "databases": […]}`
    AccountsAndDatabases,
    /// `{"accounts": [one], "numbers": […]}`
    AccountAndNumbers,
}

/// A scope that cannot be read, or that the operation does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadScope(pub String);

/// A part of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A database of numbers, or those in it that begin with a prefix.
    Database {
        /// Its name, not encoded.
        name: String,
        /// The prefix.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
    /// An account.
    Account {
        /// Its id.
        id: String,
        /// Only what concerns these databases of numbers; all when there are none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        databases: Vec<String>,
    },
    /// Numbers, as they were given.
    Numbers {
        /// The numbers.
        numbers: Vec<String>,
        /// The account that they are looked at for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    /// Everything at once.
    Whole,
}

/// What a job goes through when its scope is everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The databases of numbers.
    Databases,
    /// The same, and those of the carriers' stock.
    DatabasesAndStock,
    /// The accounts.
    Accounts,
    /// Nothing by itself: one unit.
    Once,
}

impl Scope {
    /// Reads a scope: exactly one of the forms.
    ///
    /// # Errors
    ///
    /// [`BadScope`], in words.
    pub fn parse(value: Option<&Value>, forms: &[Form]) -> Result<Self, BadScope> {
        let known = || {
            let names: Vec<&str> = forms.iter().filter_map(|form| form.name()).collect();
            BadScope(format!("scope must be one of {}", names.join(", ")))
        };
        let empty = Map::new();
        let members = match value {
            None | Some(Value::Null) if forms.contains(&Form::Nothing) => &empty,
            Some(Value::Object(members)) => members,
            _ => return Err(known()),
        };
        let mut scope = Self::default();
        for (key, value) in members {
            match (key.as_str(), value) {
                ("all", Value::Bool(true)) if members.len() == 1 => (),
                ("prefix", Value::String(prefix)) if !members.contains_key("databases") => {
                    scope.databases = Some(databases(std::slice::from_ref(prefix))?);
                }
                ("databases", Value::Array(list)) => {
                    scope.databases = Some(databases(&texts(list).ok_or_else(known)?)?);
                }
                ("accounts", Value::Array(list)) => {
                    scope.accounts = Some(accounts(&texts(list).ok_or_else(known)?)?);
                }
                ("numbers", Value::Array(list)) => {
                    scope.numbers = Some(texts(list).ok_or_else(known)?);
                }
                _ => return Err(known()),
            }
        }
        let form = scope.form(members.is_empty()).ok_or_else(known)?;
        if forms.contains(&form) { Ok(scope) } else { Err(known()) }
    }

    fn form(&self, is_nothing: bool) -> Option<Form> {
        match (&self.databases, &self.accounts, &self.numbers) {
            (None, None, None) if is_nothing => Some(Form::Nothing),
            (None, None, None) => Some(Form::All),
            (Some(_), None, None) => Some(Form::Databases),
            (None, Some(_), None) => Some(Form::Accounts),
            (None, None, Some(_)) => Some(Form::Numbers),
            (Some(_), Some(_), None) => Some(Form::AccountsAndDatabases),
            (None, Some(accounts), Some(_)) if accounts.len() == 1 => Some(Form::AccountAndNumbers),
            _ => None,
        }
    }

    /// The databases that a job of this scope works on; none for all.
    #[must_use]
    pub fn places(&self) -> Option<Vec<String>> {
        if let Some(numbers) = &self.numbers {
            let parsed: Result<Vec<E164>, _> = numbers.iter().map(|it| E164::parse(it)).collect();
            return Some(parsed.ok()?.iter().map(number_database).collect());
        }
        if let Some(accounts) = &self.accounts {
            return Some(accounts.iter().map(account_database).collect());
        }
        let databases = self.databases.as_ref()?;
        Some(databases.iter().map(|(database, _)| database.as_str().to_owned()).collect())
    }

    /// The units of a job of this scope. `block`: how many numbers are one unit.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn units(
        &self,
        service: &NumberService,
        over: Over,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let names = |databases: &[(NumberDatabase, Option<String>)]| -> Vec<String> {
            databases.iter().map(|(database, _)| database.as_str().to_owned()).collect()
        };
        if let Some(numbers) = &self.numbers {
            let account = self.accounts.as_ref().and_then(|accounts| accounts.first());
            let account = account.map(ToString::to_string);
            let numbers = distinct(service, numbers).await?;
            let unit = |numbers: &[String]| Unit::Numbers {
                numbers: numbers.to_vec(),
                account: account.clone(),
            };
            return Ok(numbers.chunks(block.max(1)).map(unit).collect());
        }
        if let Some(accounts) = &self.accounts {
            let databases = self.databases.as_deref().map(names).unwrap_or_default();
            let unit =
                |id: &AccountId| Unit::Account { id: id.to_string(), databases: databases.clone() };
            return Ok(accounts.iter().map(unit).collect());
        }
        if let Some(databases) = &self.databases {
            let unit = |(database, prefix): &(NumberDatabase, Option<String>)| Unit::Database {
                name: database.as_str().to_owned(),
                prefix: prefix.clone(),
            };
            return Ok(databases.iter().map(unit).collect());
        }
        let database = |it: NumberDatabase| Unit::Database { name: it.to_string(), prefix: None };
        let account = |id: AccountId| Unit::Account { id: id.to_string(), databases: Vec::new() };
        Ok(match over {
            Over::Databases => {
                service.number_databases(false).await?.into_iter().map(database).collect()
            }
            Over::DatabasesAndStock => {
                service.number_databases(true).await?.into_iter().map(database).collect()
            }
            Over::Accounts => service.account_ids().await?.into_iter().map(account).collect(),
            Over::Once => vec![Unit::Whole],
        })
    }

    /// The scope as answers show it.
    #[must_use]
    pub fn shown(&self) -> Value {
        let mut shown = Map::new();
        if let Some(databases) = &self.databases {
            let name = |(database, prefix): &(NumberDatabase, Option<String>)| match prefix {
                Some(prefix) => prefix.clone(),
                None => database.as_str().trim_start_matches("numbers/").to_owned(),
            };
            let names: Vec<String> = databases.iter().map(name).collect();
            shown.insert("databases".to_owned(), json!(names));
        }
        if let Some(accounts) = &self.accounts {
            let ids: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
            shown.insert("accounts".to_owned(), json!(ids));
        }
        if let Some(numbers) = &self.numbers {
            shown.insert("numbers".to_owned(), json!(numbers));
        }
        if shown.is_empty() {
            shown.insert("all".to_owned(), true.into());
        }
        Value::Object(shown)
    }
}

impl Form {
    /// How the form is written; none for no scope at all.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::All => Some("all"),
            Self::Databases => Some("databases"),
            Self::Accounts => Some("accounts"),
            Self::Numbers => Some("numbers"),
            Self::AccountsAndDatabases => Some("accounts with databases"),
            Self::AccountAndNumbers => Some("one account with numbers"),
        }
    }
}

impl Unit {
    /// The database that what becomes of the unit is counted under, encoded.
    #[must_use]
    pub fn database(&self) -> Option<String> {
        match self {
            Self::Database { name, .. } => Some(encoded(name)),
            Self::Account { id, .. } => {
                AccountId::parse(id).ok().map(|id| encoded(&account_database(&id)))
            }
            Self::Numbers { .. } | Self::Whole => None,
        }
    }
}

fn databases(given: &[String]) -> Result<Vec<(NumberDatabase, Option<String>)>, BadScope> {
    database_scopes(given).map_err(|err| match err {
        Error::Invalid { cause } => BadScope(cause),
        err => BadScope(err.to_string()),
    })
}

fn accounts(given: &[String]) -> Result<Vec<AccountId>, BadScope> {
    let parse = |text: &String| {
        AccountId::parse_any(text).map_err(|_| BadScope(format!("`{text}` is no account id")))
    };
    let mut accounts = given.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    accounts.sort_unstable();
    accounts.dedup();
    Ok(accounts)
}

/// Each number once, in E.164 form where it has one.
async fn distinct(service: &NumberService, given: &[String]) -> Result<Vec<String>, Error> {
    let mut seen = std::collections::HashSet::new();
    let mut numbers = Vec::with_capacity(given.len());
    for text in given {
        let number = match service.parse(text).await {
            Ok(number) => number.to_string(),
            Err(Error::NotReconcilable(_)) => text.clone(),
            Err(err) => return Err(err),
        };
        if seen.insert(number.clone()) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn texts(list: &[Value]) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> =
        list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    texts.filter(|texts| !texts.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: &[Form] = &[Form::All, Form::Databases, Form::Numbers, Form::AccountAndNumbers];

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn read(value: Value) -> Result<Value, BadScope> {
        Scope::parse(Some(&value), FORMS).map(|scope| scope.shown())
    }

    #[test]
    fn a_scope_has_exactly_one_form() {
        let account = "a".repeat(32);
        for (given, shown) in [
            (json!({"all": true}), json!({"all": true})),
            (json!({"databases": ["+1415"]}), json!({"databases": ["+1415"]})),
            (json!({"databases": ["numbers%2f%2b1415"]}), json!({"databases": ["+1415"]})),
            (json!({"databases": ["numbers/+1415"]}), json!({"databases": ["+1415"]})),
            (json!({"prefix": "+14155"}), json!({"databases": ["+14155"]})),
            (json!({"numbers": ["4152266659"]}), json!({"numbers": ["4152266659"]})),
            (
                json!({"accounts": [&account], "numbers": ["1"]}),
                json!({"accounts": [&account], "numbers": ["1"]}),
            ),
        ] {
            assert_eq!(read(given).unwrap(), shown);
        }
        for bad in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "prefix": "+1415"}),
            json!({"databases": []}),
            json!({"databases": [1]}),
            json!({"databases": ["+141"]}),
            json!({"accounts": ["x"]}),
            json!({"accounts": [&account]}),
            json!({"other": true}),
            json!("all"),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        assert!(Scope::parse(None, FORMS).is_err());
        assert!(Scope::parse(None, &[Form::Nothing]).is_ok());
    }
}
