//! The rows of a listing, in the form that the client wants: a page at once, or one after the other
//! while they are read, so that a long list needs no more memory than a short one.

use std::time::Duration;

use axum::body::Bytes;
use futures::{Stream, StreamExt, stream};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    domain::shielded,
    service::{Error, NumberView, Port, Walk},
};

use super::{fault::Fault, shape};

/// The columns of a table, in order; the first is the number itself.
const COLUMNS: [&str; 13] = [
    "number",
    "state",
    "features",
    "features_allowed",
    "features_denied",
    "features_available",
    "assigned_to",
    "used_by",
    "locality",
    "created",
    "updated",
    "port_id",
    "port_state",
];

/// A number and its row.
type Row = (String, Map<String, Value>);

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the data of an envelope.
    Json {
        /// Whether people read it.
        pretty: bool,
    },
    /// As a table.
    Csv,
}

/// A list whose first rows were read.
#[derive(Debug)]
pub(super) struct Rows {
    first: Vec<Row>,
    walk: Option<Walk>,
    ports: Vec<Port>,
    /// What descendants are billed for.
    cascade: u64,
    patience: Duration,
}

/// Why a list ends before its end: the connection is broken off then, so that nobody takes it for
/// whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The next rows did not come in time.
    #[error("the next rows did not come in time")]
    Slow,
    /// They could not be read.
    #[error("the next rows cannot be read")]
    Unreadable(#[from] Error),
    /// They could not be written as a table.
    #[error("the next rows cannot be written")]
    Unwritable(#[from] csv::Error),
}

impl Rows {
    /// A page that was read whole.
    pub(super) fn of_page(numbers: &[NumberView], ports: Vec<Port>, cascade: u64) -> Self {
        Self { first: rows(numbers), walk: None, ports, cascade, patience: Duration::MAX }
    }

    /// A list that is read while it is written; each time it must go on within `patience`. What
    /// fails at the first rows is an ordinary fault.
    pub(super) async fn of_walk(
        mut walk: Walk,
        ports: Vec<Port>,
        cascade: u64,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let mut first = Vec::new();
        while first.is_empty()
            && let Some(numbers) = walk.next().await?
        {
            first = rows(&numbers);
        }
        Ok(Self { first, walk: Some(walk), ports, cascade, patience })
    }

    /// The data of an envelope, whole.
    pub(super) fn data(self) -> Value {
        let mut numbers: Map<String, Value> =
            self.first.into_iter().map(|(number, row)| (number, Value::Object(row))).collect();
        numbers.extend(self.ports.iter().map(port_row).map(|(id, row)| (id, Value::Object(row))));
        let mut data = Map::new();
        data.insert("numbers".to_owned(), Value::Object(numbers));
        data.insert("cascade_quantity".to_owned(), self.cascade.into());
        Value::Object(data)
    }

    /// The rows as bytes, as they are read.
    pub(super) fn write(self, form: Form) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
        let Self { first, walk, ports, cascade, patience } = self;
        let head = stream::once(async move { form.head() });
        let tail = stream::once(async move { Ok(form.tail(cascade)) });
        let reading = Reading { first: Some(first), walk, ports: Some(ports), patience };
        let pages =
            stream::try_unfold((reading, true), move |(mut reading, is_first)| async move {
                let Some(rows) = reading.next().await? else {
                    return Ok(None);
                };
                let text = form.write(&rows, is_first)?;
                Ok(Some((text, (reading, is_first && rows.is_empty()))))
            });
        let logged = |part: &Result<Bytes, Broken>| {
            if let Err(broken) = part {
                let cause: &(dyn std::error::Error + 'static) = broken;
                tracing::error!(error = cause, "a list is broken off");
            }
        };
        head.chain(pages).chain(tail).inspect(logged)
    }
}

/// The reading of a list that is under way.
struct Reading {
    first: Option<Vec<Row>>,
    walk: Option<Walk>,
    ports: Option<Vec<Port>>,
    patience: Duration,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Vec<Row>>, Broken> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if let Some(walk) = &mut self.walk {
            match timeout(self.patience, walk.next()).await.map_err(|_| Broken::Slow)?? {
                Some(numbers) => return Ok(Some(rows(&numbers))),
                None => self.walk = None,
            }
        }
        Ok(self.ports.take().map(|ports| ports.iter().map(port_row).collect()))
    }
}

