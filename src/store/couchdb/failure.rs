//! Why a request did not succeed, and what follows from it.
//!
//! For a read the question is whether to ask again. For a write it is whether it may have
//! happened: certainly not (*unsent*, *refused*), or nobody knows (*doubt*).

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::super::{DbName, Kind, StoreError};

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// All our connections were busy; nothing was sent.
    #[error("no free connection within {} ms", .0.as_millis())]
    Busy(Duration),
    /// No connection could be made; nothing was sent.
    #[error("cannot connect to {host}")]
    Unreachable {
        /// The server, without credentials.
        host: String,
        /// The driver's own error, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// The request may have been sent, and no whole answer came.
    #[error("no answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The server said no.
    #[error(transparent)]
    Answered(#[from] Answered),
    /// The server said yes, in words that we do not understand.
    #[error("cannot read the answer")]
    Garbled(#[from] serde_json::Error),
    /// We said no ourselves, or gave up.
    #[error("{1}")]
    Own(Kind, &'static str),
}

/// The server's answer to a request that it did not carry out.
#[derive(Debug, thiserror::Error)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) reason: String,
}

/// What is known about a write whose request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It did not happen, and will not by trying again.
    Final(Kind),
    /// It did not reach the server.
    Unsent,
    /// It may have happened.
    Doubt,
}

#[derive(Deserialize)]
struct Words {
    #[serde(default)]
    error: String,
    #[serde(default)]
    reason: serde_json::Value,
}

impl Failure {
    /// What a failed write may have done.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Busy(_) | Self::Unreachable { .. } => Verdict::Unsent,
            Self::NoAnswer(_) | Self::Garbled(_) => Verdict::Doubt,
            Self::Own(kind, _) => Verdict::Final(*kind),
            Self::Answered(answered) if answered.is_passing() => Verdict::Doubt,
            Self::Answered(answered) => Verdict::Final(answered.kind(Kind::Refused)),
        }
    }

    /// Whether the same question may be answered later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Busy(_) | Self::Unreachable { .. } | Self::NoAnswer(_) => true,
            Self::Answered(answered) => answered.is_passing(),
            Self::Garbled(_) | Self::Own(..) => false,
        }
    }

    /// Whether the answer was late, as while an index is being built.
    pub(super) fn is_late(&self) -> bool {
        match self {
            Self::NoAnswer(error) => error.is_timeout(),
            Self::Answered(answered) => answered.error == "timeout" || answered.status == 504,
            _ => false,
        }
    }

    /// The answer that there is no such document or database. A 404 of something in between that
    /// is not CouchDB is not one: nothing is believed to be absent on its word.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Answered(answered) if answered.is_missing())
    }

    /// The answer that there is no such database.
    pub(super) fn is_no_database(&self) -> bool {
        matches!(self, Self::Answered(answered) if answered.is_no_database())
    }

    /// The answer that the document was deleted.
    pub(super) fn is_deleted(&self) -> bool {
        matches!(self, Self::Answered(answered)
            if answered.is_missing() && answered.reason == "deleted")
    }

    /// Whether the server answered with this status.
    pub(super) fn has_status(&self, status: u16) -> bool {
        matches!(self, Self::Answered(answered) if answered.status == status)
    }

    /// What a caller of `call` is told about a failed read.
    pub(super) fn of_read(self, call: &'static str, db: &str, id: &str) -> StoreError {
        let kind = match &self {
            Self::Busy(_) | Self::Unreachable { .. } | Self::NoAnswer(_) => Kind::Unavailable,
            Self::Answered(answered) => answered.kind(Kind::Unexpected),
            Self::Garbled(_) => Kind::Unexpected,
            Self::Own(kind, _) => *kind,
        };
        self.with_kind(kind, call, db, id)
    }

    /// What a caller of `call` is told, when it is known what kind of failure this is.
    pub(super) fn with_kind(
        self,
        kind: Kind,
        call: &'static str,
        db: &str,
        id: &str,
    ) -> StoreError {
        StoreError::new(kind, call, &DbName::new(db), id).caused_by(self)
    }
}

