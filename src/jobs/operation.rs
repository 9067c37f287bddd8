//! What an operation says of itself, and the work that it does page by page.

use std::fmt::{Debug, Write};

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    JobError,
    scope::{Form, Over, Scope, Unit},
};
use crate::{
    domain::Actor,
    repository::{Job, JobRepository, RowResult, Tally},
    service::{Error, NumberService, PageOutcome},
};

/// An operation over many numbers. To add one: write its file, then name it in the list.
#[async_trait]
pub trait Operation: Debug + Send + Sync {
    /// The name in URLs and on the command line, in snake case.
    fn name(&self) -> &'static str;

    /// One sentence: what is true afterwards that may not be true now.
    fn summary(&self) -> &'static str;

    /// What it takes beside a scope and the options of every job.
    fn arguments(&self) -> &'static [Argument] {
        &[]
    }

    /// The scopes that it takes.
    fn forms(&self) -> &'static [Form];

    /// Whether it removes what cannot be made again from the rest.
    fn is_destructive(&self) -> bool {
        false
    }

    /// Checks the arguments, whose types were checked, and makes the work. Called again whenever a
    /// process takes the job.
    ///
    /// # Errors
    ///
    /// What can be refused before anything is read of numbers.
    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError>;
}

/// What an operation is prepared from.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// The service.
    pub service: &'a NumberService,
    /// Where jobs are kept.
    pub jobs: &'a JobRepository,
    /// What was asked for.
    pub arguments: &'a Map<String, Value>,
    /// Which documents it is about.
    pub scope: &'a Scope,
    /// Whether nothing will be written.
    pub dry_run: bool,
    /// Every operation.
    pub operations: &'a [&'static dyn Operation],
}

/// An argument of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgumentKind,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub meaning: &'static str,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A whole number.
    Integer,
}

/// A page that is to be planned.
#[derive(Debug)]
pub struct PageContext<'a> {
    /// The service, over a store that keeps its writes to itself.
    pub service: &'a NumberService,
    /// The service itself, for what is no document and so in no plan; none in a dry run.
    pub live: Option<&'a NumberService>,
    /// Where jobs are kept.
    pub jobs: &'a JobRepository,
    /// The unit.
    pub unit: &'a Unit,
    /// Go on behind this: `next` of the page before.
    pub after: Option<&'a str>,
    /// The most documents of a page.
    pub limit: usize,
    /// Who asked.
    pub actor: &'a Actor,
}

/// What became of a unit, for a report in words.
#[derive(Clone, Debug, Default)]
pub struct UnitReport {
    /// Counts.
    pub tally: Tally,
    /// The documents that were written and those that are right already and named, sorted.
    pub done: Vec<String>,
    /// Those that failed, sorted, each with the reason.
    pub failed: Vec<(String, String)>,
    /// What was found: its kind and the document.
    pub found: Vec<(&'static str, String)>,
    /// What the pages said.
    pub lines: Vec<String>,
}

impl UnitReport {
    /// The documents of one kind of finding.
    pub fn found(&self, kind: &str) -> impl Iterator<Item = &String> {
        self.found.iter().filter(move |(found, _)| *found == kind).map(|(_, id)| id)
    }
}

/// The work of one job. Running it twice in a row changes nothing the second time.
#[async_trait]
pub trait Work: Debug + Send + Sync {
    /// What it goes through when its scope is everything.
    fn over(&self) -> Over {
        Over::Databases
    }

    /// The units that it goes through.
    ///
    /// # Errors
    ///
    /// Those of every read.
    async fn units(
        &self,
        service: &NumberService,
        scope: &Scope,
        block: usize,
    ) -> Result<Vec<Unit>, Error> {
        scope.units(service, self.over(), block).await
    }

    /// In which order units are gone through: those of a stage begin when all of the stages before it
    /// have ended.
    fn stage(&self, _unit: &Unit) -> u8 {
        0
    }

    /// Plans a page. What it does through the service of the context is planned and not done.
    ///
    /// # Errors
    ///
    /// What makes the rest of the unit impossible, or impossible for now. What goes wrong with one
    /// document is in the outcome.
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error>;

    /// Whether the numbers that it deletes leave our stock, so that they are given back to their
    /// carriers.
    fn gives_back(&self) -> bool {
        false
    }

    /// Does outside what has to be done before these documents are written: they are recorded, and
    /// some may be written already by a process before this one. Returns those that must not be
    /// written, and why.
    async fn before_write(
        &self,
        _service: &NumberService,
        _ids: &[String],
    ) -> Vec<(String, Error)> {
        Vec::new()
    }

    /// Ends what [`Work::before_write`] began, for documents that are written by now or certainly were
    /// not.
    async fn after_write(&self, _service: &NumberService, _ids: &[String]) {}

    /// Does what has to follow once a page is written, for the documents that were.
    async fn settle(&self, _service: &NumberService, _written: &[String]) {}

    /// The row of a table, planned well, whose document could not be written.
    ///
    /// # Errors
    ///
    /// Those of every read.
    async fn unwritten(&self, _: &Unit, row: &RowResult, why: &str) -> Result<RowResult, Error> {
        Ok(RowResult { error: Some(why.to_owned()), ..row.clone() })
    }

    /// Does once what is no document's writing. Not called in a dry run.
    ///
    /// # Errors
    ///
    /// What fails the job.
    async fn finish(&self, _service: &NumberService, _job: &Job) -> Result<(), Error> {
        Ok(())
    }

    /// The report in words: what stands before the first unit.
    fn opening(&self, _units: usize) -> String {
        String::new()
    }

    /// The report in words of one unit, once it is finished; `left`: how many follow.
    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let mut text = String::new();
        let left = left + 1;
        if let Some(name) = unit.database() {
            let _ = writeln!(text, "({left}) {name}");
        }
        for line in &report.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The report in words: what stands behind the last unit.
    fn closing(&self, job: &Job) -> String {
        let Tally { read, changed, unchanged, skipped, failed } = job.counts;
        format!(
            "{}: read {read}, changed {changed}, unchanged {unchanged}, skipped {skipped}, failed {failed}\n",
            job.operation
        )
    }
}
