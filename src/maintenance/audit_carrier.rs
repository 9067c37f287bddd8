//! Comparing what we hold of a carrier with its own list.

use std::fmt::Write;

use async_trait::async_trait;

use super::{arguments::text, telling::closing};
use crate::{
    domain::NumberDatabase,
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, Over, PageContext, Preparation,
        Scope, Unit, UnitReport, Work,
    },
    service::{
        CarrierList, Error, FOREIGN, MISSING_HERE, MISSING_THERE, NumberService, PageOutcome,
    },
};

/// What a report says of each kind of finding.
const WORDS: [(&str, &str); 3] = [
    (MISSING_THERE, "is held here and not in the carrier's list"),
    (MISSING_HERE, "is in the carrier's list and not held here"),
    (FOREIGN, "is in the carrier's list and held here as another carrier's"),
];

/// It is known where a carrier's own list and what we hold of it differ.
#[derive(Debug)]
pub(super) struct AuditCarrier;

#[async_trait]
impl Operation for AuditCarrier {
    fn name(&self) -> &'static str {
        "audit_carrier"
    }

    fn summary(&self) -> &'static str {
        "It is known which numbers a carrier has for us and which of its numbers we hold: those that are \
         `missing_there`, `missing_here`, or held here as another carrier's (`foreign`). Nothing is changed."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[
                Argument {
                    name: "carrier",
                    kind: ArgumentKind::Text,
                    required: true,
                    meaning: "the carrier",
                },
                Argument {
                    name: "list",
                    kind: ArgumentKind::Text,
                    required: false,
                    meaning: "its list as text or CSV, a number at the beginning of each line; without it the \
                              carrier is asked, if it lists its numbers",
                },
            ]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let carrier = text(job, "carrier").unwrap_or_default();
        let list = job.service.carrier_list(carrier, text(job, "list"))?;
        Ok(Box::new(Comparing(list)))
    }
}

#[derive(Debug)]
struct Comparing(CarrierList);

#[async_trait]
impl Work for Comparing {
    async fn units(
        &self,
        service: &NumberService,
        scope: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let mut units = scope.units(service, Over::Databases, block).await?;
        units.push(Unit::Whole);
        Ok(units)
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, list) = (page.service, &self.0);
        match page.unit {
            Unit::Database { name, .. } => {
                let database = NumberDatabase::parse(name);
                let database = database.map_err(|err| Error::Invalid { cause: err.to_string() })?;
                service.compare_held(list, &database, page.after, page.limit).await
            }
            Unit::Whole => service.compare_listed(list, page.after, page.limit).await,
            Unit::Account { .. } | Unit::Numbers { .. } => Ok(PageOutcome::default()),
        }
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