impl Answered {
    /// Reads the server's own words; an answer that is not CouchDB's has none.
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        let words = serde_json::from_slice::<Words>(body).ok();
        let (error, reason) =
            words.map_or_else(Default::default, |words| (words.error, words.reason));
        let reason = match reason {
            serde_json::Value::String(text) => text,
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        Self { status, error, reason }
    }

    /// Overload, a node that is down, an answer that came too late for the cluster itself. An
    /// error 500 is one too: CouchDB uses it for `timeout` and `all_dbs_active`.
    fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500 | 502..=504)
    }

    fn is_missing(&self) -> bool {
        (self.status == 404 && self.error == "not_found") || self.is_no_database()
    }

    fn is_no_database(&self) -> bool {
        let no_db = matches!(self.reason.as_str(), "no_db_file" | "Database does not exist.");
        (self.status == 404 && no_db) || self.error == "illegal_database_name"
    }

    fn kind(&self, bad_request: Kind) -> Kind {
        match self.status {
            401 => Kind::Denied,
            403 if self.is_about_us() => Kind::Denied,
            _ if self.is_missing() => Kind::NoDatabase,
            409 => Kind::Conflict,
            400 | 403 | 412 | 413 | 415 | 417 | 431 => bad_request,
            _ if self.is_passing() => Kind::Unavailable,
            _ => Kind::Unexpected,
        }
    }

    /// A 403 is either about who we are, or a `validate_doc_update` function that did not like the
    /// document. Only the words tell: chttpd's begin with these (CouchDB 3.5).
    fn is_about_us(&self) -> bool {
        self.reason.starts_with("You are not ")
            || self.reason.starts_with("Account is temporarily locked")
            || self.error.is_empty()
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CouchDB answered {} {}: {}", self.status, self.error, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: u16, body: &str, write: Verdict, read: Kind) {
        let failure = || Failure::from(Answered::new(status, body.as_bytes()));
        assert_eq!(failure().verdict(), write, "{status} {body}");
        assert_eq!(failure().of_read("get", "db", "id").kind, read, "{status} {body}");
    }

    #[test]
    fn an_answer_says_what_follows_from_it() {
        use Kind::{Conflict, Denied, NoDatabase, Refused, Unavailable, Unexpected};
        use Verdict::{Doubt, Final};
        let no_db = r#"{"error":"not_found","reason":"Database does not exist."}"#;
        check(404, no_db, Final(NoDatabase), NoDatabase);
        let illegal = r#"{"error":"illegal_database_name","reason":"Name: 'X'."}"#;
        check(400, illegal, Final(NoDatabase), NoDatabase);
        check(404, "<html>no such host</html>", Final(Unexpected), Unexpected);
        check(401, r#"{"error":"unauthorized","reason":"no"}"#, Final(Denied), Denied);
        let ours = r#"{"error":"forbidden","reason":"You are not allowed to access this db."}"#;
        check(403, ours, Final(Denied), Denied);
        let locked = r#"{"error":"forbidden","reason":"Account is temporarily locked due to …"}"#;
        check(403, locked, Final(Denied), Denied);
        let invalid = r#"{"error":"forbidden","reason":"needs a type"}"#;
        check(403, invalid, Final(Refused), Unexpected);
        check(409, r#"{"error":"conflict","reason":"x"}"#, Final(Conflict), Conflict);
        check(413, r#"{"error":"document_too_large","reason":"x"}"#, Final(Refused), Unexpected);
        check(500, r#"{"error":"error","reason":"all_dbs_active"}"#, Doubt, Unavailable);
        check(503, "", Doubt, Unavailable);
        check(429, "", Doubt, Unavailable);
        check(302, "", Final(Unexpected), Unexpected);
    }
}
