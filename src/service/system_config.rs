//! The platform's settings and those of vendors, as an operator reads and writes them.
//!
//! Secrets are written and never read back: the value of a member whose name says that it is one (it
//! contains `password`, `passwd`, `passphrase`, `secret`, `token` or `credential`, or ends with
//! `key` or `pass`) is shown as [`MASK`]. Sent back like that, it stays what it is.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Map, Value};

use super::{Error, IfMatch, NumberService, Update};
use crate::{
    carriers,
    domain::{Actor, ConfigurationError, Converter, E164, NumberDatabase, Numbering},
    providers,
    repository::{RepositoryError, Settings, SettingsDocument, SettingsName},
};

/// What is shown in place of a secret.
pub const MASK: &str = "********";
/// The section that this service reads.
const DEFAULT: &str = "default";
/// How often a document is read and decided about again because somebody else was faster.
const TRIES: u32 = 5;
/// How many of the numbers that would no longer be themselves are named.
const NAMED: usize = 100;
/// How many databases are looked through at once.
const PARALLEL_DATABASES: usize = 8;
/// The longest name of a vendor.
const VENDOR_LENGTH: usize = 64;

/// A document of settings as it may be shown.
#[derive(Clone, Debug)]
pub struct SystemConfig {
    /// Its members, without private ones and secrets.
    pub members: Map<String, Value>,
    /// Its revision; none when there is no such document.
    pub revision: Option<String>,
}

/// Numbers that a change of the rules would make no longer themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub numbers: Vec<String>,
}

impl NumberService {
    /// Reads a document of settings: `number_manager`, or `number_manager.` and the name of a
    /// carrier or another vendor; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NoConfig`], and those of every read.
    pub async fn system_config(&self, actor: &Actor, id: &str) -> Result<SystemConfig, Error> {
        let name = named(actor, id)?;
        Ok(shown(self.settings.document(&name).await?))
    }

    /// Changes a document of settings; administrators only. `force`: also when there are numbers
    /// that would no longer be themselves.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] names the member that cannot be used, [`Error::WouldMove`] the numbers,
    /// [`Error::PreconditionFailed`], [`Error::Forbidden`], [`Error::NoConfig`], and those of every
    /// write. Nothing is written then.
    pub async fn change_system_config(
        &self,
        actor: &Actor,
        id: &str,
        update: &Update,
        if_match: Option<&IfMatch>,
        force: bool,
    ) -> Result<SystemConfig, Error> {
        let name = named(actor, id)?;
        for _ in 0..TRIES {
            let stored = self.settings.document(&name).await?;
            if if_match.is_some_and(|wanted| !wanted.holds(stored.rev.as_deref())) {
                return Err(Error::PreconditionFailed);
            }
            let body = changed(&stored.body, update)?;
            if is_same_text(&body, &stored.body) {
                return Ok(shown(stored));
            }
            if let SettingsName::Vendor(vendor) = &name {
                check_vendor(vendor, &body)?;
            }
            if name == SettingsName::System {
                let wanted = check_settings(&body)?;
                if !force {
                    self.check_moves(&stored.body, &wanted.numbering).await?;
                }
            }
            let document = SettingsDocument { body, rev: stored.rev };
            match self.settings.write_document(&name, document, self.numbers.now()).await {
                Err(RepositoryError::Conflict { .. }) => (),
                written => return Ok(shown(written?)),
            }
        }
        Err(Error::Conflict)
    }

    /// Refuses a change after which numbers that are stored would no longer be themselves.
    async fn check_moves(
        &self,
        stored: &Map<String, Value>,
        wanted: &Numbering,
    ) -> Result<(), Error> {
        let before = match Settings::read(&section(stored)) {
            Ok(settings) => settings.numbering,
            Err(_) => self.settings.get().await?.numbering.clone(),
        };
        if is_same(&before, wanted) {
            return Ok(());
        }
        let databases = self.numbers.databases(false).await?;
        let looked = stream::iter(databases).map(|db| self.moved(db, &before, wanted));
        let looked = looked.buffered(PARALLEL_DATABASES);
        let moved = looked.try_fold(Moved::default(), async |mut all, part| {
            all.count += part.count;
            let room = NAMED.saturating_sub(all.numbers.len());
            all.numbers.extend(part.numbers.into_iter().take(room));
            Ok(all)
        });
        match moved.await? {
            moved if moved.count == 0 => Ok(()),
            moved => Err(Error::WouldMove(moved)),
        }
    }

