//! Installing our own indexes where they are missing or older.

use std::fmt::Write;

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::arguments::flag;
use crate::{
    domain::{AccountId, account_database},
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, Over, PageContext, Preparation,
        Scope, Unit, UnitReport, Work,
    },
    service::{Error, INSTALLED, NumberService, PageOutcome},
};

/// The databases that other programs expect to be there.
const EXPECTED: [&str; 3] = ["numbers/managed", "numbers/inum", "port_requests"];

/// Databases have their indexes as this build has them.
#[derive(Debug)]
pub(super) struct RefreshViews;

#[async_trait]
impl Operation for RefreshViews {
    fn name(&self) -> &'static str {
        "refresh_views"
    }

    fn summary(&self) -> &'static str {
        "Databases of numbers, stock and accounts have this service's own indexes as this release \
         has them. SQLite has them always."
    }

    fn arguments(&self) -> &'static [Argument] {
        &[Argument {
            name: "create",
            kind: ArgumentKind::Flag,
            required: false,
            meaning: "also make the databases of stock and of port requests where they are missing",
        }]
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Accounts]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Refresh { create: flag(job, "create"), total: AtomicUsize::new(0) }))
    }
}

#[derive(Debug)]
struct Refresh {
    create: bool,
    /// How many units there are, for the report.
    total: AtomicUsize,
}

/// Every database that can have indexes: those of numbers and stock, then those of accounts.
pub(super) async fn all_units(service: &NumberService, block: usize) -> Result<Vec<Unit>, Error> {
    let all = Scope::default();
    let mut units = all.units(service, Over::DatabasesAndStock, block).await?;
    units.extend(all.units(service, Over::Accounts, block).await?);
    Ok(units)
}

/// The name of a unit's database.
pub(super) fn database_of(unit: &Unit) -> Option<String> {
    match unit {
        Unit::Database { name, .. } => Some(name.clone()),
        Unit::Account { id, .. } => AccountId::parse(id).ok().map(|id| account_database(&id)),
        Unit::Numbers { .. } | Unit::Whole => None,
    }
}

#[async_trait]
impl Work for Refresh {
    async fn units(
        &self,
        service: &NumberService,
        scope: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        let mut units = if *scope == Scope::default() {
            all_units(service, block).await?
        } else {
            scope.units(service, self.over(), block).await?
        };
        if self.create {
            let expected =
                EXPECTED.map(|name| Unit::Database { name: name.to_owned(), prefix: None });
            units.retain(|unit| !expected.contains(unit));
            units.splice(0..0, expected);
        }
        Ok(units)
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let Some(database) = database_of(page.unit) else {
            return Ok(PageOutcome::default());
        };
        let create = self.create && EXPECTED.contains(&database.as_str());
        page.service.refresh_views(&database, create, page.live).await
    }

    fn opening(&self, units: usize) -> String {
        self.total.store(units, Ordering::Relaxed);
        String::new()
    }

    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let name = unit.database().unwrap_or_default();
        let total = self.total.load(Ordering::Relaxed);
        let mut text = format!("({}/{total}) updating db {name}\n", left + 1);
        for (kind, _) in &report.found {
            let done = if *kind == INSTALLED { "views installed" } else { "database created" };
            let _ = writeln!(text, "{done} in {name}");
        }
        for (_, reason) in &report.failed {
            let _ = writeln!(text, "updating {name} failed: {reason}");
        }
        text
    }

    fn closing(&self, job: &Job) -> String {
        format!("updated {} of {} databases\n", job.counts.changed, job.counts.read)
    }
}
