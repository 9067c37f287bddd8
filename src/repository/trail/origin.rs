//! Who has numbers written, and on what occasion: known to whatever is done on behalf of a request or a
//! job, without being handed from call to call.

use std::sync::{Arc, OnceLock};

use tokio::task_local;

use crate::{domain::AccountId, repository::Job};

/// The occasion of writes.
#[derive(Clone, Debug, Default)]
pub struct Origin(Arc<Occasion>);

#[derive(Debug, Default)]
struct Occasion {
    operation: String,
    request: Option<String>,
    job: Option<String>,
    caller: OnceLock<Caller>,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The account of the token; none for the operator's own.
    pub account: Option<String>,
    /// The token's own name.
    pub jti: Option<String>,
}

task_local! {
    static CURRENT: Origin;
}

impl Origin {
    /// A request, of which it is not known yet who makes it.
    #[must_use]
    pub fn request(operation: String, id: &str) -> Self {
        Self(Arc::new(Occasion { operation, request: Some(id.to_owned()), ..Occasion::default() }))
    }

    /// A job, and who asked for it.
    #[must_use]
    pub fn of_job(job: &Job) -> Self {
        // Another name is not an account's.
        let account = AccountId::parse(&job.asked_by).ok().map(|account| account.to_string());
        let caller = Caller { account, jti: job.asked_with.clone() };
        Self(Arc::new(Occasion {
            operation: job.operation.clone(),
            request: None,
            job: Some(job.id.clone()),
            caller: OnceLock::from(caller),
        }))
    }

    /// Does something on this occasion.
    pub async fn during<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Notes who made the request that is being answered; the first time counts.
    pub fn note_caller(caller: Caller) {
        // Where there is no occasion, nothing is written.
        let _ = CURRENT.try_with(|origin| origin.0.caller.set(caller));
    }

    /// The name of the token that the present occasion was asked for with.
    #[must_use]
    pub fn token() -> Option<String> {
        Self::current()?.caller()?.jti.clone()
    }

    /// The occasion of what is being done; none of what nobody asked for.
    pub(super) fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    pub(super) fn operation(&self) -> &str {
        &self.0.operation
    }

    pub(super) fn request_id(&self) -> Option<&str> {
        self.0.request.as_deref()
    }

    pub(super) fn job_id(&self) -> Option<&str> {
        self.0.job.as_deref()
    }

    pub(super) fn caller(&self) -> Option<&Caller> {
        self.0.caller.get()
    }
}
