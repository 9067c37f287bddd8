//! Paths: the spellings that mean the same, and the table of what is where.
//!
//! The router below answers a path or a method that it does not know in its own words and in its
//! own order, so both are looked up here, before a request goes on.

use std::{borrow::Cow, sync::Arc};

use axum::http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use utoipa::openapi::{OpenApi, PathItem};

use super::fault::Fault;

/// Words in the place of a number that are never one, also where this build has nothing there.
const RESERVED: &[&str] =
    &["collection", "fix", "classifiers", "carriers_info", "prefix", "locality", "check"];
/// Where numbers are.
const NUMBERS: &[&str] = &["/v2/phone_numbers", "/v2/accounts/{account_id}/phone_numbers"];

/// What is under a path.
#[derive(Debug)]
pub(super) struct Route {
    /// The path's template.
    pub template: Arc<str>,
    /// The methods that it knows.
    pub methods: Vec<Method>,
    /// The same as `Allow` says them.
    pub allow: HeaderValue,
    /// The same as `Access-Control-Allow-Methods` says them.
    pub cors: HeaderValue,
}

/// Every path under `/v2`.
#[derive(Debug, Default)]
pub(super) struct Routes {
    tree: matchit::Router<Route>,
}

impl Routes {
    /// The paths of the API's document.
    pub(super) fn of(document: &OpenApi) -> Self {
        let mut tree = matchit::Router::new();
        for (template, item) in &document.paths.paths {
            if template.starts_with("/v2") {
                let inserted = tree.insert(template.as_str(), Route::new(template, methods(item)));
                inserted.expect("the router below holds the same paths");
            }
        }
        for numbers in NUMBERS {
            for word in RESERVED {
                // What exists already stays.
                for path in [format!("{numbers}/{word}"), format!("{numbers}/{word}/{{*rest}}")] {
                    let _ = tree.insert(path.as_str(), Route::new(&path, Vec::new()));
                }
            }
        }
        Self { tree }
    }

    /// What is under a path, with the parts that its template names, decoded.
    pub(super) fn find(&self, path: &str) -> Option<(&Route, Vec<(String, String)>)> {
        let found = self.tree.at(path).ok().filter(|found| !found.value.methods.is_empty())?;
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let parts = found.params.iter().map(|(name, value)| (name.to_owned(), decode(value)));
        Some((found.value, parts.collect()))
    }
}

impl Route {
    fn new(template: &str, methods: Vec<Method>) -> Self {
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let allow = names.join(", ");
        let value = |text: &str| HeaderValue::from_str(text).expect("method names are ASCII");
        let cors = value(&format!("OPTIONS, {allow}"));
        Self { template: Arc::from(template), methods, allow: value(&allow), cors }
    }
}

fn methods(item: &PathItem) -> Vec<Method> {
    let known = [
        (Method::GET, item.get.is_some()),
        (Method::PUT, item.put.is_some()),
        (Method::POST, item.post.is_some()),
        (Method::PATCH, item.patch.is_some()),
        (Method::DELETE, item.delete.is_some()),
    ];
    known.into_iter().filter(|(_, is)| *is).map(|(method, _)| method).collect()
}

/// Brings a path to the one spelling that the table knows: with the version, without a slash at the
/// end, plain words not encoded.
pub(super) fn normalise(path: &str) -> Result<String, Fault> {
    let mut segments: Vec<Cow<'_, str>> = path.split('/').skip(1).map(plain).collect();
    while segments.last().is_some_and(|last| last.is_empty()) {
        segments.pop();
    }
    match segments.first().and_then(|first| first.strip_prefix('v')) {
        Some("2") => drop(segments.remove(0)),
        Some("1") => return Err(Fault::gone()),
        Some(version) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
            return Err(Fault::not_found());
        }
        _ => (),
    }
    if let [accounts, account, _, ..] = segments.as_slice()
        && accounts == "accounts"
        && account.is_empty()
    {
        return Err(Fault::missing_account());
    }
    Ok(segments.iter().fold("/v2".to_owned(), |path, segment| path + "/" + segment))
}

/// Decodes a segment that turns out to be a plain word, so that it cannot hide what it is.
fn plain(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    match String::from_utf8(decoded) {
        Ok(text) if text.bytes().all(word) => Cow::Owned(text),
        _ => Cow::Borrowed(segment),
    }
}

/// What follows `/v2/account`, the account of the token.
pub(super) fn of_token_account(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/v2/account")?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, normal: &str) {
        assert_eq!(normalise(path).unwrap(), normal, "{path}");
    }

    fn check_refused(path: &str, status: u16, message: &str) {
        let fault = normalise(path).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (status, message), "{path}");
    }

    #[test]
    fn many_spellings_are_one_path() {
        check("/v2/accounts/a/phone_numbers", "/v2/accounts/a/phone_numbers");
        check("/v2/accounts/a/phone_numbers/", "/v2/accounts/a/phone_numbers");
        check("/accounts/a/phone_numbers", "/v2/accounts/a/phone_numbers");
        check("/v2/phone_numbers/%2B14155550100", "/v2/phone_numbers/%2B14155550100");
        check("/v2/phone_numbers/%63ollection", "/v2/phone_numbers/collection");
        check("/vx/a", "/v2/vx/a");
        check("/", "/v2");
        check("", "/v2");
    }

    #[test]
    fn other_versions_and_missing_accounts_are_refused() {
        check_refused("/v1/accounts/a/phone_numbers", 410, "gone");
        check_refused("/v3/x", 404, "not_found");
        check_refused("/v2/accounts//phone_numbers", 404, "bad identifier");
    }

    #[test]
    fn the_account_of_the_token_has_its_own_word() {
        assert_eq!(of_token_account("/v2/account/phone_numbers"), Some("/phone_numbers"));
        assert_eq!(of_token_account("/v2/account"), Some(""));
        assert_eq!(of_token_account("/v2/accounts/a"), None);
    }
}
