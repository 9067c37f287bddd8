//! Reading a table as it arrives, byte by byte as far as its lines and columns go, so that whatever is
//! wrong with it has a place.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::TasksConfig;

/// What marks a text in UTF-8, which spreadsheets put in front.
const UTF_8: [u8; 3] = [0xef, 0xbb, 0xbf];
/// What marks texts in other encodings.
const OTHERS: [(&[u8], &str); 2] = [(&[0xff, 0xfe], "UTF-16"), (&[0xfe, 0xff], "UTF-16")];

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its cells.
    pub cells: Vec<String>,
}

/// A table that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct Malformed {
    /// The line, from 1: that on which the row begins.
    pub line: u64,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: String,
    /// Whether the rows do not fit together, and not their bytes.
    pub is_shape: bool,
}

/// Reads the rows of a table from its bytes.
#[derive(Debug)]
pub struct RowReader {
    core: Reader,
    /// The first bytes, until it is known whether they are a mark.
    head: Option<Vec<u8>>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// How much of the two is filled by the row that is under way.
    filled: (usize, usize),
    cell_bytes: usize,
    /// The line of the next byte.
    line: u64,
    /// The last byte ended a line that a `\n` may still belong to.
    after_return: bool,
    /// The line on which the row that is under way begins; none between rows.
    begun: Option<u64>,
}

impl RowReader {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(limits: &TasksConfig) -> Self {
        Self {
            core: ReaderBuilder::new().build(),
            head: Some(Vec::new()),
            bytes: vec![0; limits.row_bytes],
            ends: vec![0; limits.columns],
            filled: (0, 0),
            cell_bytes: limits.cell_bytes,
            line: 1,
            after_return: false,
            begun: None,
        }
    }

