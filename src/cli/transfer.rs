//! `dump` and `load`: whole stores as lines of JSON.
//!
//! A line is `{"database": …, "doc": {"_id": …, …}}`. What a CouchDB answers to
//! `_all_docs?include_docs=true` is read as well: it has a row on each line.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, IsTerminal, Read, Write, stderr, stdin, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::wire;
use crate::{
    config::Config,
    domain::{E164, number_database},
    repository::{Arrival, Moved, TransferRepository},
};

/// How many documents are read and written at once.
const AT_ONCE: usize = 1000;
/// The most bytes of a line.
const LINE_BYTES: u64 = 16 << 20;
/// How many documents that were not stored are named.
const NAMED: usize = 20;
/// How the progress looks.
const SPINNER: &str = "{spinner} {elapsed_precise} {human_pos} documents ({per_sec}) {msg}";

#[derive(Debug, Args)]
pub(super) struct DumpArgs {
    /// The file to write; standard output when there is none.
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// The file to read; standard input when there is none.
    file: Option<PathBuf>,
    /// The database of documents that do not say theirs, as those of a CouchDB's `_all_docs`; numbers
    /// know where they belong.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
}

/// What became of the documents of a file.
#[derive(Debug, Default)]
struct Tally {
    made: u64,
    unchanged: u64,
    other: u64,
    failed: u64,
    /// The first that were not stored, and why.
    named: Vec<String>,
}

