//! Letters to humans about numbers: written down after the number is written, and sent until a server has
//! taken them (`leftovers`). What they ask for is in the log as well.

use super::NumberService;
use crate::{
    providers::{Mailer, Notice, ProviderError, VendorError},
    repository::{Left, Matter},
};

/// Who sends them, in what is left.
const MAIL: &str = "mail";

impl NumberService {
    /// Tells humans of a number that is written.
    pub(super) async fn notify(&self, notice: Notice) {
        if let Some(mailer) = &self.mailer {
            self.write_letter(mailer, &notice).await;
        }
        self.notifier.send(notice).await;
    }

    async fn write_letter(&self, mailer: &Mailer, notice: &Notice) {
        let left = Left { provider: MAIL.to_owned(), data: mailer.letter(notice) };
        let (number, now) = (&notice.number, self.numbers.now());
        match self.numbers.leave(Matter::Letters, number, &[left], None, now).await {
            Ok(()) => self.settle_leftover_soon(Matter::Letters, number.clone()),
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::error!(%number, error = cause, "a letter to humans is not written");
            }
        }
    }

    pub(super) async fn send_letter(&self, left: &Left) -> Result<(), ProviderError> {
        let failed = |reason| ProviderError::failed(MAIL, reason);
        let Some(mailer) = &self.mailer else {
            return Err(failed(VendorError::refused("no server for e-mail is set up")));
        };
        mailer.send(&left.data).await.map_err(failed)
    }
}
