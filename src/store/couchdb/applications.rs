//! Which documents of an account route which numbers, from the view `applications` of its database:
//! key the number, value the application.
//!
//! By ICU's rules different keys can be equal, so rows of other numbers can come along, and the
//! same row for each of two such numbers.

use std::collections::{BTreeSet, HashMap};

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{Application, DbName, Kind, routing},
    CouchStore,
    failure::Failure,
    indexes::APPLICATIONS,
    read::Rows,
};

#[derive(Deserialize)]
struct AppRow {
    id: String,
    key: String,
    value: String,
}

impl CouchStore {
    /// The documents that route each of these numbers: one request per bulk of numbers.
    pub(super) async fn look_up_applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, Failure> {
        if numbers.is_empty() {
            self.empty_page(db).await?;
        }
        let mut found: HashMap<String, BTreeSet<Application>> = HashMap::new();
        for numbers in numbers.chunks(self.config.bulk_size) {
            let request = self
                .on_database(Method::POST, db, &APPLICATIONS.path())
                .body(json!({ "keys": numbers }).to_string());
            let answer = self.read_view(db, APPLICATIONS, &request).await?;
            for AppRow { id, key, value } in answer.decode::<Rows<AppRow>>()?.rows {
                let app = routing::app_named(&value).ok_or(Failure::Own(
                    Kind::Unexpected,
                    "the index names an application that there is not",
                ))?;
                found.entry(key).or_default().insert(Application { app, id });
            }
        }
        let of =
            |number: &String| found.get(number).into_iter().flatten().cloned().collect::<Vec<_>>();
        Ok(numbers.iter().map(of).collect())
    }
}
