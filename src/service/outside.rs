//! Asking outside carriers, each on its own: one that fails, is slow or panics takes nothing from
//! the others.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use metrics::counter;
use tokio::{task::JoinError, time::timeout};

use super::NumberService;
use crate::{
    carriers::{CarrierError, OutsideCarrier},
    domain::CarrierName,
};

/// Why there is no answer of a carrier.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// It said so.
    #[error("it refused: {0}")]
    Refused(#[from] CarrierError),
    /// It took too long.
    #[error("it took too long")]
    Slow,
    /// Its code failed.
    #[error("its code failed")]
    Broken(#[source] JoinError),
}

impl Unanswered {
    /// Whether nobody knows if it did what it was asked for.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Refused(err) => err.is_doubtful(),
            Self::Slow | Self::Broken(_) => true,
        }
    }

    /// What an administrator is told.
    pub(super) fn told(&self) -> CarrierError {
        match self {
            Self::Refused(err) => err.clone(),
            Self::Slow | Self::Broken(_) => CarrierError::doubtful(self.to_string()),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Slow => "slow",
            Self::Broken(_) => "broken",
        }
    }
}

impl NumberService {
    /// Asks each of these carriers that can be asked, all at once, and returns what was answered in
    /// time, in order.
    pub(super) async fn each_outside<T, F, A>(
        &self,
        carriers: &[CarrierName],
        limit: Duration,
        question: F,
    ) -> Vec<(CarrierName, T)>
    where
        T: Send + 'static,
        F: Fn(Arc<dyn OutsideCarrier>) -> A,
        A: Future<Output = Result<T, CarrierError>> + Send + 'static,
    {
        let question = &question;
        let asked = carriers.iter().map(|name| async move {
            let carrier = self.carrier(name).await?;
            Some((name.clone(), ask(name, limit, question(carrier)).await.ok()?))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// Waits for the answer of a carrier, at most so long. That there is none is logged and counted.
pub(super) async fn ask<T: Send + 'static>(
    carrier: &CarrierName,
    limit: Duration,
    question: impl Future<Output = Result<T, CarrierError>> + Send + 'static,
) -> Result<T, Unanswered> {
    // A task of its own, since a panic ends no other task.
    let mut task = tokio::spawn(question);
    let answer = match timeout(limit, &mut task).await {
        Ok(Ok(answer)) => answer.map_err(Unanswered::from),
        Ok(Err(broken)) => Err(Unanswered::Broken(broken)),
        Err(_) => {
            task.abort();
            Err(Unanswered::Slow)
        }
    };
    if let Err(unanswered) = &answer {
        let labels = [("carrier", carrier.to_string()), ("reason", unanswered.reason().to_owned())];
        counter!("carrier_failures_total", &labels).increment(1);
        tracing::warn!(%carrier, error = %unanswered, "a carrier gives no answer");
    }
    answer
}