    /// Reads on; returns the rows that end here.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Row>, Malformed> {
        let Some(mut head) = self.head.take() else {
            return self.read(bytes);
        };
        head.extend_from_slice(bytes);
        if head.len() < UTF_8.len() {
            self.head = Some(head);
            return Ok(Vec::new());
        }
        self.begin(&head)
    }

    /// The last row, when the table does not end with a line.
    ///
    /// # Errors
    ///
    /// [`Malformed`], also for a quote that is not closed.
    pub fn finish(&mut self) -> Result<Vec<Row>, Malformed> {
        let mut rows = match self.head.take() {
            Some(head) => self.begin(&head)?,
            None => Vec::new(),
        };
        let (line, begun) = (self.line, self.begun);
        rows.append(&mut self.read(b"\n")?);
        // A line that ends no row is within quotes.
        if let Some(begun) = begun.filter(|_| self.begun.is_some()) {
            let problem = format!("a quote is not closed before the end, line {line}");
            return Err(self.malformed(begun, problem));
        }
        Ok(rows)
    }

    fn begin(&mut self, head: &[u8]) -> Result<Vec<Row>, Malformed> {
        if let Some((_, name)) = OTHERS.iter().find(|(mark, _)| head.starts_with(mark)) {
            let problem = format!("the text is {name}; only UTF-8 is read");
            return Err(Malformed { line: 1, column: 1, problem, is_shape: false });
        }
        self.read(head.strip_prefix(&UTF_8).unwrap_or(head))
    }

    fn read(&mut self, mut input: &[u8]) -> Result<Vec<Row>, Malformed> {
        let mut rows = Vec::new();
        loop {
            if self.begun.is_none() {
                let ends = input.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                self.pass(&input[..ends]);
                input = &input[ends..];
                if input.is_empty() {
                    return Ok(rows);
                }
                self.begun = Some(self.line);
            }
            let line = self.begun.unwrap_or(self.line);
            let (bytes, ends) = self.filled;
            let (result, read, written, ended) =
                self.core.read_record(input, &mut self.bytes[bytes..], &mut self.ends[ends..]);
            self.pass(&input[..read]);
            input = &input[read..];
            self.filled = (bytes + written, ends + ended);
            self.check_cells(line, ends)?;
            match result {
                // Only what is empty ends a table, and that is never handed on.
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Ok(rows),
                ReadRecordResult::OutputFull => {
                    let problem = format!("the row has more than {} bytes", self.bytes.len());
                    return Err(self.malformed(line, problem));
                }
                ReadRecordResult::OutputEndsFull => {
                    let problem = format!("there are more than {} columns", self.ends.len());
                    return Err(self.malformed(line, problem));
                }
                ReadRecordResult::Record => {
                    rows.extend(self.row(line)?);
                    self.filled = (0, 0);
                    self.begun = None;
                }
            }
        }
    }

    /// Checks the cells that grew, from this one on.
    fn check_cells(&self, line: u64, from: usize) -> Result<(), Malformed> {
        let (bytes, ends) = self.filled;
        let mut begin = from.checked_sub(1).map_or(0, |last| self.ends[last]);
        for (column, end) in self.ends[from..ends].iter().copied().chain([bytes]).enumerate() {
            if end.saturating_sub(begin) > self.cell_bytes {
                let problem = format!(
                    "the cell has more than {} bytes; perhaps a quote is not closed",
                    self.cell_bytes
                );
                let column = from + column + 1;
                return Err(Malformed { line, column, problem, is_shape: false });
            }
            begin = end;
        }
        Ok(())
    }

    /// The row that was read; none when all of its cells are empty.
    fn row(&self, line: u64) -> Result<Option<Row>, Malformed> {
        let mut cells = Vec::with_capacity(self.filled.1);
        let mut begin = 0;
        for (column, end) in (1..).zip(&self.ends[..self.filled.1]) {
            let wrong = |problem: &str| {
                let problem = problem.to_owned();
                Malformed { line, column, problem, is_shape: false }
            };
            let cell = std::str::from_utf8(&self.bytes[begin..*end]);
            let cell = cell.map_err(|_| wrong("the text is not UTF-8"))?;
            if cell.contains('\0') {
                return Err(wrong("the text has a zero byte in it"));
            }
            cells.push(cell.to_owned());
            begin = *end;
        }
        let is_empty = cells.iter().all(|cell| cell.trim().is_empty());
        Ok((!is_empty).then_some(Row { line, cells }))
    }

    /// Counts lines.
    fn pass(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => (),
                b'\n' | b'\r' => self.line += 1,
                _ => (),
            }
            self.after_return = *byte == b'\r';
        }
    }

    fn malformed(&self, line: u64, problem: String) -> Malformed {
        Malformed { line, column: self.filled.1 + 1, problem, is_shape: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> TasksConfig {
        TasksConfig { columns: 4, cell_bytes: 20, row_bytes: 40, ..TasksConfig::default() }
    }

    /// The rows of a table that arrives so many bytes at a time.
    fn read(table: &[u8], at_once: usize) -> Result<Vec<(u64, Vec<String>)>, String> {
        let mut reader = RowReader::new(&limits());
        let mut rows = Vec::new();
        for part in table.chunks(at_once) {
            rows.append(&mut reader.feed(part).map_err(|err| err.to_string())?);
        }
        rows.append(&mut reader.finish().map_err(|err| err.to_string())?);
        Ok(rows.into_iter().map(|row| (row.line, row.cells)).collect())
    }

    #[track_caller]
    fn check(table: &[u8], wanted: &[(u64, &[&str])]) {
        for at_once in [1, 2, 3, 7, 1000] {
            let rows = read(table, at_once).unwrap();
            let rows: Vec<_> = rows
                .iter()
                .map(|(line, cells)| (*line, cells.iter().map(String::as_str).collect::<Vec<_>>()))
                .collect();
            let wanted: Vec<_> = wanted.iter().map(|(line, row)| (*line, row.to_vec())).collect();
            assert_eq!(rows, wanted, "{at_once} bytes at a time");
        }
    }

    #[track_caller]
    fn check_refused(table: &[u8], words: &str) {
        for at_once in [1, 5, 1000] {
            assert_eq!(read(table, at_once).unwrap_err(), words, "{at_once} bytes at a time");
        }
    }

    #[test]
    fn lines_end_in_any_way() {
        let rows: &[(u64, &[&str])] = &[(1, &["a", "b"]), (2, &["1", "2"]), (3, &["3", "4"])];
        for table in
            ["a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4", "a,b\r1,2\r3,4\r", "a,b\r\n1,2\n3,4\r"]
        {
            check(table.as_bytes(), rows);
        }
        check(b"\n\r\na\n\n\n,\nb\n  \n", &[(3, &["a"]), (7, &["b"])]);
        check(b"", &[]);
        check(b"a", &[(1, &["a"])]);
    }

    #[test]
    fn quotes_hold_commas_lines_and_quotes() {
        check(
            b"\"a,b\",\"c\"\"d\"\n\"e\nf\",g\nh,i",
            &[(1, &["a,b", "c\"d"]), (2, &["e\nf", "g"]), (4, &["h", "i"])],
        );
        check(b"\"a\"", &[(1, &["a"])]);
        check(b"a,\"\"", &[(1, &["a", ""])]);
    }

    #[test]
    fn a_mark_of_utf_8_is_passed_over() {
        check(b"\xef\xbb\xbfa,b\n", &[(1, &["a", "b"])]);
        check(b"\xef\xbb\xbf", &[]);
        check("é\n".as_bytes(), &[(1, &["é"])]);
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        check_refused(b"\xff\xfea\0", "line 1, column 1: the text is UTF-16; only UTF-8 is read");
        check_refused(b"a,b\nc,\xe9\n", "line 2, column 2: the text is not UTF-8");
        check_refused(b"a\nb\0\n", "line 2, column 1: the text has a zero byte in it");
        let words = "line 2, column 2: a quote is not closed before the end, line 3";
        check_refused(b"a,b\n1,\"2\n3", words);
        let words =
            "line 1, column 2: the cell has more than 20 bytes; perhaps a quote is not closed";
        check_refused(b"a,\"bcdefghijklmnopqrstuvwxyz\n1,2\n", words);
        check_refused(b"a,b,c,d,e\n", "line 1, column 5: there are more than 4 columns");
        let words = "line 2, column 3: the row has more than 40 bytes";
        check_refused(b"a\n01234567890123456789,01234567890123456789,0\n", words);
    }
}
