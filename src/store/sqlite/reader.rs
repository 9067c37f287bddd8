//! What is asked of the file: each function is one job of a reader's thread.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, ToSql, params};
use serde_json::Value;

use super::{
    super::{
        Body, Changed, Changes, DbName, Document, IdRange, Kind, Lookup, Order, Page, Query,
        Question, Rev, Seq,
    },
    workers::{Fault, Jobs},
};

/// A question to one of the connections that only read.
pub(super) type Job = Box<dyn FnOnce(&Connection) + Send>;

/// True of each id that is not a design document's.
const ORDINARY: &str = "NOT (id >= '_design/' AND id < '_design0')";

/// Answers jobs until the store is dropped.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns its connection and its queue")]
pub(super) fn run(connection: Connection, jobs: Jobs<Job>) {
    while let Some(job) = jobs.next() {
        job(&connection);
    }
}

pub(super) fn get(connection: &Connection, db: &DbName, id: &str) -> Result<Lookup, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT rev, deleted, body FROM documents WHERE db = ?1 AND id = ?2")?;
    let mut rows = statement.query(params![db.as_str(), id])?;
    let Some(row) = rows.next()? else { return Ok(Lookup::Missing) };
    let deleted = row.get(1)?;
    let found = document(id.to_owned(), row.get(0)?, &row.get::<_, String>(2)?)?;
    Ok(if deleted { Lookup::Deleted(found) } else { Lookup::Live(found) })
}

/// Reads them all as they were at one moment.
pub(super) fn get_many(
    connection: &Connection,
    db: &DbName,
    ids: &[String],
) -> Result<Vec<Lookup>, Fault> {
    let _moment = connection.unchecked_transaction()?;
    ids.iter().map(|id| get(connection, db, id)).collect()
}

/// Reads them all as they were at one moment.
pub(super) fn revisions(
    connection: &Connection,
    db: &DbName,
    ids: &[String],
) -> Result<Vec<Option<Rev>>, Fault> {
    let _moment = connection.unchecked_transaction()?;
    let mut statement = connection
        .prepare_cached("SELECT rev FROM documents WHERE db = ?1 AND id = ?2 AND deleted = 0")?;
    let mut revisions = Vec::with_capacity(ids.len());
    for id in ids {
        let rev: Option<String> =
            statement.query_row([db.as_str(), id], |row| row.get(0)).optional()?;
        revisions.push(rev.map(Rev::new));
    }
    Ok(revisions)
}

pub(super) fn query(connection: &Connection, db: &DbName, query: &Query) -> Result<Page, Fault> {
    must_exist(connection, db)?;
    let IdRange { from, before } = rest_of(query);
    let limit = query.limit.max(1);
    // One more than asked for tells whether this is the last page.
    let rows_wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut values: Vec<&dyn ToSql> = vec![&db.0, &from, &before, &rows_wanted];
    if let Question::Carrier(name) | Question::Owner(name) = &query.question {
        values.push(name);
    }
    let mut statement = connection.prepare_cached(&page_sql(query))?;
    let mut rows = statement.query(values.as_slice())?;
    let mut page = Page { documents: Vec::new(), next: None };
    while let Some(row) = rows.next()? {
        if page.documents.len() == limit {
            page.next = page.documents.last().map(|document| document.id.clone());
            break;
        }
        page.documents.push(document(row.get(0)?, row.get(1)?, &row.get::<_, String>(2)?)?);
    }
    Ok(page)
}

pub(super) fn carrier_counts(
    connection: &Connection,
    db: &DbName,
    range: &IdRange,
) -> Result<BTreeMap<Option<String>, u64>, Fault> {
    must_exist(connection, db)?;
    // By this index alone: the documents themselves are not touched.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT carrier, count(*) FROM documents INDEXED BY documents_by_carrier
         WHERE db = ?1 AND id >= ?2 AND id < ?3 AND deleted = 0 AND {ORDINARY}
         GROUP BY carrier"
    ))?;
    let mut rows = statement.query([db.as_str(), &range.from, &range.before])?;
    let mut counts = BTreeMap::new();
    while let Some(row) = rows.next()? {
        counts.insert(row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs());
    }
    Ok(counts)
}

