//! Our own keys, and where they are kept.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::repository::{KeyRepository, KeysError, StoredKey, StoredKeys, rotated};

use super::{AuthError, Claims, Credentials};

/// What our own keys sign with, and nothing else.
pub(super) const ALGORITHM: Algorithm = Algorithm::HS256;
/// The name of the key that the settings give.
const CONFIGURED: &str = "configured";

/// Where our own keys are kept.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// In the settings.
    Secret(SecretString),
    /// In a file of their own, which is made when it is not there.
    File(PathBuf),
    /// In the store, for all replicas.
    Store(KeyRepository),
}

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the key file {} cannot be {what}", path.display())]
pub struct FileError {
    path: PathBuf,
    what: &'static str,
    #[source]
    source: io::Error,
}

/// The keys, ready for use; the first one signs.
pub(super) struct OwnKeys {
    stored: StoredKeys,
    signing: Option<(String, EncodingKey)>,
    known: Vec<(String, DecodingKey)>,
}

/// A key as the file holds it.
#[derive(Deserialize)]
struct FileKey {
    id: String,
    secret: SecretString,
}

impl KeySource {
    /// The keys, one made where there was none.
    pub(super) async fn read_or_create(&self) -> Result<StoredKeys, AuthError> {
        match self {
            Self::Secret(secret) => Ok(configured(secret)),
            Self::File(path) => match read_file(path)? {
                Some(keys) => Ok(keys),
                None => create_file(path, &fresh()?),
            },
            Self::Store(repository) => Ok(repository.read_or_create(fresh()?).await?),
        }
    }

    /// Makes a new key, which signs from now on, and takes the key `retire` away.
    pub(super) async fn rotate(&self, retire: Option<&str>) -> Result<StoredKeys, AuthError> {
        match self {
            Self::Secret(_) => Err(AuthError::Configured),
            Self::File(path) => rotate_file(path, &fresh()?, retire),
            Self::Store(repository) => Ok(repository.rotate(&fresh()?, retire).await?),
        }
    }

    /// The keys as they are now, where they can change while we run.
    pub(super) async fn read(&self) -> Result<Option<StoredKeys>, KeysError> {
        match self {
            Self::Secret(_) => Ok(None),
            // A file that cannot be read now leaves the keys that we have.
            Self::File(path) => Ok(read_file(path).ok().flatten()),
            Self::Store(repository) => repository.read().await,
        }
    }
}

impl OwnKeys {
    pub(super) fn new(keys: &StoredKeys) -> Self {
        let signing = keys.first().map(|key| {
            (key.id.clone(), EncodingKey::from_secret(key.secret.expose_secret().as_bytes()))
        });
        let decoding = |key: &StoredKey| {
            (key.id.clone(), DecodingKey::from_secret(key.secret.expose_secret().as_bytes()))
        };
        Self { stored: keys.clone(), signing, known: keys.iter().map(decoding).collect() }
    }

    /// Whether they were made of these.
    pub(super) fn are(&self, keys: &StoredKeys) -> bool {
        self.stored == *keys
    }

    pub(super) fn knows(&self, id: &str) -> bool {
        self.known.iter().any(|(known, _)| known == id)
    }

    pub(super) fn verify(&self, token: &str, header: &Header, now: i64) -> Option<Credentials> {
        let named = header.kid.as_deref()?;
        let (_, key) = self.known.iter().find(|(id, _)| id == named)?;
        decode(token, key, &unchecked(ALGORITHM))?.accept(now, 0, true)
    }

    pub(super) fn sign(&self, claims: &Claims) -> jsonwebtoken::errors::Result<String> {
        let Some((id, key)) = &self.signing else {
            return Err(jsonwebtoken::errors::ErrorKind::InvalidKeyFormat.into());
        };
        let header = Header { kid: Some(id.clone()), ..Header::new(ALGORITHM) };
        jsonwebtoken::encode(&header, claims, key)
    }
}

impl std::fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(id, _)| id)).finish()
    }
}

/// Checks the signature with a key and the algorithm that is the key's. Times are checked by
/// [`Claims::accept`], with our clock.
pub(super) fn decode(token: &str, key: &DecodingKey, rules: &Validation) -> Option<Claims> {
    jsonwebtoken::decode(token, key, rules).ok().map(|data| data.claims)
}

/// Rules that look at the signature and the algorithm only.
pub(super) fn unchecked(algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.required_spec_claims.clear();
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules
}

fn configured(secret: &SecretString) -> StoredKeys {
    vec![StoredKey { id: CONFIGURED.to_owned(), secret: secret.clone() }]
}

/// A new key of 256 random bits.
fn fresh() -> Result<StoredKey, AuthError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| AuthError::Random)?;
    let secret = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    Ok(StoredKey { id: Uuid::new_v4().simple().to_string(), secret })
}

fn read_file(path: &Path) -> Result<Option<StoredKeys>, FileError> {
    let failed = |source| FileError { path: path.to_owned(), what: "read", source };
    let mut text = String::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_string(&mut text).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let keys: Vec<FileKey> = serde_json::from_str(&text)
        .map_err(|_| failed(io::Error::new(io::ErrorKind::InvalidData, "it holds no keys")))?;
    Ok(Some(keys.into_iter().map(|key| StoredKey { id: key.id, secret: key.secret }).collect()))
}

/// Stores `key` in a file that nobody else can read. Of two processes that do so at once one wins,
/// and both return its key: the file gets its name only when it is complete.
fn create_file(path: &Path, key: &StoredKey) -> Result<StoredKeys, AuthError> {
    let failed = |source| FileError { path: path.to_owned(), what: "made", source };
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
    }
    let draft = draft_of(path);
    let keys = vec![key.clone()];
    let written =
        write_draft(&draft, &text_of(&keys)).and_then(|()| std::fs::hard_link(&draft, path));
    // Nothing depends on the draft any more; a left-over would only be untidy.
    let _ = std::fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(keys),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_file(path)?.ok_or_else(|| failed(error).into())
        }
        Err(error) => Err(failed(error).into()),
    }
}

/// Changes the keys of a file, one process at a time. Who reads meanwhile reads all of the old ones or
/// all of the new ones.
fn rotate_file(
    path: &Path,
    fresh: &StoredKey,
    retire: Option<&str>,
) -> Result<StoredKeys, AuthError> {
    let failed = |source| FileError { path: path.to_owned(), what: "changed", source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    // Held until the end.
    let lock = options.open(path.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let keys = rotated(read_file(path)?.unwrap_or_default(), fresh, retire)?;
    let draft = draft_of(path);
    let written = write_draft(&draft, &text_of(&keys)).and_then(|()| std::fs::rename(&draft, path));
    if let Err(error) = written {
        // A left-over would only be untidy.
        let _ = std::fs::remove_file(&draft);
        return Err(failed(error).into());
    }
    Ok(keys)
}

fn draft_of(path: &Path) -> PathBuf {
    path.with_extension(Uuid::new_v4().simple().to_string())
}

fn text_of(keys: &StoredKeys) -> String {
    let key = |key: &StoredKey| json!({ "id": key.id, "secret": key.secret.expose_secret() });
    json!(keys.iter().map(key).collect::<Vec<_>>()).to_string()
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
