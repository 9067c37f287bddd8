//! Making numbers from the copies in account databases.

use async_trait::async_trait;

use super::{arguments::flag, copy_to_accounts::account};
use crate::{
    jobs::{
        Argument, ArgumentKind, Form, JobError, Operation, Over, PageContext, Preparation, Unit,
        Work,
    },
    service::{Error, PageOutcome},
};

/// There is a number for each copy that its owner holds.
#[derive(Debug)]
pub(super) struct CopyToNumberDatabases;

#[async_trait]
impl Operation for CopyToNumberDatabases {
    fn name(&self) -> &'static str {
        "copy_to_number_databases"
    }

    fn summary(&self) -> &'static str {
        "There is a number for each copy whose account is the owner by it. Numbers that were deleted \
         stay deleted, and those that are otherwise stay so."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[Argument {
                name: "overwrite",
                kind: ArgumentKind::Flag,
                required: false,
                meaning: "also makes numbers that were deleted, and makes those as their copies are \
                          that the account owns; those of other accounts stay as they are",
            }]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Accounts, Form::AccountAndNumbers]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Restore { overwrite: flag(job, "overwrite") }))
    }
}

#[derive(Debug)]
struct Restore {
    overwrite: bool,
}

#[async_trait]
impl Work for Restore {
    fn over(&self) -> Over {
        Over::Accounts
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, overwrite) = (page.service, self.overwrite);
        match page.unit {
            Unit::Account { id, .. } => {
                service.restore_page(&account(id)?, overwrite, page.after, page.limit).await
            }
            Unit::Numbers { numbers, account: Some(id) } => {
                service.restore_named(&account(id)?, overwrite, numbers).await
            }
            Unit::Numbers { account: None, .. } | Unit::Database { .. } | Unit::Whole => {
                Ok(PageOutcome::default())
            }
        }
    }
}
