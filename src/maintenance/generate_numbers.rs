//! Making numbers for the stock of a carrier that keeps one with us.

use std::fmt::Write;

use async_trait::async_trait;

use super::arguments::{integer, text};
use crate::{
    domain::encoded,
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, PageContext, Preparation, Scope,
        Unit, UnitReport, Work,
    },
    service::{EXISTING, Error, Generation, NumberService, PageOutcome},
};

/// Consecutive numbers are in the stock of an account.
#[derive(Debug)]
pub(super) struct GenerateNumbers;

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "type",
        kind: ArgumentKind::Text,
        required: true,
        meaning: "the carrier: managed or inum",
    },
    Argument {
        name: "account",
        kind: ArgumentKind::Text,
        required: true,
        meaning: "the account that may take them, and whose customers may",
    },
    Argument {
        name: "start",
        kind: ArgumentKind::Text,
        required: true,
        meaning: "the first number, in any form that can be dialled",
    },
    Argument { name: "quantity", kind: ArgumentKind::Integer, required: true, meaning: "how many" },
];

#[async_trait]
impl Operation for GenerateNumbers {
    fn name(&self) -> &'static str {
        "generate_numbers"
    }

    fn summary(&self) -> &'static str {
        "Consecutive numbers are in stock, which an account and its customers may take. Those that \
         are there already stay as they are."
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Nothing]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let wanted = |name| text(job, name).unwrap_or_default();
        let quantity = integer(job, "quantity").unwrap_or_default();
        let (kind, account, start) = (wanted("type"), wanted("account"), wanted("start"));
        let generation = job.service.generation(kind, account, start, quantity).await?;
        Ok(Box::new(Generate(generation)))
    }
}

#[derive(Debug)]
struct Generate(Generation);

#[async_trait]
impl Work for Generate {
    async fn units(&self, _: &NumberService, _: &Scope, _: usize) -> Result<Vec<Unit>, Error> {
        Ok(vec![Unit::Database { name: self.0.database().to_owned(), prefix: None }])
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        page.service.generate_page(&self.0, page.after, page.limit).await
    }

    fn told(&self, _unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let name = encoded(self.0.database());
        let existing: Vec<&String> = report.found(EXISTING).collect();
        let (made, failed) = (&report.done, &report.failed);
        let _ = writeln!(text, "generated numbers in database {name} for {}:", made.len());
        for number in made {
            let _ = writeln!(text, "{number}");
        }
        let _ = writeln!(text, "numbers existed already for {}:", existing.len());
        for number in existing {
            let _ = writeln!(text, "{number}");
        }
        let _ = writeln!(text, "generating numbers failed for {}:", failed.len());
        for (number, _) in failed {
            let _ = writeln!(text, "{number}");
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
