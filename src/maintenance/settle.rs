//! Ending what is open between us, carriers and providers.

use std::fmt::Write;

use async_trait::async_trait;

use super::telling::closing;
use crate::{
    jobs::{
        Form, Job, JobError, Operation, Over, PageContext, Preparation, Unit, UnitReport, Work,
    },
    service::{
        BOUGHT, Error, GIVEN_BACK, IN_DOUBT, LETTERS_SENT, LETTERS_TO_BE_SENT, NOT_BOUGHT,
        NOT_GIVEN_BACK, PROVIDERS_TO_BE_TOLD, PROVIDERS_TOLD, PageOutcome, TO_BE_GIVEN_BACK,
    },
};

/// What a report says of each kind of finding.
const WORDS: [(&str, &str); 10] = [
    (GIVEN_BACK, "is given back to its carrier"),
    (NOT_GIVEN_BACK, "is ours and is not given back"),
    (TO_BE_GIVEN_BACK, "is still to be given back"),
    (BOUGHT, "was bought and is stored now"),
    (NOT_BOUGHT, "was not bought"),
    (IN_DOUBT, "is perhaps bought"),
    (PROVIDERS_TOLD, "has outside what it says"),
    (PROVIDERS_TO_BE_TOLD, "has providers that are still to be told"),
    (LETTERS_SENT, "was written about"),
    (LETTERS_TO_BE_SENT, "is still to be written about"),
];

/// Nothing is open between us, carriers and providers.
#[derive(Debug)]
pub(super) struct Settle;

#[async_trait]
impl Operation for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    fn summary(&self) -> &'static str {
        "Numbers that left our stock are given back to their carriers, and purchases of which nobody \
         knew how they ended are asked about: what was bought is stored for whom it was bought, the \
         rest is struck out; providers that could not be told what a number has lost are told, and e-mail that no server took is sent. A dry run says what is open. Runs by the clock as well, when there is \
         something to do (`jobs.settle_every_min`)."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Settling))
    }
}

#[derive(Debug)]
struct Settling;

#[async_trait]
impl Work for Settling {
    fn over(&self) -> Over {
        Over::Once
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        page.service.settle_page(page.live, page.after, page.limit).await
    }

    fn told(&self, _: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        for (kind, words) in WORDS {
            for number in report.found(kind) {
                let _ = writeln!(text, "{number} {words}");
            }
        }
        for (number, reason) in &report.failed {
            let _ = writeln!(text, "{number} failed: {reason}");
        }
        text
    }

    fn closing(&self, job: &Job) -> String {
        closing(job)
    }
}
