//! Removing copies that name another owner.

use async_trait::async_trait;

use super::telling::{account, closing, told};
use crate::{
    jobs::{
        Form, Job, JobError, Operation, Over, PageContext, Preparation, Unit, UnitReport, Work,
    },
    service::{Error, PageOutcome},
};

/// No account holds a copy that names another owner.
#[derive(Debug)]
pub(super) struct RemoveWrongAssignments;

#[async_trait]
impl Operation for RemoveWrongAssignments {
    fn name(&self) -> &'static str {
        "remove_wrong_assignments"
    }

    fn summary(&self) -> &'static str {
        "Copies that name another owner than the account that holds them, or none, are gone; those of \
         numbers that the account does own are right."
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
                service.remove_wrong_assignments(&account(id)?, after, limit).await
            }
            Unit::Database { .. } | Unit::Numbers { .. } | Unit::Whole => {
                Ok(PageOutcome::default())
            }
        }
    }

    fn opening(&self, units: usize) -> String {
        format!("::: start removing wrong assigned numbers from {units} account dbs\n")
    }

    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let line = match report.tally.changed {
            0 => "no wrong assignment to remove".to_owned(),
            changed => format!("{changed} wrong assignments to remove"),
        };
        told(unit, left, report, &line)
    }

    fn closing(&self, job: &Job) -> String {
        closing(job)
    }
}
