//! What a token says.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::AccountId;

use super::Credentials;

/// What a token says, as it is signed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Claims {
    /// The account that it speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// Whether it is the operator's; believed under our own keys only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// What it may be used for, divided by spaces or commas; everything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Value>,
    /// When it ends, in Unix seconds.
    #[serde(default)]
    pub exp: i64,
    /// From when on it is good, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it was made, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Its own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

/// What a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Option<Vec<String>>);

impl Scopes {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self(None)
    }

    /// Reads the claim; a form that we do not know allows nothing.
    fn read(claim: Option<&Value>) -> Self {
        let words = |text: &str| -> Vec<String> {
            let parts = text.split([' ', ',']).filter(|word| !word.is_empty());
            parts.map(str::to_owned).collect()
        };
        Self(claim.map(|claim| match claim {
            Value::String(text) => words(text),
            Value::Array(list) => list.iter().filter_map(Value::as_str).flat_map(words).collect(),
            _ => Vec::new(),
        }))
    }

    /// Whether the token may be used for `scope`.
    #[must_use]
    pub fn allow(&self, scope: &str) -> bool {
        self.0.as_ref().is_none_or(|list| list.iter().any(|name| name == scope))
    }
}

impl Claims {
    /// What the claims amount to at `now`; `None` when the token has ended or names nobody.
    ///
    /// `leeway`: how many seconds the signer's clock may differ from ours.
    pub(super) fn accept(&self, now: i64, leeway: i64, may_say_admin: bool) -> Option<Credentials> {
        let begun = self.nbf.is_none_or(|nbf| nbf <= now + leeway);
        if !begun || self.exp.saturating_add(leeway) <= now {
            return None;
        }
        let admin = self.admin && may_say_admin;
        let account = match self.account_id.as_deref().map(AccountId::parse) {
            Some(account) => Some(account.ok()?),
            None if admin => None,
            None => return None,
        };
        Some(Credentials {
            account,
            admin,
            scopes: Scopes::read(self.scope.as_ref()),
            jti: self.jti.clone(),
            expires: self.exp.saturating_add(leeway),
        })
    }
}
