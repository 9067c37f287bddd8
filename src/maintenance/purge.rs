//! Removing numbers of a state that nobody needs any more.

use std::fmt::Write;

use async_trait::async_trait;

use super::{arguments::text, telling::database};
use crate::{
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, PageContext, Preparation, Unit,
        UnitReport, Work,
    },
    service::{Error, NumberService, PageOutcome, Parting, Purge, Shape, Stretch},
};

/// There are no numbers in that state any more.
#[derive(Debug)]
pub(super) struct PurgeNumbers;

#[async_trait]
impl Operation for PurgeNumbers {
    fn name(&self) -> &'static str {
        "purge"
    }

    fn summary(&self) -> &'static str {
        "The numbers that are in a state are gone, with their copies. Those that were ours are given \
         back to their carriers."
    }

    fn arguments(&self) -> &'static [Argument] {
        &[Argument {
            name: "state",
            kind: ArgumentKind::Text,
            required: true,
            meaning: "discovery or deleted",
        }]
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases]
    }

    fn is_destructive(&self) -> bool {
        true
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let purge = Purge::of(text(job, "state").unwrap_or_default())?;
        Ok(Box::new(Purging { purge, parting: Parting::new(Shape::Bare) }))
    }
}

#[derive(Debug)]
struct Purging {
    purge: Purge,
    parting: Parting,
}

#[async_trait]
impl Work for Purging {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let Unit::Database { name, prefix } = page.unit else {
            return Ok(PageOutcome::default());
        };
        let database = database(name)?;
        let (prefix, after, limit) = (prefix.as_deref(), page.after, page.limit);
        let stretch = Stretch { database: &database, prefix, after, limit };
        page.service.purge_page(page.actor, self.purge, stretch).await
    }

    fn gives_back(&self) -> bool {
        true
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        service.take_features_off(&self.parting, ids).await
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        service.end_parting(&self.parting, ids).await;
    }

    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let state = self.purge.state();
        let name = unit.database().unwrap_or_default();
        let mut removed = report.done.clone();
        removed.dedup();
        if !removed.is_empty() {
            let count = removed.len();
            let _ = writeln!(text, "removing {count} numbers in state '{state}' from {name}");
        }
        for (number, reason) in &report.failed {
            let _ = writeln!(text, "removing {number} failed: {reason}");
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