    async fn moved(
        &self,
        database: NumberDatabase,
        before: &Numbering,
        after: &Numbering,
    ) -> Result<Moved, Error> {
        let is_itself = |rules: &Numbering, id: &E164| rules.parse(id.as_str()).as_ref() == Ok(id);
        let (mut moved, mut next) = (Moved::default(), None);
        loop {
            let (ids, more) = self.numbers.ids(&database, next).await?;
            let numbers = ids.iter().filter_map(|id| E164::parse(id).ok());
            for id in numbers.filter(|id| is_itself(before, id) && !is_itself(after, id)) {
                moved.count += 1;
                if moved.numbers.len() < NAMED {
                    moved.numbers.push(id.to_string());
                }
            }
            next = more;
            if next.is_none() {
                return Ok(moved);
            }
        }
    }
}

fn named(actor: &Actor, id: &str) -> Result<SettingsName, Error> {
    if !actor.is_admin {
        return Err(Error::forbidden());
    }
    let is_name = |name: &str| {
        (1..=VENDOR_LENGTH).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match id.strip_prefix("number_manager") {
        Some("") => Ok(SettingsName::System),
        Some(rest) => match rest.strip_prefix('.').filter(|name| is_name(name)) {
            Some(name) => Ok(SettingsName::Vendor(name.to_owned())),
            None => Err(Error::NoConfig(id.to_owned())),
        },
        None => Err(Error::NoConfig(id.to_owned())),
    }
}

/// What is under `default`; nothing when it is no object.
fn section(body: &Map<String, Value>) -> Map<String, Value> {
    body.get(DEFAULT).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Checks every section: a key of a zone or a node stands in for one of `default`.
fn check_settings(body: &Map<String, Value>) -> Result<Settings, Error> {
    for (name, value) in body.iter().filter(|(name, _)| is_public(name)) {
        let Value::Object(members) = value else {
            return Err(wrong(name, "is not an object"));
        };
        if name != DEFAULT {
            Settings::read(members).map_err(|err| {
                let key = format!("{name}.{}", err.key);
                Error::Setting(ConfigurationError { key, ..err })
            })?;
        }
    }
    Settings::read(&section(body)).map_err(Error::Setting)
}

/// The same of a vendor that is a carrier of this build, or provides features.
fn check_vendor(vendor: &str, body: &Map<String, Value>) -> Result<(), Error> {
    for (name, value) in body.iter().filter(|(name, _)| is_public(name)) {
        let Value::Object(members) = value else { continue };
        let checked = carriers::check_settings(vendor, members)
            .and_then(|()| providers::check_settings(vendor, members));
        checked.map_err(|err| {
            let key = if name == DEFAULT { err.key } else { format!("{name}.{}", err.key) };
            Error::Setting(ConfigurationError { key, reason: err.reason })
        })?;
    }
    Ok(())
}

fn is_same(a: &Numbering, b: &Numbering) -> bool {
    let rules = |it: &Numbering| {
        let part = |it: &Converter| [it.pattern(), it.prefix(), it.suffix()].map(str::to_owned);
        it.converters().iter().map(part).collect::<Vec<_>>()
    };
    a.reconcile_pattern() == b.reconcile_pattern() && rules(a) == rules(b)
}

/// The document after a change; private members stay.
fn changed(stored: &Map<String, Value>, update: &Update) -> Result<Map<String, Value>, Error> {
    let unmasked = |members: &Map<String, Value>| {
        let mut members = members.clone();
        members.retain(|name, _| is_public(name) && name != "id");
        for (name, value) in &mut members {
            unmask(name, value, stored.get(name))?;
        }
        Ok::<_, Error>(members)
    };
    let mut public = stored.clone();
    public.retain(|name, _| is_public(name));
    let update = match update {
        Update::Replace(members) => Update::Replace(unmasked(members)?),
        Update::Merge(members) => Update::Merge(unmasked(members)?),
    };
    update.apply(&mut public);
    let private = stored.iter().filter(|(name, _)| !is_public(name));
    public.extend(private.map(|(name, value)| (name.clone(), value.clone())));
    Ok(public)
}

/// Whether two documents say the same publicly, in the same order, which means something here.
fn is_same_text(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let text = |body: &Map<String, Value>| {
        let mut public = body.clone();
        public.retain(|name, _| is_public(name));
        Value::Object(public).to_string()
    };
    text(a) == text(b)
}

fn is_public(name: &str) -> bool {
    !name.starts_with('_') && !name.starts_with("pvt_")
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "passwd", "passphrase", "secret", "token", "credential"]
        .iter()
        .any(|part| name.contains(part))
        || name.ends_with("key")
        || name.ends_with("pass")
}

/// Hides secrets, at any depth.
fn mask(members: &mut Map<String, Value>) {
    for (name, value) in members {
        if is_secret(name) && !value.is_null() {
            *value = MASK.into();
        } else {
            mask_within(value);
        }
    }
}

fn mask_within(value: &mut Value) {
    match value {
        Value::Object(members) => mask(members),
        Value::Array(items) => items.iter_mut().for_each(mask_within),
        _ => (),
    }
}

/// Puts back the secrets that came back hidden.
fn unmask(path: &str, value: &mut Value, stored: Option<&Value>) -> Result<(), Error> {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                unmask(&format!("{path}.{name}"), value, stored.and_then(|it| it.get(name)))?;
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter_mut().enumerate() {
                unmask(&format!("{path}.{at}"), value, stored.and_then(|it| it.get(at)))?;
            }
        }
        Value::String(text) if text == MASK => {
            *value = stored.cloned().ok_or_else(|| wrong(path, "is hidden, and none is stored"))?;
        }
        _ => (),
    }
    Ok(())
}

