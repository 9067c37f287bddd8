//! The errors of numbers, alone and among many.

use std::error::Error as StdError;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::{CONFLICT, Fault, fault, plain};
use crate::{
    api::charges,
    domain::{E164, KNOWN_FEATURES},
    service::{CarrierError, DirectoryFault, Error, Invoice, ProviderError},
};

/// The status that an error of a number has by its id, alone and among many.
fn status_of(id: &str) -> StatusCode {
    match id {
        "not_reconcilable"
        | "number_is_porting"
        | "invalid_state_transition"
        | "no_change_required"
        | "assign_failure"
        | "invalid"
        | "multiple_choice" => StatusCode::BAD_REQUEST,
        "accept_charges" => StatusCode::PAYMENT_REQUIRED,
        "forbidden" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "number_exists" | "account_exists" | "datastore_conflict" | "stale"
        | "numbers_would_move" => StatusCode::CONFLICT,
        "precondition_failed" => StatusCode::PRECONDITION_FAILED,
        "not_implemented" => StatusCode::NOT_IMPLEMENTED,
        "datastore_unreachable" | "datastore_fault" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error object of a number: its code is its status, and its fault is called as its id.
fn of_number(id: &'static str, cause: Option<&str>, message: String) -> Fault {
    let status = status_of(id);
    let mut object = Map::new();
    object.insert("code".to_owned(), status.as_u16().into());
    object.insert("error".to_owned(), id.into());
    if let Some(cause) = cause {
        object.insert("cause".to_owned(), cause.into());
    }
    object.insert("message".to_owned(), message.into());
    fault(status, id, Value::Object(object))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let id = error.id();
        let text = |text: &str| Some(text.to_owned());
        let cause = match &error {
            Error::NotFound(number) => return Self::number_not_found(number.as_str()),
            Error::NotReconcilable(given) => text(given),
            Error::Exists(number) | Error::Porting(number) => text(number.as_str()),
            Error::Forbidden { cause } | Error::InvalidTransition { cause } => cause.clone(),
            Error::NoChange => None,
            Error::AssignFailure { cause }
            | Error::Invalid { cause }
            | Error::Provider(ProviderError::Invalid { cause }) => text(cause),
            Error::NoAccount(account) => return Self::unknown_account(account),
            Error::AccountExists(account) => text(account.as_str()),
            Error::UnknownCarrier(name) => return Self::unknown_carrier(name),
            Error::NoConfig(id) => return Self::no_config(id),
            Error::Setting(wrong) => {
                let what = json!({ "message": wrong.reason });
                return Self::validation(&wrong.key, "invalid", what);
            }
            Error::WouldMove(moved) => {
                let data = json!({
                    "message": message, "count": moved.count, "numbers": moved.numbers,
                });
                return fault(status_of(id), id, data);
            }
            Error::UnknownFeature(_) => {
                let data = json!({ "error": "invalid", "known": KNOWN_FEATURES });
                return fault(StatusCode::NOT_FOUND, "invalid", data);
            }
            Error::PreconditionFailed => {
                return plain(status_of(id), id);
            }
            Error::ChargesNotAccepted(invoices) => return Self::charges(invoices),
            Error::Conflict => return plain(status_of(id), CONFLICT),
            Error::Repeated => return Self::repeated_numbers(),
            Error::SearchRestricted | Error::NoReseller => {
                return fault(StatusCode::NOT_FOUND, message, json!({}));
            }
            Error::Directory(directory) => {
                return Self::directory(directory, message).caused_by(error);
            }
            Error::Provider(ProviderError::Choices { feature, given, candidates }) => {
                return Self::choices(feature, given, candidates, &message);
            }
            Error::Provider(ProviderError::Absent { .. }) => {
                return of_number(id, Some(&message), message.clone()).caused_by(error);
            }
            Error::NoList { .. } => {
                return of_number(id, None, message).caused_by(error);
            }
            Error::Provider(ProviderError::Failed { provider, reason }) => {
                let mut fault = of_number(id, None, message);
                if let Some(reason) = reason {
                    fault.0.data["provider"] = told(provider, reason);
                }
                return fault.caused_by(error);
            }
            Error::Carrier { number, carrier, reason } => {
                let mut fault = Self::carrier(number, message);
                if let Some(reason) = reason {
                    fault.0.data["carrier"] = told(carrier.as_str(), reason);
                }
                return fault.caused_by(error);
            }
            Error::Configuration(_) | Error::Store(_) => {
                return plain(status_of(id), id).caused_by(error);
            }
            Error::Unavailable(_) => return Self::unreachable().caused_by(error),
        };
        of_number(id, cause.as_deref(), message)
    }
}

/// Why somebody else did not do what was asked of them.
fn told(name: &str, reason: &CarrierError) -> Value {
    json!({
        "name": name, "status": reason.status(), "code": reason.code(), "reason": reason.reason(),
    })
}

impl Fault {
    /// The fault of an operation that only reads: a text that is no number is not found either.
    pub(crate) fn reading(error: Error) -> Self {
        match error {
            Error::NotReconcilable(given) => Self::number_not_found(&given),
            other => other.into(),
        }
    }

    fn no_config(id: &str) -> Self {
        let data = json!({ "message": "bad identifier", "cause": id });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    fn unknown_carrier(name: &str) -> Self {
        let cause = format!("'{name}' is not known by the system");
        let mut fault = of_number("invalid", Some(&cause), "invalid".to_owned());
        fault.0.line = Some(format!("Bad carrier module: {name}"));
        fault
    }

    fn directory(directory: &DirectoryFault, message: String) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        match directory {
            DirectoryFault::NoCities => fault(status, "init failed", message.into()),
            DirectoryFault::Cities { said, .. } => fault(status, "init failed", said.clone()),
            DirectoryFault::NoLocalities | DirectoryFault::Localities(_) => {
                fault(status, message, json!({}))
            }
        }
    }

    fn carrier(number: &E164, message: String) -> Self {
        of_number("unspecified_fault", Some(number.as_str()), message)
    }

    /// An address that may be several: the caller is to choose.
    fn choices(feature: &str, given: &Value, candidates: &[Value], message: &str) -> Self {
        let choice = json!({ "cause": given, "details": candidates, "message": message });
        let data = json!({ "multiple_choice": { feature: choice } });
        fault(StatusCode::BAD_REQUEST, "multiple_choice", data)
    }

    /// What was asked for costs something.
    fn charges(invoices: &[Invoice]) -> Self {
        let invoices: Vec<Value> = invoices.iter().map(charges::invoice).collect();
        fault(StatusCode::PAYMENT_REQUIRED, "accept charges", invoices.into())
    }

    /// A list names a number twice.
    fn repeated_numbers() -> Self {
        let what = json!({ "message": "some numbers appear twice" });
        Self::validation("numbers", "uniqueItems", what)
    }
}

/// The error object of one number among many.
pub(crate) fn of_one(error: Error) -> Value {
    let (id, message) = (error.id(), error.to_string());
    let cause = match &error {
        Error::NotFound(number) => Some(number.to_string()),
        Error::NoAccount(account) => Some(account.to_string()),
        _ => None,
    };
    let fault = Fault::from(error);
    if let Some(source) = &fault.source {
        tracing::error!(error = &**source as &dyn StdError, "one number of many failed");
    }
    if fault.data.get("code").is_some() {
        return fault.data.clone();
    }
    of_number(id, cause.as_deref(), message).data.clone()
}

/// The code of an error id of one number among many.
pub(crate) fn code_of(id: &str) -> u16 {
    status_of(id).as_u16()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::{HeaderValue, header};

    use crate::{
        domain::{AccountId, CarrierName},
        service::CarrierError,
    };

    use super::*;

    const NUMBER: &str = "+14155550100";
    const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(error: Error, status: u16, message: &str, data: Value) {
        let among_many = code_of(error.id());
        // These two are about no number, so no row of many has them.
        let is_alone = matches!(error, Error::UnknownFeature(_) | Error::Directory(_));
        let fault = Fault::from(error);
        assert_eq!(fault.status.as_u16(), status);
        assert!(is_alone || among_many == status, "{message}: {among_many} among many");
        assert_eq!(fault.message, message);
        assert_eq!(fault.data, data);
        assert_eq!(fault.source.is_some(), status >= 500, "{message} is logged if it is ours");
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_error_has_its_answer() {
        let number = || E164::parse(NUMBER).unwrap();
        let account = || AccountId::parse(ACCOUNT).unwrap();
        let driver = || Arc::new(std::io::Error::other("secret internals"));
        let cause = |text: &str| Some(text.to_owned());
        check(
            Error::NotFound(number()),
            404,
            "bad_identifier",
            json!({"message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER}),
        );
        check(
            Error::NotReconcilable("abc".into()),
            400,
            "not_reconcilable",
            json!({"code": 400, "error": "not_reconcilable", "cause": "abc", "message": "number abc is not reconcilable"}),
        );
        check(
            Error::Exists(number()),
            409,
            "number_exists",
            json!({"code": 409, "error": "number_exists", "cause": NUMBER, "message": "number +14155550100 already exists"}),
        );
        check(
            Error::Porting(number()),
            400,
            "number_is_porting",
            json!({"code": 400, "error": "number_is_porting", "cause": NUMBER, "message": "number +14155550100 is porting"}),
        );
        check(
            Error::Forbidden { cause: None },
            403,
            "forbidden",
            json!({"code": 403, "error": "forbidden", "message": "requestor is unauthorized to perform operation"}),
        );
        check(
            Error::Forbidden { cause: cause("why") },
            403,
            "forbidden",
            json!({"code": 403, "error": "forbidden", "cause": "why", "message": "requestor is unauthorized to perform operation"}),
        );
        check(
            Error::InvalidTransition { cause: cause("from aging to reserved") },
            400,
            "invalid_state_transition",
            json!({"code": 400, "error": "invalid_state_transition", "cause": "from aging to reserved", "message": "invalid state transition"}),
        );
        check(Error::SearchRestricted, 404, "number search restricted", json!({}));
        check(Error::NoReseller, 404, "nonexistent reseller_id", json!({}));
        check(DirectoryFault::NoLocalities.into(), 500, "could not get locality url", json!({}));
        let missing = json!("Unable to acquire numbers missing carrier url");
        check(DirectoryFault::NoCities.into(), 500, "init failed", missing);
        check(
            Error::NoChange,
            400,
            "no_change_required",
            json!({"code": 400, "error": "no_change_required", "message": "no change required"}),
        );
        check(
            Error::AssignFailure { cause: "field_undefined".into() },
            400,
            "assign_failure",
            json!({"code": 400, "error": "assign_failure", "cause": "field_undefined", "message": "invalid account to assign to"}),
        );
        check(
            Error::Invalid { cause: "x".into() },
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "x", "message": "invalid"}),
        );
        check(
            Error::NoAccount(account()),
            404,
            "bad_identifier",
            json!({"message": "bad identifier", "cause": ACCOUNT}),
        );
        check(
            Error::AccountExists(account()),
            409,
            "account_exists",
            json!({"code": 409, "error": "account_exists", "cause": ACCOUNT, "message": format!("account {ACCOUNT} already exists")}),
        );
        check(
            Error::UnknownCarrier("x".into()),
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "'x' is not known by the system", "message": "invalid"}),
        );
        check(
            Error::PreconditionFailed,
            412,
            "precondition_failed",
            json!({"message": "precondition failed"}),
        );
        check(Error::Conflict, 409, "datastore_conflict", json!({"message": "datastore conflict"}));
        check(
            Error::Carrier { number: number(), carrier: CarrierName::local(), reason: None },
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "cause": NUMBER, "message": "fault by carrier"}),
        );
        let reason = Some(CarrierError::refused("sold out").with_status(409).with_code("7"));
        check(
            Error::Carrier { number: number(), carrier: CarrierName::local(), reason },
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "cause": NUMBER, "message": "fault by carrier", "carrier": {"name": "knm_local", "status": 409, "code": "7", "reason": "sold out"}}),
        );
        check(
            Error::Provider(ProviderError::Absent { feature: "e911", provider: "p".into() }),
            501,
            "not_implemented",
            json!({"code": 501, "error": "not_implemented", "cause": "provider 'p' of feature 'e911' is not available", "message": "provider 'p' of feature 'e911' is not available"}),
        );
        check(
            Error::Provider(ProviderError::Invalid { cause: "x".into() }),
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "x", "message": "invalid"}),
        );
        let (given, candidates) = (json!({"region": "CA"}), vec![json!({"region": "NY"})]);
        check(
            Error::Provider(ProviderError::Choices { feature: "e911", given, candidates }),
            400,
            "multiple_choice",
            json!({"multiple_choice": {"e911": {"cause": {"region": "CA"}, "details": [{"region": "NY"}], "message": "more than one address found"}}}),
        );
        check(
            Error::Provider(ProviderError::Failed { provider: "p".into(), reason: None }),
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "message": "fault by provider 'p'"}),
        );
        let reason = CarrierError::refused("closed").with_status(403);
        check(
            Error::Provider(ProviderError::failed("p", reason)),
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "message": "fault by provider 'p'", "provider": {"name": "p", "status": 403, "code": null, "reason": "closed"}}),
        );
        check(
            Error::Configuration(driver()),
            503,
            "datastore_fault",
            json!({"message": "datastore fault"}),
        );
        check(
            Error::Unavailable(driver()),
            503,
            "datastore_unreachable",
            json!({"message": "datastore unreachable"}),
        );
        check(
            Error::Store(driver()),
            503,
            "datastore_fault",
            json!({"message": "datastore fault"}),
        );
    }

    #[test]
    fn reading_what_is_no_number_finds_nothing() {
        let fault = Fault::reading(Error::NotReconcilable("abc".into()));
        assert_eq!((fault.status.as_u16(), &*fault.message), (404, "bad_identifier"));
        assert_eq!(fault.data["cause"], "abc");
    }

    #[test]
    fn an_unreachable_store_says_when_to_come_back() {
        let fault = Fault::from(Error::Unavailable(Arc::new(std::io::Error::other("down"))));
        assert_eq!(fault.headers, [(header::RETRY_AFTER, HeaderValue::from(1))]);
    }
}
