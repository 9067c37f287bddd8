//! Reading what was written to a number, the latest first.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{DATABASES, Entry, Ground};
use crate::{
    domain::{E164, number_database},
    repository::{NumberRepository, RepositoryError},
    store::{Body, DbName, IdRange, Order, Query, Question},
};

/// How many writes are looked for in the next page, at most: one, and one for each process that died
/// between an entry and its number.
const MOST_OPEN: usize = 16;

/// A page of what was written to a number.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The writes, the latest first, each with whether it is known to have happened.
    pub entries: Vec<(Entry, bool)>,
    /// Where the next page goes on; none when this was the last.
    pub next: Option<HistoryKey>,
}

/// A place in what was written to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryKey {
    month: String,
    after: String,
    /// Writes that what was shown names, and that were not shown yet.
    follows: Vec<String>,
}

impl History {
    /// The place from which all of these are read.
    #[must_use]
    pub fn start(&self) -> Option<HistoryKey> {
        let place =
            |(entry, is_known): &(Entry, bool)| (entry.place(), *is_known, entry.write.clone());
        let ((db, id), is_known, write) = self.entries.iter().map(place).max()?;
        // Behind what there is not, and what comes next is this one.
        let (month, after) = (month_of(&db), format!("{id}~"));
        Some(HistoryKey { month, after, follows: is_known.then_some(write).into_iter().collect() })
    }
}

impl HistoryKey {
    /// Reads a place.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut words = text.split(' ').map(str::to_owned);
        let (month, after) = (words.next()?, words.next()?);
        let is_month = month.len() == 6 && month.bytes().all(|it| it.is_ascii_digit());
        is_month.then(|| Self { month, after, follows: words.collect() })
    }
}

impl std::fmt::Display for HistoryKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{} {}", self.month, self.after);
        for follows in &self.follows {
            text.extend([" ", follows]);
        }
        f.write_str(&URL_SAFE_NO_PAD.encode(text))
    }
}

impl NumberRepository {
    /// A page of what was written to a number, the latest first.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn history(
        &self,
        id: &E164,
        from: Option<HistoryKey>,
        limit: usize,
    ) -> Result<History, RepositoryError> {
        let mut months: Vec<DbName> = self.store.databases(DATABASES).await?;
        months.reverse();
        if let Some(from) = &from {
            let first = DbName::new(format!("{DATABASES}{}", from.month));
            months.retain(|month| *month <= first);
        }
        let mut known: Vec<String> = match &from {
            Some(from) => from.follows.clone(),
            None => self.last_write(id).await?.into_iter().collect(),
        };
        let mut after = from.map(|from| from.after);
        let (mut entries, mut next) = (Vec::new(), None);
        for db in months {
            let month = month_of(&db);
            let left = limit - entries.len();
            if left == 0 {
                // From its latest write on.
                next = Some(HistoryKey { month, after: format!("{id}@~"), follows: Vec::new() });
                break;
            }
            let (found, more) = self.of_month(&db, id, after.take(), left).await?;
            entries.extend(found);
            if let Some(after) = more {
                next = Some(HistoryKey { month, after, follows: Vec::new() });
                break;
            }
        }
        in_order(&mut entries);
        known.extend(entries.iter().filter_map(|entry| entry.follows.clone()));
        if let Some(next) = &mut next {
            let is_open = |name: &&String| !entries.iter().any(|entry| entry.write == **name);
            next.follows = known.iter().rev().filter(is_open).take(MOST_OPEN).cloned().collect();
        }
        let shown = entries.into_iter().map(|entry| {
            let is_known = known.contains(&entry.write);
            (entry, is_known)
        });
        Ok(History { entries: shown.collect(), next })
    }

    /// The name of the write that is stored as the number, or as what is left of it.
    async fn last_write(&self, id: &E164) -> Result<Option<String>, RepositoryError> {
        let db = DbName::new(number_database(id));
        Ok(Ground::of(&self.store.get(&db, id.as_str()).await?).write)
    }

    async fn of_month(
        &self,
        month: &DbName,
        id: &E164,
        mut after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Entry>, Option<String>), RepositoryError> {
        let range = IdRange::starting_with(&format!("{id}@"));
        let mut entries = Vec::new();
        loop {
            let (question, order) = (Question::All, Order::Descending);
            let left = limit - entries.len();
            let query = Query { question, range: range.clone(), order, after, limit: left };
            let page = self.store.query(month, &query).await?;
            let read = |body: Body| serde_json::from_value(Value::Object(body)).ok();
            entries.extend(page.documents.into_iter().filter_map(|it| read(it.body)));
            after = page.next;
            if after.is_none() || entries.len() >= limit {
                return Ok((entries, after));
            }
        }
    }
}

fn month_of(db: &DbName) -> String {
    db.as_str().trim_start_matches(DATABASES).to_owned()
}

/// Puts writes of the same second in their order, the latest first.
fn in_order(entries: &mut [Entry]) {
    for at in 1..entries.len() {
        let mut at = at;
        // What follows another one comes before it here.
        while at > 0
            && entries[at - 1].time == entries[at].time
            && entries[at].follows.as_deref() == Some(&*entries[at - 1].write)
        {
            entries.swap(at - 1, at);
            at -= 1;
        }
    }
}
