//! Fixing the numbers that nobody owns.

use std::fmt::Write;

use async_trait::async_trait;

use crate::{
    domain::{NumberDatabase, encoded},
    jobs::{Form, Job, JobError, Operation, PageContext, Preparation, Unit, UnitReport, Work},
    service::{Error, NumberService, PageOutcome, Parting, Shape},
};

/// No application routes what nobody owns, and it has no feature that only an owner may have.
#[derive(Debug)]
pub(super) struct MigrateUnassigned;

#[async_trait]
impl Operation for MigrateUnassigned {
    fn name(&self) -> &'static str {
        "migrate_unassigned"
    }

    fn summary(&self) -> &'static str {
        "Numbers that nobody owns are used by no application and have no feature that they may not \
         have."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Numbers]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Fixing { parting: Parting::new(Shape::Unassigned) }))
    }
}

#[derive(Debug)]
struct Fixing {
    parting: Parting,
}

/// Fixes a page of a database of numbers.
pub(super) async fn fix_database(
    page: &PageContext<'_>,
    name: &str,
    prefix: Option<&str>,
) -> Result<PageOutcome, Error> {
    let database = NumberDatabase::parse_or_stock(name);
    let database = database.map_err(|err| Error::Invalid { cause: err.to_string() })?;
    page.service.fix_unassigned_page(page.actor, &database, prefix, page.after, page.limit).await
}

/// What was done about the numbers of a database, in words.
pub(super) fn told_of(name: &str, report: &UnitReport) -> String {
    let mut text = String::new();
    let name = encoded(name);
    let _ = writeln!(text, " ==> start fixing {name}");
    if !report.done.is_empty() {
        let _ = writeln!(text, "[{name}] fixing {} docs", report.done.len());
    }
    if !report.failed.is_empty() {
        let _ = writeln!(text, "failed fixing {} unassigned numbers.", report.failed.len());
    }
    let _ = writeln!(text, " ==> done fixing {name}");
    text
}

#[async_trait]
impl Work for Fixing {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Database { name, prefix } => fix_database(page, name, prefix.as_deref()).await,
            Unit::Numbers { numbers, .. } => page.service.fix_unassigned(page.actor, numbers).await,
            Unit::Account { .. } | Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        service.take_features_off(&self.parting, ids).await
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        service.end_parting(&self.parting, ids).await;
    }

    fn opening(&self, _units: usize) -> String {
        "::: fixing unassigned numbers\n".to_owned()
    }

    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        if let Unit::Database { name, .. } = unit {
            told_of(name, report)
        } else {
            let mut text = format!("fixing {} docs\n", report.done.len());
            for (number, reason) in &report.failed {
                let _ = writeln!(text, "fixing {number} failed: {reason}");
            }
            text
        }
    }

    fn closing(&self, _job: &Job) -> String {
        "::: finished fixing unassigned numbers\n".to_owned()
    }
}
