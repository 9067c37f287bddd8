//! Releasing everything that an account holds.

use std::fmt::Write;

use async_trait::async_trait;

use crate::{
    domain::AccountId,
    jobs::{Form, Job, JobError, Operation, PageContext, Preparation, Unit, UnitReport, Work},
    service::{Error, NumberService, PageOutcome, Parting, Shape},
};

/// An account holds no numbers any more.
#[derive(Debug)]
pub(super) struct ReleaseAccount;

#[async_trait]
impl Operation for ReleaseAccount {
    fn name(&self) -> &'static str {
        "release_account"
    }

    fn summary(&self) -> &'static str {
        "The accounts hold no numbers any more: each was released, whether the account has a copy of \
         it or not, and whether the account itself still exists or not."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Accounts]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Releasing { parting: Parting::new(Shape::Bare) }))
    }
}

#[derive(Debug)]
struct Releasing {
    parting: Parting,
}

#[async_trait]
impl Work for Releasing {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let Unit::Account { id, .. } = page.unit else {
            return Ok(PageOutcome::default());
        };
        let invalid = || Error::Invalid { cause: format!("`{id}` is no account id") };
        let account = AccountId::parse(id).map_err(|_| invalid())?;
        page.service.release_page(page.actor, &account, page.after, page.limit).await
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
        let Unit::Account { id, .. } = unit else { return text };
        let mut released = report.done.clone();
        released.dedup();
        let _ = writeln!(text, "released numbers of account {id} for {}:", released.len());
        for number in &released {
            let _ = writeln!(text, "{number}");
        }
        let _ = writeln!(text, "releasing numbers failed for {}:", report.failed.len());
        for (number, reason) in &report.failed {
            let _ = writeln!(text, "{number}: {reason}");
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
