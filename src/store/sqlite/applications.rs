//! The table of which document routes which number: written with the documents, and filled from them
//! when a file of an older build is opened.

use rusqlite::{Connection, params};

use super::{
    super::{Application, Body, DbName, Kind, routing},
    reader::must_exist,
    workers::Fault,
};

/// What a document routes, ready to be written.
#[derive(Debug)]
pub(super) struct Routed {
    app: &'static str,
    numbers: Vec<String>,
}

impl Routed {
    /// What a live document with this body routes.
    pub(super) fn of(body: &Body) -> Option<Self> {
        let (app, numbers) = routing::routed(body)?;
        Some(Self { app, numbers: numbers.into_iter().map(str::to_owned).collect() })
    }

    fn write(&self, connection: &Connection, db: &str, document: &str) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO applications (db, number, app, document) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for number in &self.numbers {
            statement.execute(params![db, number, self.app, document])?;
        }
        Ok(())
    }
}

/// Makes the table say what a document that was just written routes. `is_new` saves looking for
/// what it routed before.
pub(super) fn replace(
    connection: &Connection,
    db: &DbName,
    document: &str,
    is_new: bool,
    routed: Option<&Routed>,
) -> Result<(), Fault> {
    if !is_new {
        connection
            .prepare_cached("DELETE FROM applications WHERE db = ?1 AND document = ?2")?
            .execute([db.as_str(), document])?;
    }
    if let Some(routed) = routed {
        routed.write(connection, db.as_str(), document)?;
    }
    Ok(())
}

/// The documents that route each of these numbers, all as they were at one moment.
pub(super) fn look_up(
    connection: &Connection,
    db: &DbName,
    numbers: &[String],
) -> Result<Vec<Vec<Application>>, Fault> {
    let _moment = connection.unchecked_transaction()?;
    must_exist(connection, db)?;
    let mut statement = connection.prepare_cached(
        "SELECT app, document FROM applications WHERE db = ?1 AND number = ?2
         ORDER BY app, document",
    )?;
    let mut found = Vec::with_capacity(numbers.len());
    for number in numbers {
        let mut rows = statement.query([db.as_str(), number])?;
        let mut of_number = Vec::new();
        while let Some(row) = rows.next()? {
            let app = routing::app_named(&row.get::<_, String>(0)?)
                .ok_or_else(|| Fault::new(Kind::Unexpected))?;
            of_number.push(Application { app, id: row.get(1)? });
        }
        found.push(of_number);
    }
    Ok(found)
}

/// Fills the table from the documents that are there.
pub(super) fn fill(connection: &Connection) -> rusqlite::Result<()> {
    let mut documents = connection.prepare(
        "SELECT db, id, body FROM documents
         WHERE deleted = 0 AND NOT (id >= '_design/' AND id < '_design0')",
    )?;
    let mut rows = documents.query([])?;
    while let Some(row) = rows.next()? {
        let (db, id, body): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        // What cannot be read is told to who asks for the document.
        let body = serde_json::from_str::<Body>(&body).ok();
        if let Some(routed) = body.as_ref().and_then(Routed::of) {
            routed.write(connection, &db, &id)?;
        }
    }
    Ok(())
}
