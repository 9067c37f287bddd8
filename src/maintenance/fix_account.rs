//! The series of repairs of an account.

use async_trait::async_trait;

use super::telling::{account, closing, told};
use crate::{
    jobs::{
        Form, Job, JobError, Operation, Over, PageContext, Preparation, Unit, UnitReport, Work,
    },
    service::{Error, PageOutcome},
};

/// An account's numbers say what uses them, and its copies are those of its numbers.
#[derive(Debug)]
pub(super) struct FixAccount;

#[async_trait]
impl Operation for FixAccount {
    fn name(&self) -> &'static str {
        "fix_account"
    }

    fn summary(&self) -> &'static str {
        "The numbers of an account say by which application they are used, its copies are equal to \
         them, and copies of what it does not own are gone. Quantities need no repair: they are \
         counted when somebody asks."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Accounts, Form::AccountAndNumbers]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Fix))
    }
}

#[derive(Debug)]
struct Fix;

#[async_trait]
impl Work for Fix {
    fn over(&self) -> Over {
        Over::Accounts
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Account { id, .. } => {
                page.service.fix_account_page(&account(id)?, page.after, page.limit).await
            }
            Unit::Numbers { numbers, account: Some(of) } => {
                page.service.fix_account_numbers(&account(of)?, numbers).await
            }
            Unit::Numbers { account: None, .. } | Unit::Database { .. } | Unit::Whole => {
                Ok(PageOutcome::default())
            }
        }
    }

    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let what = match unit {
            Unit::Account { id, .. } => format!("account {id}"),
            Unit::Numbers { numbers, account } => {
                let account = account.as_deref().unwrap_or_default();
                format!("{} numbers in account {account}", numbers.len())
            }
            Unit::Database { .. } | Unit::Whole => String::new(),
        };
        let line = format!("fixed {} numbers", report.tally.changed);
        format!(":::: fixing {what}, or not\n{}", told(unit, left, report, &line))
    }

    fn closing(&self, job: &Job) -> String {
        closing(job)
    }
}
