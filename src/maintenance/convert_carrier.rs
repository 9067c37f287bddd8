//! Giving numbers another carrier.

use std::fmt::Write;

use async_trait::async_trait;

use super::arguments::{flag, text};
use crate::{
    domain::NumberDatabase,
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, PageContext, Preparation, Unit,
        UnitReport, Work,
    },
    service::{Conversion, Error, PageOutcome},
};

/// Numbers of one carrier, or numbers that are named, get another one.
#[derive(Debug)]
pub(super) struct ConvertCarrier;

#[async_trait]
impl Operation for ConvertCarrier {
    fn name(&self) -> &'static str {
        "convert_carrier"
    }

    fn summary(&self) -> &'static str {
        "Numbers of one carrier, or those that are named, have another one. The carriers are not told."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[
                Argument {
                    name: "source",
                    kind: ArgumentKind::Text,
                    required: false,
                    meaning: "the carrier that they have, as it is stored; needed unless numbers are named",
                },
                Argument {
                    name: "target",
                    kind: ArgumentKind::Text,
                    required: true,
                    meaning: "the carrier that they get",
                },
                Argument {
                    name: "force",
                    kind: ArgumentKind::Flag,
                    required: false,
                    meaning: "also those that lose features by it, and those that the carrier has none like; otherwise they fail",
                },
            ]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Numbers]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let source = text(job, "source").filter(|_| job.scope.numbers.is_none());
        if source.is_none() && job.scope.numbers.is_none() {
            return Err(JobError::Missing("source"));
        }
        let target = text(job, "target").unwrap_or_default();
        let conversion = Conversion::new(source, target, flag(job, "force"))?;
        Ok(Box::new(Convert(conversion)))
    }
}

#[derive(Debug)]
struct Convert(Conversion);

#[async_trait]
impl Work for Convert {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Database { name, prefix } => {
                let database = NumberDatabase::parse_or_stock(name);
                let database = database.map_err(|err| Error::Invalid { cause: err.to_string() })?;
                let (prefix, service) = (prefix.as_deref(), page.service);
                service.convert_page(&self.0, &database, prefix, page.after, page.limit).await
            }
            Unit::Numbers { numbers, .. } => {
                page.service.convert_numbers(page.actor, &self.0, numbers).await
            }
            Unit::Account { .. } | Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    /// Byte for byte as the operators' manual prints it.
    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let target = self.0.target();
        if let Some(name) = unit.database() {
            let source = self.0.source.as_deref().unwrap_or_default();
            let _ = writeln!(
                text,
                "attempt to convert numbers with carrier module {source} to {target} in database {name}"
            );
        }
        let _ = writeln!(text, "updated carrier module to {target} for {}:", report.done.len());
        for number in &report.done {
            let _ = writeln!(text, "{number}");
        }
        let _ = writeln!(text, "updating carrier module failed for {}:", report.failed.len());
        for (number, _) in &report.failed {
            let _ = writeln!(text, "{number}");
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
