//! The keys that sign our own tokens, shared by every replica: one document in our own database.
//!
//! The first key signs; all of them are believed, so a key is changed by putting a new one in front.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use super::OWN_DATABASE as DATABASE;
use crate::store::{Body, DbName, Expect, Kind, SharedStore, StoreError, WRITE_ID, Write};

const DOCUMENT: &str = "token_keys";
/// How often keys that others change are changed again.
const TRIES: u32 = 5;

/// One key.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The name that tokens carry (`kid`).
    pub id: String,
    /// The secret, as text.
    pub secret: SecretString,
}

impl PartialEq for StoredKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// Every key that is believed; the first one signs.
pub type StoredKeys = Vec<StoredKey>;

/// The keys could not be read or stored.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The document is there and holds no usable key.
    #[error("document {DOCUMENT} in database {DATABASE} holds no usable key")]
    Undecodable,
    /// There is no such key.
    #[error("there is no key {0}")]
    Unknown(String),
    /// Others changed the keys again and again.
    #[error("the token keys were changed by others at the same time")]
    Contended,
    /// The store failed.
    #[error("the token keys cannot be reached")]
    Store(#[source] StoreError),
}

/// The document that holds the keys.
#[derive(Clone, Debug)]
pub struct KeyRepository {
    store: SharedStore,
}

impl KeyRepository {
    /// The keys that are kept in `store`.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// Reads the keys; `None` when none were ever stored.
    ///
    /// # Errors
    ///
    /// [`KeysError`]: a document that holds no usable key is not taken for a missing one.
    pub async fn read(&self) -> Result<Option<StoredKeys>, KeysError> {
        let found = self.store.get(&DbName::new(DATABASE), DOCUMENT).await;
        match found.map_err(KeysError::Store)?.live() {
            Some(document) => decode(&document.body).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the keys, or stores `fresh` as the first one. Of two replicas that do so at once one
    /// wins, and both return its key.
    ///
    /// # Errors
    ///
    /// [`KeysError`].
    pub async fn read_or_create(&self, fresh: StoredKey) -> Result<StoredKeys, KeysError> {
        if let Some(keys) = self.read().await? {
            return Ok(keys);
        }
        let database = DbName::new(DATABASE);
        self.store.create_database(&database).await.map_err(KeysError::Store)?;
        let keys = vec![fresh];
        let write = Write::put(database, DOCUMENT, Expect::Absent, encode(&keys));
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(keys),
            Err(refused) if refused.error.kind == Kind::Conflict => {
                self.read().await?.ok_or(KeysError::Undecodable)
            }
            Err(failed) => Err(KeysError::Store(failed.error)),
        }
    }

    /// Puts `fresh` in front, so that it signs from now on, and takes the key `retire` away.
    ///
    /// # Errors
    ///
    /// [`KeysError::Unknown`] when there is no such key; nothing was changed then.
    pub async fn rotate(
        &self,
        fresh: &StoredKey,
        retire: Option<&str>,
    ) -> Result<StoredKeys, KeysError> {
        let database = DbName::new(DATABASE);
        for _ in 0..TRIES {
            let found = self.store.get(&database, DOCUMENT).await.map_err(KeysError::Store)?;
            let (keys, expect, mut body) = match found.live() {
                Some(found) => (decode(&found.body)?, Expect::At(found.rev), found.body),
                None => (StoredKeys::new(), Expect::Absent, Body::new()),
            };
            let keys = rotated(keys, fresh, retire)?;
            body.extend(encode(&keys));
            let write = Write::put(database.clone(), DOCUMENT, expect, body);
            match self.store.commit(vec![write]).await {
                Ok(_) => return Ok(keys),
                Err(refused) if refused.error.kind == Kind::Conflict => (),
                Err(failed) => return Err(KeysError::Store(failed.error)),
            }
        }
        Err(KeysError::Contended)
    }
}

/// The keys with `fresh` in front and without `retire`.
///
/// # Errors
///
/// [`KeysError::Unknown`] when there is no key `retire`.
pub fn rotated(
    mut keys: StoredKeys,
    fresh: &StoredKey,
    retire: Option<&str>,
) -> Result<StoredKeys, KeysError> {
    if let Some(retire) = retire {
        let place = keys.iter().position(|key| key.id == retire);
        keys.remove(place.ok_or_else(|| KeysError::Unknown(retire.to_owned()))?);
    }
    keys.insert(0, fresh.clone());
    Ok(keys)
}

fn encode(keys: &StoredKeys) -> Body {
    let list: Vec<Value> = keys
        .iter()
        .map(|key| json!({ "id": key.id, "secret": key.secret.expose_secret() }))
        .collect();
    let mut body = Body::new();
    body.insert("keys".to_owned(), Value::Array(list));
    body.insert(WRITE_ID.to_owned(), Value::String(Uuid::new_v4().simple().to_string()));
    body
}

fn decode(body: &Body) -> Result<StoredKeys, KeysError> {
    let list = body.get("keys").and_then(Value::as_array).ok_or(KeysError::Undecodable)?;
    let keys: Option<StoredKeys> = list.iter().map(decode_key).collect();
    match keys {
        Some(keys) if !keys.is_empty() => Ok(keys),
        _ => Err(KeysError::Undecodable),
    }
}

fn decode_key(value: &Value) -> Option<StoredKey> {
    let id = value.get("id")?.as_str()?.to_owned();
    let secret = value.get("secret")?.as_str()?;
    Some(StoredKey { id, secret: SecretString::from(secret) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_in_order() {
        let key = |id: &str| StoredKey { id: id.to_owned(), secret: SecretString::from("s") };
        let read = decode(&encode(&vec![key("b"), key("a")])).unwrap();
        assert_eq!(read.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }

    #[test]
    fn a_new_key_stands_in_front_of_those_that_stay() {
        let key = |id: &str| StoredKey { id: id.to_owned(), secret: SecretString::from("s") };
        let ids = |keys: StoredKeys| keys.into_iter().map(|key| key.id).collect::<Vec<_>>();
        let keys = || vec![key("b"), key("a")];
        assert_eq!(ids(rotated(keys(), &key("c"), None).unwrap()), ["c", "b", "a"]);
        assert_eq!(ids(rotated(keys(), &key("c"), Some("b")).unwrap()), ["c", "a"]);
        let unknown = rotated(keys(), &key("c"), Some("x"));
        assert!(matches!(unknown, Err(KeysError::Unknown(id)) if id == "x"));
    }

    #[test]
    fn a_document_without_keys_is_not_taken_for_a_missing_one() {
        assert!(matches!(decode(&Body::new()), Err(KeysError::Undecodable)));
        assert!(matches!(decode(&encode(&Vec::new())), Err(KeysError::Undecodable)));
    }
}
