//! The end of ageing.

use std::fmt::Write;

use async_trait::async_trait;

use super::telling::database;
use crate::{
    jobs::{Form, JobError, Operation, PageContext, Preparation, Unit, UnitReport, Work},
    service::{Error, NumberService, PageOutcome, Parting, Shape, Stretch},
};

/// What has aged for long enough is free.
#[derive(Debug)]
pub(super) struct Age;

#[async_trait]
impl Operation for Age {
    fn name(&self) -> &'static str {
        "age"
    }

    fn summary(&self) -> &'static str {
        "Numbers that have aged for `aging_expiry_d` days are available and nobody's. Runs by the \
         clock as well (`jobs.age_every_h`)."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Numbers]
    }

    async fn prepare(&self, _: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Aging { parting: Parting::new(Shape::Bare) }))
    }
}

#[derive(Debug)]
struct Aging {
    parting: Parting,
}

#[async_trait]
impl Work for Aging {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Database { name, prefix } => {
                let (prefix, after, limit) = (prefix.as_deref(), page.after, page.limit);
                let stretch = Stretch { database: &database(name)?, prefix, after, limit };
                page.service.age_page(page.actor, stretch).await
            }
            Unit::Numbers { numbers, .. } => page.service.age_numbers(page.actor, numbers).await,
            Unit::Account { .. } | Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        service.take_features_off(&self.parting, ids).await
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        service.end_parting(&self.parting, ids).await;
    }

    fn told(&self, _: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let mut aged = report.done.clone();
        aged.dedup();
        for number in aged {
            let _ = writeln!(text, "{number} is available");
        }
        for (number, reason) in &report.failed {
            let _ = writeln!(text, "{number} failed: {reason}");
        }
        text
    }
}
