//! Taking a table in: as it arrives it is checked and stored, so that its length needs no memory.

use std::collections::HashSet;

use csv::{Terminator, WriterBuilder};
use serde_json::{Map, Value};

use super::{Action, Malformed, Row, TaskError, TasksConfig};
use crate::repository::{JobRepository, TaskChunk};

/// The most bytes of rows in one chunk, as they are stored.
const CHUNK_BYTES: usize = 900_000;

/// The rows of a task that is about to be.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    jobs: &'a JobRepository,
    task: String,
    action: &'static Action,
    limits: &'a TasksConfig,
    /// The header, once it was read.
    columns: Option<Vec<String>>,
    /// Where the columns are that must have values.
    mandatory: Vec<usize>,
    /// The first rows that lack one.
    lacking: Vec<String>,
    open: TaskChunk,
    /// How many rows the open chunk has, and how many bytes.
    filled: (usize, usize),
    chunks: u64,
    rows: u64,
}

/// What was taken in.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) columns: Vec<String>,
    pub(super) chunks: u64,
    pub(super) rows: u64,
}

impl<'a> Intake<'a> {
    pub(super) fn new(
        jobs: &'a JobRepository,
        task: String,
        action: &'static Action,
        limits: &'a TasksConfig,
    ) -> Self {
        Self {
            jobs,
            task,
            action,
            limits,
            columns: None,
            mandatory: Vec::new(),
            lacking: Vec::new(),
            open: TaskChunk { first: 0, text: String::new() },
            filled: (0, 0),
            chunks: 0,
            rows: 0,
        }
    }

    /// Takes rows in; the first one is the header.
    pub(super) async fn take(&mut self, rows: Vec<Row>) -> Result<(), TaskError> {
        for row in rows {
            match &self.columns {
                None => self.begin(row)?,
                Some(columns) if row.cells.len() == columns.len() => self.add(row).await?,
                Some(columns) => {
                    let (has, wanted) = (row.cells.len(), columns.len());
                    let problem = format!("the row has {has} cells, the header has {wanted}");
                    let column = has.min(wanted) + 1;
                    return Err(shape(row.line, column, problem).into());
                }
            }
        }
        Ok(())
    }

    /// Takes records of a JSON body in.
    pub(super) async fn take_records(
        &mut self,
        records: &[Map<String, Value>],
    ) -> Result<(), TaskError> {
        let mut columns: Vec<String> = Vec::new();
        for name in records.iter().flat_map(Map::keys) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
            if columns.len() > self.limits.columns {
                return Err(TaskError::Records);
            }
        }
        let mut rows = vec![Row { line: 1, cells: columns.clone() }];
        for (line, record) in (2..).zip(records) {
            let cell = |name: &String| cell(record.get(name));
            let cells = columns.iter().map(cell).collect::<Option<Vec<_>>>();
            let cells = cells.ok_or(TaskError::Records)?;
            let is_long = |cell: &String| cell.len() > self.limits.cell_bytes;
            if cells.iter().any(is_long) {
                return Err(TaskError::Records);
            }
            rows.push(Row { line, cells });
        }
        self.take(rows).await
    }

    /// Stores what is left, and says what was taken in.
    pub(super) async fn end(mut self) -> Result<Taken, TaskError> {
        if !self.lacking.is_empty() {
            return Err(self.lacking_values());
        }
        if self.rows == 0 {
            return Err(shape(1, 1, "there are no rows".to_owned()).into());
        }
        self.flush().await?;
        let columns = self.columns.unwrap_or_default();
        Ok(Taken { columns, chunks: self.chunks, rows: self.rows })
    }

    fn begin(&mut self, header: Row) -> Result<(), TaskError> {
        let columns: Vec<String> =
            header.cells.into_iter().map(|name| name.trim().to_owned()).collect();
        let mut seen = HashSet::new();
        for (column, name) in (1..).zip(&columns) {
            if !name.is_empty() && !seen.insert(name) {
                let problem = format!("the column {name} is there twice");
                let line = header.line;
                return Err(Malformed { line, column, problem, is_shape: false }.into());
            }
        }
        let mandatory = self.action.mandatory().iter();
        let missing = mandatory.clone().filter(|name| !seen.contains(&(**name).to_owned()));
        let fields: Vec<String> = missing.map(|name| (*name).to_owned()).collect();
        if !fields.is_empty() {
            return Err(TaskError::Rows { fields, values: Vec::new(), expected: None });
        }
        let place = |name: &&str| columns.iter().position(|column| column == name);
        self.mandatory = mandatory.filter_map(place).collect();
        self.columns = Some(columns);
        Ok(())
    }

    async fn add(&mut self, row: Row) -> Result<(), TaskError> {
        if self.rows >= self.limits.rows {
            let problem = format!("there are more than {} rows", self.limits.rows);
            let (line, column) = (row.line, 1);
            return Err(Malformed { line, column, problem, is_shape: false }.into());
        }
        self.rows += 1;
        if self.mandatory.iter().any(|place| row.cells[*place].trim().is_empty()) {
            self.lacking.push(row.cells.join(","));
            return if self.lacking.len() >= self.limits.listed.max(1) {
                Err(self.lacking_values())
            } else {
                Ok(())
            };
        }
        if !self.lacking.is_empty() {
            // Nothing will come of it.
            return Ok(());
        }
        let text = line_of(&row)?;
        let bytes = Value::from(text.as_str()).to_string().len();
        let (rows, filled) = self.filled;
        if rows >= self.limits.chunk_rows || rows > 0 && filled + bytes > CHUNK_BYTES {
            self.flush().await?;
        }
        self.open.text.push_str(&text);
        self.filled = (self.filled.0 + 1, self.filled.1 + bytes);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TaskError> {
        let (rows, _) = std::mem::take(&mut self.filled);
        if rows > 0 {
            self.jobs.keep_chunk(&self.task, self.chunks, &self.open).await?;
            self.chunks += 1;
            self.open = TaskChunk { first: self.open.first + rows as u64, text: String::new() };
        }
        Ok(())
    }

    fn lacking_values(&mut self) -> TaskError {
        let values = std::mem::take(&mut self.lacking);
        TaskError::Rows { fields: Vec::new(), values, expected: None }
    }
}

/// A row as it is stored.
fn line_of(row: &Row) -> Result<String, TaskError> {
    let unwritable = |_| TaskError::Broken;
    let mut table = WriterBuilder::new().terminator(Terminator::Any(b'\n')).from_writer(Vec::new());
    table.write_record(&row.cells).map_err(unwritable)?;
    let bytes = table.into_inner().map_err(|_| TaskError::Broken)?;
    String::from_utf8(bytes).map_err(|_| TaskError::Broken)
}

/// The text of a value; none for what is no text, number or flag.
fn cell(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => Some(value.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => None,
    }
}

/// Rows that do not fit together.
fn shape(line: u64, column: usize, problem: String) -> Malformed {
    Malformed { line, column, problem, is_shape: true }
}