impl Form {
    fn head(self) -> Result<Bytes, Broken> {
        Ok(match self {
            Self::Json { pretty: false } => Bytes::from_static(b"{\"numbers\":{"),
            Self::Json { pretty: true } => Bytes::from_static(b"{\n    \"numbers\": {"),
            Self::Csv => table(|table| table.write_record(COLUMNS))?,
        })
    }

    fn tail(self, cascade: u64) -> Bytes {
        match self {
            Self::Json { pretty: false } => format!("}},\"cascade_quantity\":{cascade}}}").into(),
            Self::Json { pretty: true } => {
                format!("\n    }},\n    \"cascade_quantity\": {cascade}\n  }}").into()
            }
            Self::Csv => Bytes::new(),
        }
    }

    fn write(self, rows: &[Row], is_first: bool) -> Result<Bytes, Broken> {
        match self {
            Self::Json { pretty } => Ok(members(rows, is_first, pretty).into()),
            Self::Csv => {
                table(|table| rows.iter().try_for_each(|row| table.write_record(cells(row))))
            }
        }
    }
}

/// Rows as members of an object that is being written.
fn members(rows: &[Row], is_first: bool, pretty: bool) -> String {
    let mut text = String::new();
    for (index, (number, row)) in rows.iter().enumerate() {
        if index > 0 || !is_first {
            text.push(',');
        }
        let key = Value::from(number.as_str()).to_string();
        if pretty {
            let row = serde_json::to_string_pretty(row).expect("a row has text keys only");
            text.extend(["\n      ", &key, ": ", &row.replace('\n', "\n      ")]);
        } else {
            let row = serde_json::to_string(row).expect("a row has text keys only");
            text.extend([&*key, ":", &row]);
        }
    }
    text
}

fn table(
    write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>,
) -> Result<Bytes, Broken> {
    let mut table = csv::Writer::from_writer(Vec::new());
    write(&mut table)?;
    let bytes = table.into_inner().map_err(|err| csv::Error::from(err.into_error()))?;
    Ok(bytes.into())
}

/// The cells of a row. No cell but the number's own begins like a formula.
fn cells((number, row): &Row) -> Vec<String> {
    let own = |column: &&str| cell(row.get(*column).unwrap_or(&Value::Null));
    let others = COLUMNS.iter().skip(1).map(own);
    [number.clone()].into_iter().chain(others).collect()
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    shielded(&text)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rows(numbers: &[NumberView]) -> Vec<Row> {
    numbers.iter().map(|view| (view.number.id.to_string(), shape::row(view))).collect()
}

fn port_row(port: &Port) -> Row {
    (port.number.to_string(), super::porting::row(port))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "written as literals")]
    fn row(members: Value) -> Row {
        ("+14155550100".to_owned(), members.as_object().unwrap().clone())
    }

    #[test]
    fn no_cell_but_the_number_begins_like_a_formula() {
        for (used_by, shown) in [
            ("callflow", "callflow"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("a=b", "a=b"),
        ] {
            let cells = cells(&row(json!({"state": "in_service", "used_by": used_by})));
            assert_eq!((&*cells[0], &*cells[1], &*cells[7]), ("+14155550100", "in_service", shown));
        }
    }

    #[test]
    fn a_table_has_a_cell_for_each_column() {
        let members = json!({"features": ["cnam", "local"], "created": 7, "unknown": 1});
        let text = Form::Csv.write(&[row(members)], true).unwrap();
        assert_eq!(text, "+14155550100,,\"cnam,local\",,,,,,,7,,,\n");
        let quoted = Form::Csv.write(&[row(json!({"used_by": "a\"b\nc"}))], true).unwrap();
        assert_eq!(quoted, "+14155550100,,,,,,,\"a\"\"b\nc\",,,,,\n");
    }

    #[test]
    fn what_is_written_in_parts_is_one_object() {
        for pretty in [false, true] {
            let form = Form::Json { pretty };
            let mut text = form.head().unwrap().to_vec();
            text.extend(form.write(&[], true).unwrap());
            text.extend(form.write(&[row(json!({"a": "x\ny"}))], true).unwrap());
            text.extend(form.write(&[("b".to_owned(), Map::new())], false).unwrap());
            text.extend(form.tail(3));
            let data: Value = serde_json::from_slice(&text).unwrap();
            let numbers = json!({"+14155550100": {"a": "x\ny"}, "b": {}});
            assert_eq!(data, json!({"numbers": numbers, "cascade_quantity": 3}));
        }
    }
}
