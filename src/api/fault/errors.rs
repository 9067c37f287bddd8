//! The errors of what lies below and is not about one number.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Fault, fault};
use crate::{
    auth::AuthError,
    jobs::JobError,
    service::{ChangesError, Error},
    sup::{Refusal, Refused, SupError},
    tasks::{Malformed, TaskError},
    webhooks::WebhookError,
};

impl From<JobError> for Fault {
    fn from(error: JobError) -> Self {
        let message = error.to_string();
        match error {
            JobError::Service(error) => error.into(),
            JobError::UnknownOperation(name) => {
                let data = json!({ "message": "bad identifier", "cause": name });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            JobError::UnknownJob(id) => {
                let data = json!({ "message": "bad identifier", "cause": id });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            JobError::Missing(member) => Self::required(member),
            JobError::Wrong { member, problem, value } => {
                let what = json!({ "message": format!("{member} {problem}"), "value": value });
                Self::validation(&member, "invalid", what)
            }
            JobError::Running(job) => {
                let data = json!({ "message": message, "job": job });
                fault(StatusCode::CONFLICT, "job_is_running", data)
            }
            JobError::State { id, state } => {
                let data = json!({ "message": message, "job": id, "state": state });
                fault(StatusCode::CONFLICT, "job_state", data)
            }
        }
    }
}

impl From<ChangesError> for Fault {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Gone(present) => Self::cursor_gone(&present),
            ChangesError::Service(error) => error.into(),
        }
    }
}

impl From<TaskError> for Fault {
    fn from(error: TaskError) -> Self {
        let reason = error.to_string();
        let bad = |data| fault(StatusCode::NOT_FOUND, "bad_identifier", data);
        match error {
            TaskError::Unsaid => {
                fault(StatusCode::INTERNAL_SERVER_ERROR, "invalid request", json!({}))
            }
            TaskError::UnknownAction => {
                fault(StatusCode::NOT_FOUND, "bad identifier", json!(["unknown_category_action"]))
            }
            TaskError::Malformed(malformed) => Self::malformed_table(&malformed),
            TaskError::Rows { fields, values, expected } => {
                let members = [
                    ("missing_mandatory_fields", json!(fields), fields.is_empty()),
                    ("missing_mandatory_values", json!(values), values.is_empty()),
                    ("expected_content", json!(expected), expected.is_none()),
                ];
                let that_apply = members.into_iter().filter(|(_, _, is_empty)| !is_empty);
                let data = that_apply.map(|(name, value, _)| (name.to_owned(), value)).collect();
                fault(StatusCode::BAD_REQUEST, "bad request", Value::Object(data))
            }
            TaskError::Records => Self::wrong_type("records", "array", &Value::Null),
            TaskError::NoAccount => Self::required("account_id"),
            TaskError::TooLarge(limit) => {
                Self::too_large(usize::try_from(limit).unwrap_or(usize::MAX))
            }
            TaskError::Broken => Self::broken_body(),
            TaskError::Slow => Self::slow_body(),
            TaskError::Unknown(id) => bad(json!({ "message": "bad identifier", "cause": id })),
            TaskError::Started(id) => {
                bad(json!({ "reason": reason, "cause": id, "message": "bad identifier" }))
            }
            TaskError::Idle => bad(json!({ "reason": reason })),
            TaskError::Running(id) => bad(json!({ "cause": id, "message": reason })),
            TaskError::Job(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Fault {
    fn from(error: WebhookError) -> Self {
        let message = error.to_string();
        match error {
            WebhookError::NotFound(id) => {
                let data = json!({ "message": "bad identifier", "cause": id });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            // Not what it says: an address may hold secrets.
            WebhookError::Wrong { field, .. } => {
                Self::validation(field, "invalid", json!({ "message": message }))
            }
            WebhookError::Store(error) => Error::from(error).into(),
        }
    }
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        if let Some(key) = error.unknown_key() {
            let what = json!({ "message": error.to_string(), "value": key });
            return Self::validation("retire", "invalid", what);
        }
        match error {
            AuthError::Configured => {
                let data = json!({ "message": error.to_string() });
                fault(StatusCode::CONFLICT, "key_is_configured", data)
            }
            AuthError::Store(_) => Self::unreachable().caused_by(error),
            _ => Self::internal().caused_by(error),
        }
    }
}

impl From<SupError> for Fault {
    fn from(error: SupError) -> Self {
        let message = error.to_string();
        let (member, value) = match error {
            SupError::Usage { command, .. } => ("command".to_owned(), command.into()),
            SupError::Wrong { member, value, .. } => (member, *value),
        };
        let what = json!({ "message": message, "value": value });
        Self::validation(&member, "invalid", what).with_line(message)
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let fault = match refused.why {
            Refusal::Account(text) => Self::invalid_account(&text),
            Refusal::Service(error) => (*error).into(),
        };
        match refused.line {
            Some(line) => fault.with_line(line),
            None => fault,
        }
    }
}

impl Fault {
    fn malformed_table(malformed: &Malformed) -> Self {
        let message = if malformed.is_shape {
            "Empty CSV or some row(s) longer than others or header missing".to_owned()
        } else {
            format!("Malformed CSV: {malformed}")
        };
        let what = json!({
            "message": message,
            "line": malformed.line,
            "column": malformed.column,
            "cause": malformed.problem,
        });
        Self::validation("csv", "format", what)
    }
}
