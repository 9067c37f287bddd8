//! Two services of an operator's own that know places: which prefixes a city has, and where a number
//! is. Their answers are handed on as they are, within limits of time and size.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Client, Method, RequestBuilder, Response, Url, redirect::Policy};
use serde_json::{Value, json};

use crate::domain::E164;

/// How much of what a directory says instead of an answer is handed on, in characters.
const SAID: usize = 512;

/// What a directory may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long until its whole answer is there.
    pub timeout: Duration,
    /// The most bytes of its answer.
    pub bytes: usize,
}

/// Why a directory was of no help.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Its address is none of `http` or `https`.
    #[error("the address of the directory is none of http or https")]
    Address,
    /// It cannot be reached, or not in time.
    #[error("the directory cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It said something else.
    #[error("the directory answered {status}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it said: JSON, or the beginning of a text.
        said: Value,
    },
    /// Its answer is longer than the limit, or cannot be read.
    #[error("the answer of the directory {0}")]
    Unreadable(&'static str),
}

/// Asks directories.
#[derive(Clone, Debug)]
pub struct Directory {
    client: Client,
}

impl Directory {
    /// Makes the client. Asks nobody.
    ///
    /// # Panics
    ///
    /// When the system's own certificates cannot be read at all.
    #[must_use]
    pub fn new() -> Self {
        // An error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirection could lead inside our own network, so nobody follows one.
        let client = Client::builder().redirect(Policy::none()).no_proxy().build();
        Self { client: client.expect("the settings of the client are good") }
    }

    /// The prefixes of the cities whose names begin so, in a country.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub async fn prefixes(
        &self,
        base: &str,
        country: &str,
        city: &str,
        limits: Limits,
    ) -> Result<Value, DirectoryError> {
        let mut url = address(base, &[country, "city"])?;
        url.query_pairs_mut().append_pair("pattern", city);
        data(self.ask(self.client.request(Method::GET, url), limits).await?)
    }

    /// Where numbers are.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`].
    pub async fn localities(
        &self,
        base: &str,
        numbers: &[E164],
        limits: Limits,
    ) -> Result<Value, DirectoryError> {
        let url = address(base, &["locality", "metadata"])?;
        let numbers: Vec<&str> = numbers.iter().map(E164::as_str).collect();
        let request = self.client.request(Method::POST, url).json(&json!({ "data": numbers }));
        let answer = self.ask(request, limits).await?;
        if answer["status"] == "success" {
            data(answer)
        } else {
            Err(DirectoryError::Refused { status: 200, said: answer })
        }
    }

    async fn ask(&self, request: RequestBuilder, limits: Limits) -> Result<Value, DirectoryError> {
        let exchange = async {
            let response = request.send().await.map_err(unreachable)?;
            let status = response.status().as_u16();
            let body = read(response, limits.bytes).await?;
            let json = serde_json::from_slice(&body).ok();
            match (status, json) {
                (200, Some(json)) => Ok(json),
                (200, None) => Err(DirectoryError::Unreadable("is no JSON")),
                (_, json) => {
                    let words = || String::from_utf8_lossy(&body).chars().take(SAID).collect();
                    let said = json.unwrap_or_else(|| Value::String(words()));
                    Err(DirectoryError::Refused { status, said })
                }
            }
        };
        match tokio::time::timeout(limits.timeout, exchange).await {
            Ok(answer) => answer,
            Err(late) => Err(DirectoryError::Unreachable(Box::new(late))),
        }
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

/// The address of something below `base`, each part of the path encoded.
fn address(base: &str, parts: &[&str]) -> Result<Url, DirectoryError> {
    let mut url = Url::parse(base).map_err(|_| DirectoryError::Address)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(DirectoryError::Address);
    }
    url.path_segments_mut().map_err(|()| DirectoryError::Address)?.pop_if_empty().extend(parts);
    Ok(url)
}

async fn read(response: Response, limit: usize) -> Result<Vec<u8>, DirectoryError> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(unreachable)?;
        if body.len() + chunk.len() > limit {
            return Err(DirectoryError::Unreadable("is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn data(mut answer: Value) -> Result<Value, DirectoryError> {
    match answer.get_mut("data").map(Value::take) {
        Some(data @ Value::Object(_)) => Ok(data),
        _ => Err(DirectoryError::Unreadable("has no data")),
    }
}

/// The error without the address, which may hold a password.
fn unreachable(error: reqwest::Error) -> DirectoryError {
    DirectoryError::Unreachable(Box::new(error.without_url()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_put_together_from_encoded_parts() {
        let url = |base| address(base, &["US", "a/../b"]).unwrap().to_string();
        assert_eq!(url("http://h:1"), "http://h:1/US/a%2F..%2Fb");
        assert_eq!(url("https://h/x/"), "https://h/x/US/a%2F..%2Fb");
    }

    #[test]
    fn only_the_web_is_asked() {
        for base in ["", "h", "file:///etc/passwd", "ftp://h", "mailto:a@b", "//h"] {
            assert!(matches!(address(base, &["a"]), Err(DirectoryError::Address)), "{base}");
        }
    }
}