pub(super) fn databases(connection: &Connection, prefix: &str) -> Result<Vec<DbName>, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM databases WHERE name >= ?1 ORDER BY name")?;
    let mut rows = statement.query([prefix])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(prefix) {
            break;
        }
        names.push(DbName(name));
    }
    Ok(names)
}

pub(super) fn changes(
    connection: &Connection,
    db: &DbName,
    since: Option<&Seq>,
    limit: usize,
) -> Result<Changes, Fault> {
    must_exist(connection, db)?;
    let mut last: i64 = match since {
        None => 0,
        Some(seq) => seq.as_str().parse().map_err(Fault::refused)?,
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, rev, deleted, seq FROM documents INDEXED BY documents_by_seq
         WHERE db = ?1 AND seq > ?2 AND {ORDINARY} ORDER BY seq LIMIT ?3"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![db.as_str(), last, limit])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        changed.push(Changed { id: row.get(0)?, rev: Rev(row.get(1)?), deleted: row.get(2)? });
        last = row.get(3)?;
    }
    Ok(Changes { rows: changed, last: Seq(last.to_string()) })
}

/// The place of the last change.
pub(super) fn version(connection: &Connection, db: &DbName) -> Result<Seq, Fault> {
    must_exist(connection, db)?;
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(seq) FROM documents WHERE db = ?1")?
        .query_row([db.as_str()], |row| row.get(0))?;
    Ok(Seq(last.unwrap_or_default().to_string()))
}

/// The same of many databases; none for one that is not there.
pub(super) fn versions(connection: &Connection, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, Fault> {
    let _moment = connection.unchecked_transaction()?;
    let told = |db: &DbName| match version(connection, db) {
        Ok(version) => Ok(Some(version)),
        Err(fault) if fault.kind == Kind::NoDatabase => Ok(None),
        Err(fault) => Err(fault),
    };
    dbs.iter().map(told).collect()
}

pub(super) fn checkpoint(
    connection: &Connection,
    db: &DbName,
    name: &str,
) -> Result<Option<Value>, Fault> {
    let value: Option<String> = connection
        .prepare_cached("SELECT value FROM checkpoints WHERE db = ?1 AND name = ?2")?
        .query_row([db.as_str(), name], |row| row.get(0))
        .optional()?;
    Ok(value.as_deref().map(serde_json::from_str).transpose()?)
}

pub(super) fn ping(connection: &Connection) -> Result<(), Fault> {
    Ok(connection.prepare_cached("SELECT last_seq FROM feed")?.query_row([], |_| Ok(()))?)
}

/// Fails with [`Kind::NoDatabase`] when there is no such database.
pub(super) fn must_exist(connection: &Connection, db: &DbName) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM databases WHERE name = ?1")?;
    if statement.exists([db.as_str()])? { Ok(()) } else { Err(Fault::new(Kind::NoDatabase)) }
}

/// The part of the range that earlier pages have not shown. SQLite walks an index from one bound
/// to the other, so a page costs what is in it and not what is before it.
fn rest_of(query: &Query) -> IdRange {
    let IdRange { mut from, mut before } = query.range.clone();
    match (&query.after, query.order) {
        (None, _) => {}
        // The next id in byte order is the same one with a zero byte behind it.
        (Some(after), Order::Ascending) => from = from.max(format!("{after}\0")),
        (Some(after), Order::Descending) => before = before.min(after.clone()),
    }
    IdRange { from, before }
}

fn page_sql(query: &Query) -> String {
    let (index, value) = match query.question {
        Question::All => ("", ""),
        Question::Carrier(_) => ("INDEXED BY documents_by_carrier", "AND carrier IS ?5"),
        Question::Owner(_) => ("INDEXED BY documents_by_owner", "AND owner IS ?5"),
    };
    let direction = match query.order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    format!(
        "SELECT id, rev, body FROM documents {index}
         WHERE db = ?1 AND id >= ?2 AND id < ?3 AND deleted = 0 AND {ORDINARY} {value}
         ORDER BY id {direction} LIMIT ?4"
    )
}

fn document(id: String, rev: String, body: &str) -> Result<Document, Fault> {
    let body: Body = serde_json::from_str(body)?;
    Ok(Document { id, rev: Rev(rev), body, conflicts: Vec::new() })
}
