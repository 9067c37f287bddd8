//! Removing what nobody needs any more.

use std::fmt::Write;

use async_trait::async_trait;

use super::telling::database;
use crate::{
    jobs::{Form, JobError, Operation, PageContext, Preparation, Scope, Unit, UnitReport, Work},
    service::{DATABASE_EXPIRED, Error, NumberService, PageOutcome, Parting, Shape, Stretch},
};

/// What is over is gone.
#[derive(Debug)]
pub(super) struct Expire;

#[async_trait]
impl Operation for Expire {
    fn name(&self) -> &'static str {
        "expire"
    }

    fn summary(&self) -> &'static str {
        "Numbers are gone that were seen at a carrier `discovery_expiry_h` hours ago and that nobody \
         activated, and those that were marked as deleted `deleted_expiry_d` days ago; with all as \
         its scope also our own dated databases that nobody reads any more. Charges stay. Runs by \
         the clock as well (`jobs.expire_every_h`)."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases]
    }

    fn is_destructive(&self) -> bool {
        true
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Expiring { parting: Parting::new(Shape::Bare) }))
    }
}

#[derive(Debug)]
struct Expiring {
    parting: Parting,
}

#[async_trait]
impl Work for Expiring {
    /// The databases of numbers; of everything also our own.
    async fn units(
        &self,
        service: &NumberService,
        scope: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let mut units = scope.units(service, self.over(), block).await?;
        if *scope == Scope::default() {
            units.push(Unit::Whole);
        }
        Ok(units)
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Database { name, prefix } => {
                let (prefix, after, limit) = (prefix.as_deref(), page.after, page.limit);
                let stretch = Stretch { database: &database(name)?, prefix, after, limit };
                page.service.expire_page(page.actor, stretch).await
            }
            Unit::Whole => page.service.expire_databases(page.live).await,
            Unit::Account { .. } | Unit::Numbers { .. } => Ok(PageOutcome::default()),
        }
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

    fn told(&self, _: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let mut gone = report.done.clone();
        gone.dedup();
        for number in gone {
            let _ = writeln!(text, "{number} has expired");
        }
        for name in report.found(DATABASE_EXPIRED) {
            let _ = writeln!(text, "{name} has expired");
        }
        for (id, reason) in &report.failed {
            let _ = writeln!(text, "{id} failed: {reason}");
        }
        text
    }
}
