//! The key of an account, and the one reader of the forms in which it is written.

use std::fmt;

/// How many characters an account id has.
const LENGTH: usize = 32;

/// An account's id: exactly 32 characters, each of `a` to `z` or `0` to `9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

/// The text names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an account id")]
pub struct ParseAccountError(String);

impl AccountId {
    /// Parses the raw id.
    ///
    /// # Errors
    ///
    /// [`ParseAccountError`], with the text, unless `text` is 32 characters of `[a-z0-9]`.
    pub fn parse(text: &str) -> Result<Self, ParseAccountError> {
        let plain = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        if text.len() == LENGTH && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseAccountError(text.to_owned()))
        }
    }

    /// Parses any form in which an account is written: the raw id, the name of its database, that
    /// name percent-encoded in either letter case, and each of these with the suffix of a month
    /// (`-YYYYMM`) or a year (`-YYYY`), which is dropped.
    ///
    /// # Errors
    ///
    /// [`ParseAccountError`], with the text, for everything else.
    pub fn parse_any(text: &str) -> Result<Self, ParseAccountError> {
        let name = without_period(text);
        let raw = ["/", "%2F", "%2f"].iter().find_map(|slash| from_database(name, slash));
        Self::parse(raw.as_deref().unwrap_or(name)).map_err(|_| ParseAccountError(text.to_owned()))
    }

    /// The raw id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for AccountId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The raw id in a database's name whose parts are divided by `slash`.
fn from_database(name: &str, slash: &str) -> Option<String> {
    let mut parts = name.strip_prefix("account")?.strip_prefix(slash)?.splitn(3, slash);
    let (first, second, rest) = (parts.next()?, parts.next()?, parts.next()?);
    (first.len() == 2 && second.len() == 2).then(|| [first, second, rest].concat())
}

/// Drops the suffix of a monthly or yearly database.
fn without_period(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((account, period)) if is_period(period) => account,
        _ => name,
    }
}

fn is_period(text: &str) -> bool {
    let month = match text.len() {
        4 => "01",
        6 => text.get(4..).unwrap_or_default(),
        _ => return false,
    };
    text.bytes().all(|byte| byte.is_ascii_digit()) && ("01"..="12").contains(&month)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn check(text: &str) {
        assert_eq!(AccountId::parse_any(text).unwrap().as_str(), ID, "{text:?}");
    }

    fn check_refused(text: &str) {
        let error = AccountId::parse_any(text).unwrap_err();
        assert_eq!(error, ParseAccountError(text.to_owned()));
    }

    #[test]
    fn every_form_reads_as_the_raw_id() {
        for suffix in ["", "-2024", "-202403", "-202412"] {
            check(&format!("{ID}{suffix}"));
            check(&format!("account/01/23/456789abcdef0123456789abcdef{suffix}"));
            check(&format!("account%2F01%2F23%2F456789abcdef0123456789abcdef{suffix}"));
            check(&format!("account%2f01%2f23%2f456789abcdef0123456789abcdef{suffix}"));
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        check_refused("");
        check_refused("accounts");
        check_refused("tasks");
        check_refused("0123456789abcdef0123456789abcde");
        check_refused("0123456789abcdef0123456789abcdef0");
        check_refused("0123456789ABCDEF0123456789ABCDEF");
        check_refused("unrelated_account_b113394f16cb71");
        check_refused("account/012/3/456789abcdef0123456789abcdef");
        check_refused("account/0123/456789abcdef0123456789abcdef");
        check_refused("account/01/23/456789abcdef0123456789abcde");
        check_refused("account/01%2F23%2F456789abcdef0123456789abcdef");
        check_refused("0123456789abcdef0123456789abcdef-202413");
        check_refused("0123456789abcdef0123456789abcdef-20240");
        check_refused("0123456789abcdef0123456789abcdef-2024-03");
        check_refused("0123456789abcdef0123456789abcdef-");
        check_refused("0123456789abcdef0123456789abcdé");
    }

    #[test]
    fn only_the_raw_id_is_an_id() {
        assert!(AccountId::parse(ID).is_ok());
        assert!(AccountId::parse(&format!("{ID}-2024")).is_err());
        assert!(AccountId::parse("account/01/23/456789abcdef0123456789abcdef").is_err());
    }
}