/// Writes every document of the store.
pub(super) async fn dump(config: &Config, args: DumpArgs) -> anyhow::Result<()> {
    let store = TransferRepository::new(wire::open_store(config).await?);
    let mut out: Box<dyn Write> = match &args.file {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(BufWriter::new(stdout())),
    };
    let progress = progress();
    for database in store.databases().await? {
        progress.set_message(database.clone());
        let mut after = None;
        loop {
            let (documents, next) = store.page(&database, after, AT_ONCE).await?;
            for document in &documents {
                writeln!(out, "{}", line_of(document)).context("the file cannot be written")?;
            }
            progress.inc(documents.len() as u64);
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    out.flush().context("the file cannot be written")?;
    progress.finish_and_clear();
    eprintln!("{} documents", progress.position());
    Ok(())
}

/// Stores every document of a file that is not there yet.
pub(super) async fn load(config: &Config, args: LoadArgs) -> anyhow::Result<()> {
    let store = TransferRepository::new(wire::open_store(config).await?);
    let source: Box<dyn Read> = match &args.file {
        Some(path) => {
            let file = File::open(path);
            Box::new(file.with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => Box::new(stdin()),
    };
    let mut lines = Lines { source: BufReader::new(source), number: 0 };
    let (mut tally, progress) = (Tally::default(), progress());
    loop {
        let mut batch = Vec::with_capacity(AT_ONCE);
        while batch.len() < AT_ONCE
            && let Some(line) = lines.next_line()?
        {
            let moved = moved(&line, args.database.as_deref());
            batch.append(&mut moved.with_context(|| format!("line {}", lines.number))?);
        }
        if batch.is_empty() {
            break;
        }
        let names: Vec<String> =
            batch.iter().map(|it| format!("{} {}", it.database, it.id)).collect();
        let count = names.len() as u64;
        for (name, arrival) in names.into_iter().zip(store.load(batch).await?) {
            tally.count(&name, &arrival);
        }
        progress.inc(count);
    }
    progress.finish_and_clear();
    tally.conclude()
}

impl Tally {
    fn count(&mut self, name: &str, arrival: &Arrival) {
        let why = match arrival {
            Arrival::Made => {
                self.made += 1;
                return;
            }
            Arrival::Unchanged => {
                self.unchanged += 1;
                return;
            }
            Arrival::Other => {
                self.other += 1;
                "another one is there".to_owned()
            }
            Arrival::Failed(err) => {
                self.failed += 1;
                err.to_string()
            }
        };
        if self.named.len() < NAMED {
            self.named.push(format!("{name}: {why}"));
        }
    }

    /// Says what became of all of them; an error unless all are there.
    fn conclude(self) -> anyhow::Result<()> {
        let Self { made, unchanged, other, failed, named } = self;
        println!("made {made}, unchanged {unchanged}, different {other}, failed {failed}");
        for name in named {
            eprintln!("{name}");
        }
        if other + failed > 0 {
            bail!("{} documents were not stored", other + failed);
        }
        Ok(())
    }
}

/// The lines of a file, each of a bounded length.
struct Lines<R> {
    source: BufReader<R>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn next_line(&mut self) -> anyhow::Result<Option<String>> {
        let mut line = Vec::new();
        self.number += 1;
        let read = (&mut self.source).take(LINE_BYTES).read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("line {} cannot be read", self.number))?;
        if read as u64 == LINE_BYTES {
            bail!("line {} has more than {LINE_BYTES} bytes", self.number);
        }
        if read == 0 {
            return Ok(None);
        }
        let line = String::from_utf8(line);
        Ok(Some(line.with_context(|| format!("line {} is not UTF-8", self.number))?))
    }
}

fn line_of(document: &Moved) -> Value {
    let mut doc = Map::from_iter([("_id".to_owned(), document.id.as_str().into())]);
    doc.extend(document.body.clone());
    json!({ "database": document.database, "doc": doc })
}

/// The documents on a line: one, or none of what stands around the rows of a CouchDB's answer; all of them
/// when the answer stands on one line.
fn moved(line: &str, database: Option<&str>) -> anyhow::Result<Vec<Moved>> {
    let line = line.trim();
    let row = line.strip_suffix(',').unwrap_or(line);
    let is_head = row.starts_with("{\"total_rows\"");
    if row.is_empty() || row == "]}" || row == "]" || (is_head && row.ends_with('[')) {
        return Ok(Vec::new());
    }
    let mut row: Value = serde_json::from_str(row).context("it is no JSON")?;
    if !is_head {
        return Ok(document(row, database)?.into_iter().collect());
    }
    let Some(Value::Array(rows)) = row.get_mut("rows").map(Value::take) else {
        bail!("it has no rows");
    };
    let documents = rows.into_iter().map(|row| document(row, database));
    documents.filter_map(Result::transpose).collect()
}

/// The document of a row; none of what is not to be moved.
fn document(row: Value, database: Option<&str>) -> anyhow::Result<Option<Moved>> {
    let Value::Object(mut row) = row else { bail!("it is no object") };
    let named = row.get("database").and_then(Value::as_str).map(str::to_owned);
    let doc = match row.shift_remove("doc") {
        Some(Value::Object(doc)) => doc,
        Some(_) => bail!("it has no document"),
        None => row,
    };
    let Some(id) = doc.get("_id").and_then(Value::as_str).map(str::to_owned) else {
        bail!("its document has no _id");
    };
    if id.starts_with("_design/") || doc.get("_deleted") == Some(&Value::Bool(true)) {
        return Ok(None);
    }
    let of_number = || E164::parse(&id).ok().map(|number| number_database(&number));
    let database = named.or_else(|| database.map(str::to_owned)).or_else(of_number);
    let database = database.with_context(|| format!("nothing says where {id} belongs"))?;
    let own = doc.into_iter().filter(|(name, _)| !name.starts_with('_'));
    Ok(Some(Moved { database, id, body: own.collect() }))
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

fn progress() -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(SPINNER);
    let bar = ProgressBar::new_spinner();
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, database: Option<&str>) -> Result<Vec<Value>, String> {
        let found = moved(line, database).map_err(|err| err.to_string())?;
        Ok(found.into_iter().map(|it| json!([it.database, it.id, it.body])).collect())
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let body = json!({"pvt_state": "in_service", "note": 1});
        let document = Moved {
            database: "numbers/+1415".to_owned(),
            id: "+14155550100".to_owned(),
            body: body.as_object().unwrap().clone(),
        };
        let line = line_of(&document).to_string();
        assert_eq!(moved(&line, None).unwrap(), [document]);
        let wanted = json!(["numbers/+1415", "+14155550100", body]);
        let row = "{\"id\":\"+14155550100\",\"key\":\"+14155550100\",\"value\":{\"rev\":\"1-a\"},\
                   \"doc\":{\"_id\":\"+14155550100\",\"_rev\":\"1-a\",\"pvt_state\":\"in_service\",\
                   \"note\":1}},\r\n";
        assert_eq!(read(row, None), Ok(vec![wanted.clone()]));
        let whole = format!(
            "{{\"total_rows\":2,\"offset\":0,\"rows\":[{row}{}]}}",
            row.trim_end().trim_end_matches(',')
        );
        assert_eq!(read(&whole, None), Ok(vec![wanted.clone(), wanted]));
        assert_eq!(read("{\"total_rows\":2}", None), Err("it has no rows".to_owned()));
        for around in ["{\"total_rows\":2,\"offset\":0,\"rows\":[\r\n", "]}\n", "\n"] {
            assert_eq!(read(around, None), Ok(Vec::new()));
        }
        let other = json!(["accounts", "a", {}]);
        assert_eq!(read("{\"_id\":\"a\"}", Some("accounts")), Ok(vec![other]));
        assert_eq!(read("{\"_id\":\"_design/x\"}", None), Ok(Vec::new()));
        for (line, why) in [
            ("{", "it is no JSON"),
            ("1", "it is no object"),
            ("{\"a\":1}", "its document has no _id"),
            ("{\"_id\":\"a\"}", "nothing says where a belongs"),
        ] {
            assert_eq!(read(line, None), Err(why.to_owned()));
        }
    }
}
