//! Removing copies of nothing.

use async_trait::async_trait;

use super::telling::{account, closing, told};
use crate::{
    jobs::{
        Form, Job, JobError, Operation, Over, PageContext, Preparation, Unit, UnitReport, Work,
    },
    service::{Error, PageOutcome},
};

/// No account holds a copy of a number that does not exist.
#[derive(Debug)]
pub(super) struct RemoveOrphanMirrors;

#[async_trait]
impl Operation for RemoveOrphanMirrors {
    fn name(&self) -> &'static str {
        "remove_orphan_mirrors"
    }

    fn summary(&self) -> &'static str {
        "Copies of numbers that do not exist are gone."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Accounts]
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
        Over::Accounts
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, after, limit) = (page.service, page.after, page.limit);
        match page.unit {
            Unit::Account { id, .. } => {
                service.remove_orphan_mirrors(&account(id)?, after, limit).await
            }
            Unit::Database { .. } | Unit::Numbers { .. } | Unit::Whole => {
                Ok(PageOutcome::default())
            }
        }
    }

    fn opening(&self, units: usize) -> String {
        format!(
            "::: start destructively removing numbers from {units} account dbs if they are not in number dbs\n"
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