fn wrong(key: &str, reason: &str) -> Error {
    Error::Setting(ConfigurationError { key: key.to_owned(), reason: reason.to_owned() })
}

fn shown(document: SettingsDocument) -> SystemConfig {
    let mut members = document.body;
    members.retain(|name, _| is_public(name));
    mask(&mut members);
    SystemConfig { members, revision: document.rev }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("the table holds objects") };
        members
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in
            ["password", "auth_token", "API_KEY", "developer_key", "client_secret", "ftp_pass"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["login", "url", "keyword", "released_state", "passive", "auth_username"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn what_is_hidden_comes_back_as_it_was() {
        let stored = object(json!({
            "default": {"auth_token": "t", "list": [{"password": "p"}], "url": "u"}, "pvt_x": 1,
        }));
        let document = SettingsDocument { body: stored.clone(), rev: None };
        let shown = shown(document).members;
        assert_eq!(
            Value::Object(shown.clone()),
            json!({"default": {"auth_token": MASK, "list": [{"password": MASK}], "url": "u"}})
        );
        assert_eq!(changed(&stored, &Update::Replace(shown.clone())).unwrap(), stored);
        assert_eq!(changed(&stored, &Update::Merge(shown)).unwrap(), stored);
        let fresh = object(json!({"default": {"secret": MASK}}));
        assert!(changed(&Map::new(), &Update::Merge(fresh)).is_err());
    }

    #[test]
    fn private_members_and_order_stay() {
        let stored = object(json!({"default": {"z": 1, "a": {"y": 1, "b": 2}}, "pvt_x": 1}));
        let update = object(json!({"default": {"a": {"c": 3, "y": null}}, "pvt_x": 2, "id": "x"}));
        let after = changed(&stored, &Update::Merge(update)).unwrap();
        let wanted = r#"{"default":{"z":1,"a":{"b":2,"c":3}},"pvt_x":1}"#;
        assert_eq!(Value::Object(after).to_string(), wanted);
    }

    #[test]
    fn every_section_is_checked_and_the_member_named() {
        let check = |body: Value, key: &str| match check_settings(&object(body)) {
            Err(Error::Setting(err)) => assert_eq!(err.key, key),
            other => panic!("{other:?}"),
        };
        check(json!({"default": {"released_state": "gone"}}), "released_state");
        check(json!({"default": {"classifiers": {"a": {"regex": "("}}}}), "classifiers.a");
        check(json!({"zone1": {"open_purchase": "perhaps"}}), "zone1.open_purchase");
        check(json!({"default": []}), "default");
    }

    #[test]
    fn other_documents_are_not_shown() {
        let operator = Actor::operator();
        for id in ["number_manager", "number_manager.telnyx", "number_manager.dash_e911"] {
            assert!(named(&operator, id).is_ok(), "{id}");
        }
        for id in ["", "accounts", "number_manager.", "number_managers", "number_manager.a/b", "x"]
        {
            assert!(matches!(named(&operator, id), Err(Error::NoConfig(_))), "{id}");
        }
    }
}
