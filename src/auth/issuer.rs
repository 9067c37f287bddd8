//! Other programs whose tokens are believed: for the account that they name, and nothing else.

use std::{fs, path::PathBuf};

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, JwkSet},
};
use serde::Deserialize;

use super::{Credentials, keys};

/// How many seconds an issuer's clock may differ from ours.
const LEEWAY: i64 = 60;

/// A program whose tokens are believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// What its tokens say in `iss`.
    pub iss: String,
    /// What its tokens must say in `aud`, when set.
    #[serde(default)]
    pub aud: Option<String>,
    /// Its public keys: a PEM file, or a JWKS file when the name ends in `.json`.
    pub keys_file: PathBuf,
}

/// An issuer's keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("token.issuers: the keys of {iss} in {} cannot be used: {problem}", path.display())]
pub struct IssuerError {
    iss: String,
    path: PathBuf,
    problem: String,
}

/// An issuer with its keys.
pub(super) struct Issuer {
    iss: String,
    keys: Vec<PublicKey>,
}

/// A key that can check and not sign, with the one algorithm that it is for.
struct PublicKey {
    id: Option<String>,
    key: DecodingKey,
    rules: Validation,
}

impl Issuer {
    /// Reads an issuer's keys.
    pub(super) fn read(config: &IssuerConfig) -> Result<Self, IssuerError> {
        let failed = |problem: String| IssuerError {
            iss: config.iss.clone(),
            path: config.keys_file.clone(),
            problem,
        };
        let bytes = fs::read(&config.keys_file).map_err(|error| failed(error.to_string()))?;
        let is_set = config.keys_file.extension().is_some_and(|extension| extension == "json");
        let found = if is_set { from_jwks(&bytes) } else { from_pem(&bytes) };
        let keys = found.map_err(failed)?;
        let keys = keys
            .into_iter()
            .map(|(id, key, algorithm)| PublicKey { id, key, rules: rules(config, algorithm) })
            .collect();
        Ok(Self { iss: config.iss.clone(), keys })
    }

    /// Who the token speaks for, if this issuer signed it.
    pub(super) fn verify(&self, token: &str, header: &Header, now: i64) -> Option<Credentials> {
        let fits = |key: &&PublicKey| {
            key.rules.algorithms.contains(&header.alg)
                && (key.id.is_none() || header.kid.is_none() || key.id == header.kid)
        };
        let claims = self
            .keys
            .iter()
            .filter(fits)
            .find_map(|candidate| keys::decode(token, &candidate.key, &candidate.rules))?;
        claims.accept(now, LEEWAY, false)
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("iss", &self.iss).finish_non_exhaustive()
    }
}

fn rules(config: &IssuerConfig, algorithm: Algorithm) -> Validation {
    let mut rules = keys::unchecked(algorithm);
    rules.set_issuer(&[&config.iss]);
    rules.required_spec_claims.insert("iss".to_owned());
    if let Some(aud) = &config.aud {
        rules.validate_aud = true;
        rules.set_audience(&[aud]);
        rules.required_spec_claims.insert("aud".to_owned());
    }
    rules
}

type Found = Vec<(Option<String>, DecodingKey, Algorithm)>;

fn from_pem(bytes: &[u8]) -> Result<Found, String> {
    let (key, algorithm) = match DecodingKey::from_rsa_pem(bytes) {
        Ok(key) => (key, Algorithm::RS256),
        Err(_) => match DecodingKey::from_ed_pem(bytes) {
            Ok(key) => (key, Algorithm::EdDSA),
            Err(_) => return Err("it is neither an RSA nor an Ed25519 public key".to_owned()),
        },
    };
    Ok(vec![(None, key, algorithm)])
}

fn from_jwks(bytes: &[u8]) -> Result<Found, String> {
    let set: JwkSet = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut found = Found::new();
    for jwk in &set.keys {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                Algorithm::EdDSA
            }
            // Sets list keys for other purposes too.
            _ => continue,
        };
        let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
        found.push((jwk.common.key_id.clone(), key, algorithm));
    }
    if found.is_empty() { Err("it holds no RS256 or EdDSA key".to_owned()) } else { Ok(found) }
}
