//! Everything that a new release asks for.

use std::fmt::Write;

use async_trait::async_trait;

use super::{
    migrate_unassigned::{fix_database, told_of},
    refresh_views::{all_units, database_of},
};
use crate::{
    domain::NumberDatabase,
    jobs::{
        Form, Job, JobError, Operation, PageContext, Preparation, Scope, Unit, UnitReport, Work,
    },
    service::{CREATED, Error, INSTALLED, NumberService, PageOutcome, Parting, Shape},
};

/// Settings, indexes and numbers are as this release wants them.
#[derive(Debug)]
pub(super) struct Migrate;

#[async_trait]
impl Operation for Migrate {
    fn name(&self) -> &'static str {
        "migrate"
    }

    fn summary(&self) -> &'static str {
        "Features of administrators are allowed, addresses of carriers are today's, databases have \
         their indexes, and numbers that nobody owns are fixed."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Migrating { parting: Parting::new(Shape::Unassigned) }))
    }
}

#[derive(Debug)]
struct Migrating {
    parting: Parting,
}

/// The database of a unit that holds numbers; none for stock and accounts.
fn numbers_of(unit: &Unit) -> Option<&str> {
    match unit {
        Unit::Database { name, .. } => NumberDatabase::parse(name).is_ok().then_some(name),
        Unit::Account { .. } | Unit::Numbers { .. } | Unit::Whole => None,
    }
}

#[async_trait]
impl Work for Migrating {
    /// The settings, then every database.
    async fn units(
        &self,
        service: &NumberService,
        _: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let mut units = vec![Unit::Whole];
        units.extend(all_units(service, block).await?);
        Ok(units)
    }

    /// The settings say which features a number may have.
    fn stage(&self, unit: &Unit) -> u8 {
        u8::from(*unit != Unit::Whole)
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let Some(database) = database_of(page.unit) else {
            return page.service.migrate_settings(page.actor, page.live).await;
        };
        let refreshed = match page.after {
            None => page.service.refresh_views(&database, false, page.live).await?,
            Some(_) => PageOutcome::default(),
        };
        match numbers_of(page.unit) {
            None => Ok(refreshed),
            Some(name) => Ok(refreshed.and(fix_database(page, name, None).await?)),
        }
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        service.take_features_off(&self.parting, ids).await
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        service.end_parting(&self.parting, ids).await;
    }

    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        for line in &report.lines {
            let _ = writeln!(text, "{line}");
        }
        for (kind, database) in &report.found {
            if [INSTALLED, CREATED].contains(kind) {
                let _ = writeln!(text, "updating number db {database}");
            }
        }
        if let Some(name) = numbers_of(unit) {
            text.push_str(&told_of(name, report));
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
