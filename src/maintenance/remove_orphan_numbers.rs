//! Removing numbers whose owners hold no copy of them.

use async_trait::async_trait;

use super::telling::{closing, database, told};
use crate::{
    jobs::{
        Form, Job, JobError, Operation, Over, PageContext, Preparation, Unit, UnitReport, Work,
    },
    service::{Error, PageOutcome},
};

/// No number has an owner who holds no copy of it.
#[derive(Debug)]
pub(super) struct RemoveOrphanNumbers;

#[async_trait]
impl Operation for RemoveOrphanNumbers {
    fn name(&self) -> &'static str {
        "remove_orphan_numbers"
    }

    fn summary(&self) -> &'static str {
        "Numbers are gone whose owners hold no copy of them. A number whose copy is on its way looks the \
         same, so nobody should be writing meanwhile."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases]
    }

    fn is_destructive(&self) -> bool {
        true
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Remove))
    }
}

#[derive(Debug)]
struct Remove;

#[async_trait]
impl Work for Remove {
    fn over(&self) -> Over {
        Over::Databases
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, after, limit) = (page.service, page.after, page.limit);
        match page.unit {
            Unit::Database { name, prefix } => {
                let database = database(name)?;
                service.remove_orphan_numbers(&database, prefix.as_deref(), after, limit).await
            }
            Unit::Account { .. } | Unit::Numbers { .. } | Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    fn opening(&self, units: usize) -> String {
        format!(
            "::: start destructively removing numbers from {units} number dbs if they are not in account db\n"
        )
    }

    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let line = format!("destructively removing {}", report.tally.changed);
        told(unit, left, report, &line)
    }

    fn closing(&self, job: &Job) -> String {
        closing(job)
    }
}
