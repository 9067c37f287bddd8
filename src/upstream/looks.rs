//! How often an order is looked at until it is carried out.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{VendorError, settings::Common};

/// The longest pause between two looks, as a multiple of the first.
const SLOWEST: u32 = 4;

/// The looks at one order: each pause is twice as long as the one before, up to a limit.
#[derive(Debug)]
pub(crate) struct Looks {
    begun: Instant,
    pause: Duration,
    slowest: Duration,
    patience: Duration,
}

impl Looks {
    /// The order was made just now.
    #[must_use]
    pub(crate) fn begin(common: &Common) -> Self {
        Self {
            begun: Instant::now(),
            pause: common.first_look,
            slowest: common.first_look * SLOWEST,
            patience: common.patience,
        }
    }

    /// Waits until the next look.
    ///
    /// # Errors
    ///
    /// [`VendorError`], in doubt, when there is to be none any more.
    pub(crate) async fn next(&mut self) -> Result<(), VendorError> {
        if self.begun.elapsed() + self.pause > self.patience {
            return Err(VendorError::doubtful("the order is not carried out yet"));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(self.slowest);
        Ok(())
    }
}
