//! The tables that go out, as they are read.

use std::fmt::Write;

use futures::{Stream, stream};

use super::{
    Task,
    columns::{COLUMNS, ERROR},
};
use crate::{
    repository::{JobRepository, RepositoryError, ResultReading, RowResult, RowTally},
    service::Error,
};

/// A file of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// What was given.
    Input,
    /// What became of it.
    Output,
}

/// Some lines of a file, or why there are no more.
pub type FileLine = Result<String, Error>;

impl File {
    /// The file of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Input, Self::Output].into_iter().find(|file| file.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "in.csv",
            Self::Output => "out.csv",
        }
    }
}

/// What was given.
pub(super) fn input(jobs: JobRepository, task: Task) -> impl Stream<Item = FileLine> + Send {
    let mut header = Vec::new();
    // Writing to memory cannot fail.
    let written = csv::Writer::from_writer(&mut header).write_record(&task.columns);
    debug_assert!(written.is_ok());
    let header = String::from_utf8(header).unwrap_or_default();
    let chunks = stream::try_unfold((jobs, task, 0), |(jobs, task, number)| async move {
        if number >= task.chunks {
            return Ok(None);
        }
        let chunk = jobs.chunk(&task.id, number).await?;
        Ok(chunk.map(|chunk| (chunk.text, (jobs, task, number + 1))))
    });
    futures::StreamExt::chain(stream::once(async { Ok(header) }), chunks)
}

/// What became of the rows of a job. `tally`: what is known of all of them; none when there may be more.
pub(super) fn output(
    jobs: JobRepository,
    job: String,
    columns: Columns,
) -> impl Stream<Item = FileLine> + Send {
    let header = columns.header();
    let rows = stream::try_unfold(
        (jobs, job, ResultReading::default(), columns),
        |(jobs, job, mut reading, columns)| async move {
            let pages = jobs.rows_on(&job, &mut reading).await;
            let Some(pages) = pages.map_err(|err: RepositoryError| Error::from(err))? else {
                return Ok(None);
            };
            let mut text = String::new();
            for row in pages.iter().flat_map(|page| &page.rows) {
                columns.write(row, &mut text);
            }
            Ok(Some((text, (jobs, job, reading, columns))))
        },
    );
    futures::StreamExt::chain(stream::once(async { Ok(header) }), rows)
}

/// Which columns go out.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    shown: Vec<usize>,
    shows_errors: bool,
}

impl Columns {
    /// All of them; with what went wrong, where rows came in.
    pub(super) fn all(with_errors: bool) -> Self {
        Self { shown: (0..COLUMNS.len()).collect(), shows_errors: with_errors }
    }

    /// Those in which any of the rows has something.
    pub(super) fn of(tally: RowTally) -> Self {
        let has_some = |column: &usize| tally.columns >> column & 1 == 1;
        let shown = (0..COLUMNS.len()).filter(has_some).collect();
        Self { shown, shows_errors: tally.bad > 0 }
    }

    fn header(&self) -> String {
        let shown = self.shown.iter().map(|column| COLUMNS[*column]);
        line(shown.chain(self.shows_errors.then_some(ERROR)))
    }

    fn write(&self, row: &RowResult, into: &mut String) {
        let cell = |column: &usize| row.cells.get(*column).map_or("", String::as_str);
        let error = self.shows_errors.then(|| row.error.as_deref().unwrap_or_default());
        into.push_str(&line(self.shown.iter().map(cell).chain(error)));
    }
}

/// A line of cells: those that are not empty in quotes.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            line.push(',');
        }
        if !cell.is_empty() {
            let _ = write!(line, "\"{}\"", cell.replace('"', "\"\""));
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_empty_everywhere_are_left_out() {
        let row = |cells: &[&str], error: Option<&str>| RowResult {
            row: 0,
            cells: cells.iter().map(|&cell| cell.to_owned()).collect(),
            error: error.map(str::to_owned),
        };
        let rows = [row(&["+1", "", "a\"b"], None), row(&["+2"], Some("not_found"))];
        let mut tally = RowTally::default();
        tally.count(&rows);
        let columns = Columns::of(tally);
        let mut text = columns.header();
        for row in &rows {
            columns.write(row, &mut text);
        }
        let wanted =
            "\"e164\",\"account_id\",\"error\"\n\"+1\",\"a\"\"b\",\n\"+2\",,\"not_found\"\n";
        assert_eq!(text, wanted);
        assert_eq!(Columns::all(false).header().matches(',').count(), 25);
    }
}
