//! The settings of tables.

use serde::Deserialize;

/// What tables may take.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TasksConfig {
    /// The most bytes of a file.
    pub file_bytes: u64,
    /// The most rows of a file.
    pub rows: u64,
    /// The most columns.
    pub columns: usize,
    /// The most bytes of a cell.
    pub cell_bytes: usize,
    /// The most bytes of a row.
    pub row_bytes: usize,
    /// How many rows are stored together at most.
    pub chunk_rows: usize,
    /// How many rows are worked on at once.
    pub page_size: usize,
    /// How many rows without a value that they need are named.
    pub listed: usize,
    /// The most bytes of a document that is brought in.
    pub document_bytes: usize,
    /// For how long a file may stand still that arrives, in milliseconds.
    pub upload_timeout_ms: u64,
}

impl TasksConfig {
    /// What is wrong with the settings, in words that begin with the setting's name.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("file_bytes", self.file_bytes),
            ("rows", self.rows),
            ("columns", self.columns as u64),
            ("cell_bytes", self.cell_bytes as u64),
            ("chunk_rows", self.chunk_rows as u64),
            ("page_size", self.page_size as u64),
            ("upload_timeout_ms", self.upload_timeout_ms),
        ] {
            if value == 0 {
                return Err(format!("tasks.{name} must be at least 1"));
            }
        }
        // A row is stored in one document, where every character can take six bytes.
        if !(self.cell_bytes..=MOST_ROW_BYTES).contains(&self.row_bytes) {
            let (least, most) = (self.cell_bytes, MOST_ROW_BYTES);
            return Err(format!("tasks.row_bytes must be from {least} to {most}"));
        }
        Ok(())
    }
}

/// The most that `row_bytes` can be.
const MOST_ROW_BYTES: usize = 100_000;

impl Default for TasksConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            file_bytes: 1 << 30,
            rows: 10_000_000,
            columns: 200,
            cell_bytes: 10_000,
            row_bytes: 50_000,
            chunk_rows: 2_500,
            page_size: 250,
            listed: 100,
            document_bytes: 1_000_000,
            upload_timeout_ms: 30_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let check = |change: fn(&mut TasksConfig), wrong: Result<(), &str>| {
            let mut config = TasksConfig::default();
            change(&mut config);
            assert_eq!(config.check(), wrong.map_err(str::to_owned));
        };
        check(|_| (), Ok(()));
        check(|it| it.rows = 0, Err("tasks.rows must be at least 1"));
        check(|it| it.row_bytes = 1, Err("tasks.row_bytes must be from 10000 to 100000"));
    }
}
