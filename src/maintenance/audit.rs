//! Comparing all numbers with all copies.

use std::fmt::Write;

use async_trait::async_trait;

use super::{
    arguments::flag,
    copy_to_accounts::{account, refuse_stock},
};
use crate::{
    domain::NumberDatabase,
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, Over, PageContext, Preparation,
        Scope, Unit, UnitReport, Work,
    },
    service::{self, Error, NumberService, PageOutcome},
};

/// It is known where copies and numbers differ.
#[derive(Debug)]
pub(super) struct Audit;

#[async_trait]
impl Operation for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn summary(&self) -> &'static str {
        "It is known which numbers and copies differ, and in what. Of databases only the copies of \
         owners and of last owners are looked at; of everything, all."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[Argument {
                name: "repair",
                kind: ArgumentKind::Flag,
                required: false,
                meaning: "also puts the copies right, and removes versions that lost where all name \
                          the same owner",
            }]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Accounts]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        refuse_stock(job.scope)?;
        let of_everything = job.scope.databases.is_none() && job.scope.accounts.is_none();
        let audit = service::Audit::new(flag(job, "repair"), job.dry_run);
        Ok(Box::new(Auditing { audit, of_everything }))
    }
}

#[derive(Debug)]
struct Auditing {
    audit: service::Audit,
    of_everything: bool,
}

#[async_trait]
impl Work for Auditing {
    async fn units(
        &self,
        service: &NumberService,
        scope: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let mut units = scope.units(service, Over::Databases, block).await?;
        if self.of_everything {
            units.extend(scope.units(service, Over::Accounts, block).await?);
        }
        Ok(units)
    }

    /// Copies are compared with what all numbers came to.
    fn stage(&self, unit: &Unit) -> u8 {
        u8::from(matches!(unit, Unit::Account { .. }))
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, audit) = (page.service, &self.audit);
        match page.unit {
            Unit::Database { name, prefix } => {
                let database = NumberDatabase::parse(name);
                let database = database.map_err(|err| Error::Invalid { cause: err.to_string() })?;
                let prefix = prefix.as_deref();
                if self.of_everything {
                    service.audit_numbers(audit, &database, page.after, page.limit).await
                } else {
                    service.audit_database(audit, &database, prefix, page.after, page.limit).await
                }
            }
            Unit::Account { id, .. } if self.of_everything => {
                service.audit_copies(audit, &account(id)?, page.after, page.limit).await
            }
            Unit::Account { id, .. } => {
                service.audit_account(audit, &account(id)?, page.after).await
            }
            Unit::Numbers { .. } | Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    async fn settle(&self, service: &NumberService, written: &[String]) {
        service.settle_audit(&self.audit, written).await;
    }

    async fn finish(&self, service: &NumberService, job: &Job) -> Result<(), Error> {
        service.finish_audit(&self.audit, job, self.of_everything).await
    }

    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let mut found = report.found.clone();
        found.sort_unstable();
        for (kind, id) in found {
            let _ = writeln!(text, "{}: {id} {kind}", unit.database().unwrap_or_default());
        }
        text
    }
}
