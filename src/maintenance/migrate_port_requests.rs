//! Bringing port requests of older releases up to date.

use std::fmt::Write;

use async_trait::async_trait;

use crate::{
    jobs::{
        Form, Job, JobError, Operation, PageContext, Preparation, Scope, Unit, UnitReport, Work,
    },
    service::{Error, NumberService, PageOutcome},
};

/// Port requests have what newer programs read in them.
#[derive(Debug)]
pub(super) struct MigratePortRequests;

#[async_trait]
impl Operation for MigratePortRequests {
    fn name(&self) -> &'static str {
        "migrate_port_requests"
    }

    fn summary(&self) -> &'static str {
        "Port requests say which accounts are above theirs, what it is called and who carries them \
         out. Those of accounts that do not exist are reported."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Requests))
    }
}

#[derive(Debug)]
struct Requests;

#[async_trait]
impl Work for Requests {
    async fn units(&self, _: &NumberService, _: &Scope, _: usize) -> Result<Vec<Unit>, Error> {
        Ok(vec![Unit::Database { name: "port_requests".to_owned(), prefix: None }])
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        page.service.migrate_port_requests_page(page.after, page.limit).await
    }

    fn opening(&self, _units: usize) -> String {
        "migrating port request documents, if necessary\n".to_owned()
    }

    fn told(&self, _unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = format!("-- migrated {} port requests\n", report.done.len());
        for (id, reason) in &report.failed {
            let _ = writeln!(text, "migrating port request {id} failed: {reason}");
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        "finished migrating port request documents\n".to_owned()
    }
}
