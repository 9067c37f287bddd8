//! Deleting numbers outright.

use std::{collections::BTreeMap, fmt::Write};

use async_trait::async_trait;

use crate::{
    jobs::{Form, Job, JobError, Operation, PageContext, Preparation, Unit, UnitReport, Work},
    service::{Error, NumberService, PageOutcome, Parting, Shape},
};

/// Numbers are gone, with their copies, whatever their states.
#[derive(Debug)]
pub(super) struct DeleteNumbers;

#[async_trait]
impl Operation for DeleteNumbers {
    fn name(&self) -> &'static str {
        "delete_numbers"
    }

    fn summary(&self) -> &'static str {
        "Numbers are gone, with their copies, whatever their states. Their features are taken off, \
         and they are given back to their carriers."
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Numbers]
    }

    fn is_destructive(&self) -> bool {
        true
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let mut given = BTreeMap::new();
        for text in job.scope.numbers.iter().flatten() {
            match job.service.parse(text).await {
                Ok(number) => {
                    given.entry(number.to_string()).or_insert_with(|| text.clone());
                }
                // It is reported with the others.
                Err(Error::NotReconcilable(_)) => (),
                Err(err) => return Err(err.into()),
            }
        }
        Ok(Box::new(Delete { given, parting: Parting::new(Shape::Bare) }))
    }
}

#[derive(Debug)]
struct Delete {
    /// The numbers as they were typed.
    given: BTreeMap<String, String>,
    parting: Parting,
}

#[async_trait]
impl Work for Delete {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        match page.unit {
            Unit::Numbers { numbers, .. } => page.service.delete_numbers(page.actor, numbers).await,
            Unit::Database { .. } | Unit::Account { .. } | Unit::Whole => {
                Ok(PageOutcome::default())
            }
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

    fn told(&self, unit: &Unit, _left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let Unit::Numbers { numbers, .. } = unit else { return text };
        for number in numbers {
            let failure = report.failed.iter().find(|(id, _)| id == number);
            if let Some((_, reason)) = failure {
                let _ = writeln!(text, "ERROR: {reason}");
            } else if report.done.contains(number) {
                let _ = writeln!(text, "Removed {}", self.given.get(number).unwrap_or(number));
            }
        }
        text
    }

    fn closing(&self, _job: &Job) -> String {
        String::new()
    }
}
