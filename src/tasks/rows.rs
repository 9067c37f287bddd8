//! Rows that come in, and what is done about each.
//!
//! A page never has a number twice, nor one that the page before it has, which may not be written yet: so
//! rows about one number are done in their order.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use csv::ReaderBuilder;
use tokio::sync::Mutex;

use super::{
    action::RowKind,
    columns::{Cells, row_of},
};
use crate::{
    domain::{AccountId, Actor, CarrierName, E164, Number, State},
    jobs::{JobRepository, PageContext, RowResult, Scope, Unit, Work},
    repository::Task,
    service::{
        Creation, Error, Failure, NumberService, Outfit, PageOutcome, RowDone, RowWish, Update,
    },
};

/// The rows of a task.
#[derive(Debug)]
pub(super) struct Rows {
    task: Task,
    kind: RowKind,
    actor: Actor,
    account: Option<AccountId>,
    jobs: JobRepository,
    outfit: Outfit,
    /// The chunk that was read last.
    chunk: Mutex<Option<Arc<Chunk>>>,
}

/// Rows that lie together.
#[derive(Debug)]
struct Chunk {
    number: u64,
    /// Which row of all is its first one.
    first: u64,
    rows: Vec<Vec<String>>,
}

/// Where a page begins, and where the one before it did, which may still be written: the chunk, and the
/// rows of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    chunk: u64,
    row: usize,
    before: Option<(u64, usize, usize)>,
}

/// A row as it is understood.
#[derive(Debug)]
struct Read {
    number: E164,
    wish: Option<RowWish>,
}

/// What is wrong with a row: a text for people, and its id.
type Wrong = (String, &'static str);

impl Place {
    /// Reads what [`Place::text`] wrote.
    fn read(text: Option<&str>) -> Option<Self> {
        let Some(text) = text else { return Some(Self::default()) };
        let mut parts = text.split(':').map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        let place = |part: Option<u64>| usize::try_from(part?).ok();
        let (chunk, row) = (next()?, place(next())?);
        let before = match (next(), place(next()), place(next())) {
            (Some(chunk), Some(from), Some(to)) => Some((chunk, from, to)),
            _ => None,
        };
        Some(Self { chunk, row, before })
    }

    fn text(self) -> String {
        let Self { chunk, row, before } = self;
        match before {
            Some((other, from, to)) => format!("{chunk}:{row}:{other}:{from}:{to}"),
            None => format!("{chunk}:{row}"),
        }
    }
}

impl Rows {
    pub(super) fn new(
        task: Task,
        kind: RowKind,
        actor: Actor,
        account: Option<AccountId>,
        jobs: JobRepository,
    ) -> Self {
        let outfit = Outfit::new(actor.clone());
        Self { task, kind, actor, account, jobs, outfit, chunk: Mutex::default() }
    }

    async fn chunk(&self, number: u64) -> Result<Arc<Chunk>, Error> {
        let mut last = self.chunk.lock().await;
        if let Some(chunk) = last.as_ref().filter(|chunk| chunk.number == number) {
            return Ok(chunk.clone());
        }
        let missing = || Error::Store(Arc::new(std::io::Error::other("rows of a task are gone")));
        let found = self.jobs.chunk(&self.task.id, number).await?.ok_or_else(missing)?;
        let table = ReaderBuilder::new().has_headers(false).from_reader(found.text.as_bytes());
        let rows = table.into_records().map(|row| Ok(row?.iter().map(str::to_owned).collect()));
        let rows = rows.collect::<Result<_, csv::Error>>();
        let rows = rows.map_err(|err| Error::Store(Arc::new(err)))?;
        let chunk = Arc::new(Chunk { number, first: found.first, rows });
        *last = Some(chunk.clone());
        Ok(chunk)
    }

    fn cells<'a>(&'a self, row: &'a [String]) -> Cells<'a> {
        Cells { columns: &self.task.columns, cells: row }
    }

    /// The numbers of rows, as far as they are any.
    async fn numbers(
        &self,
        service: &NumberService,
        rows: &[Vec<String>],
    ) -> Result<Vec<Option<E164>>, Error> {
        let mut numbers = Vec::with_capacity(rows.len());
        for row in rows {
            let given = self.cells(row).get("e164").unwrap_or_default();
            numbers.push(match service.parse(given).await {
                Ok(number) => Some(number),
                Err(Error::NotReconcilable(_)) => None,
                Err(err) => return Err(err),
            });
        }
        Ok(numbers)
    }

    /// Understands a row, whose number was read.
    fn read(&self, row: &[String], number: Option<&E164>) -> Result<Read, Wrong> {
        let cells = self.cells(row);
        let mut bad = Vec::new();
        let given = cells.get("e164").unwrap_or_default();
        if !given.starts_with('+') {
            bad.push("e164".to_owned());
        }
        let account = cells.get("account_id").map(AccountId::parse);
        if account.as_ref().is_some_and(Result::is_err) {
            bad.push("account_id".to_owned());
        }
        let wish = match self.kind {
            RowKind::Import => self.import(cells, &mut bad),
            RowKind::Merge | RowKind::Overwrite => Some(self.update(cells, &mut bad)),
            RowKind::Release => Some(RowWish::Release),
            RowKind::Delete => Some(RowWish::Delete),
            RowKind::Sync => Some(RowWish::Sync),
            RowKind::Find => None,
            RowKind::AssignTo => self.target(cells).map(RowWish::Assign),
            RowKind::Reserve => self.target(cells).map(RowWish::Reserve),
        };
        if !bad.is_empty() {
            return Err((format!("bad field(s) {}", bad.join(" ")), "invalid"));
        }
        let number = number.cloned().ok_or_else(|| self.wrong(&not_reconcilable(given)))?;
        if wish.is_none() && self.kind != RowKind::Find {
            let cause = "account_id is missing".to_owned();
            return Err(self.wrong(&Error::AssignFailure { cause }));
        }
        Ok(Read { number, wish })
    }

    /// The account that a row is for; none when nobody says.
    fn target(&self, cells: Cells<'_>) -> Option<AccountId> {
        match cells.get("account_id") {
            Some(id) => AccountId::parse(id).ok(),
            None => self.account.clone(),
        }
    }

    /// What a table says of an error: in words, and its id. What a carrier said is for administrators.
    fn wrong(&self, err: &Error) -> Wrong {
        let text = match err {
            Error::NotFound(_) => "not_found".to_owned(),
            Error::NoAccount(_) => "invalid account to assign to".to_owned(),
            Error::ChargesNotAccepted(_) => "accept_charges".to_owned(),
            Error::Carrier { reason: Some(reason), .. } if self.actor.is_admin => {
                format!("{err}: {reason}")
            }
            err => err.to_string(),
        };
        (text, err.id())
    }

    fn import(&self, cells: Cells<'_>, bad: &mut Vec<String>) -> Option<RowWish> {
        let mut wrong = |column: &str| bad.push(column.to_owned());
        let state = cells.get("state").filter(|_| self.actor.is_admin).map(State::parse);
        let state = state.transpose().unwrap_or_else(|_| {
            wrong("state");
            None
        });
        let carrier = cells.get("carrier_module");
        if carrier.is_some_and(|name| !NumberService::knows_carrier(name)) {
            wrong("carrier_module");
        }
        let ported_in = cells.get("ported_in");
        if ported_in.is_some_and(|flag| !matches!(flag, "true" | "false")) {
            wrong("ported_in");
        }
        let (public, mut unfit) = cells.public();
        bad.append(&mut unfit);
        let carrier = carrier.and_then(CarrierName::given).map(|name| name.to_string());
        let ported_in = ported_in == Some("true");
        let creation = Creation { public, state, carrier, ported_in };
        let account = self.target(cells)?;
        Some(RowWish::Import { account, creation })
    }

    fn update(&self, cells: Cells<'_>, bad: &mut Vec<String>) -> RowWish {
        let (public, mut unfit) = cells.public();
        bad.append(&mut unfit);
        let update = match self.kind {
            RowKind::Merge => Update::Merge(public),
            _ => Update::Replace(public),
        };
        RowWish::Update(update, cells.get("carrier_name").map(str::to_owned))
    }

    /// What became of the rows that were understood, by number.
    async fn done(
        &self,
        service: &NumberService,
        reads: Vec<Read>,
    ) -> Result<HashMap<E164, Result<RowDone, Error>>, Error> {
        let numbers: Vec<E164> = reads.iter().map(|read| read.number.clone()).collect();
        let outcomes = if self.kind == RowKind::Find {
            let found = service.find_rows(&self.actor, numbers.clone()).await?;
            let done = |view| RowDone { before: None, view, written: false };
            found.into_iter().map(|found| found.map(done)).collect()
        } else {
            let wishes = reads.into_iter().filter_map(|read| Some((read.number, read.wish?)));
            let outcomes = service.change_rows(&self.actor, wishes.collect()).await?;
            self.outfit.plan(outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()));
            outcomes
        };
        Ok(numbers.into_iter().zip(outcomes).collect())
    }
}

#[async_trait]
impl Work for Rows {
    async fn units(&self, _: &NumberService, _: &Scope, _: usize) -> Result<Vec<Unit>, Error> {
        Ok(vec![Unit::Whole])
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let place = Place::read(page.after).ok_or_else(|| {
            Error::Store(Arc::new(std::io::Error::other("the place of a page cannot be read")))
        })?;
        let mut taken: HashSet<E164> = HashSet::new();
        if let Some((chunk, from, to)) = place.before {
            let chunk = self.chunk(chunk).await?;
            let rows = chunk.rows.get(from..to).unwrap_or_default();
            taken.extend(self.numbers(page.service, rows).await?.into_iter().flatten());
        }
        let chunk = self.chunk(place.chunk).await?;
        let rest = chunk.rows.get(place.row..).unwrap_or_default();
        let rows = &rest[..rest.len().min(page.limit)];
        let numbers = self.numbers(page.service, rows).await?;
        let mut own = HashSet::new();
        let is_new = |number: &&Option<E164>| {
            number.as_ref().is_none_or(|it| !taken.contains(it) && own.insert(it.clone()))
        };
        let fit = numbers.iter().take_while(is_new).count();
        if fit == 0 && !rows.is_empty() {
            // The page before is written first.
            let next = Some(Place { before: None, ..place }.text());
            return Ok(PageOutcome { next, ..PageOutcome::default() });
        }
        let (rows, end) = (&rows[..fit], place.row + fit);
        let understood: Vec<Result<Read, Wrong>> =
            rows.iter().zip(&numbers).map(|(row, it)| self.read(row, it.as_ref())).collect();
        let mut outcome = PageOutcome { read: rows.len() as u64, ..PageOutcome::default() };
        let mut wrongs: Vec<Option<Wrong>> = Vec::with_capacity(rows.len());
        let mut reads = Vec::with_capacity(rows.len());
        for understood in understood {
            match understood {
                Ok(read) => {
                    reads.push(read);
                    wrongs.push(None);
                }
                Err(wrong) => wrongs.push(Some(wrong)),
            }
        }
        let mut done = self.done(page.service, reads).await?;
        let views: Vec<&Number> = done.values().flatten().map(|it| &it.view.number).collect();
        let holders = page.service.holders(&views).await?;
        let first = chunk.first + place.row as u64;
        for (((row, cells), number), misread) in (first..).zip(rows).zip(&numbers).zip(wrongs) {
            let done = number.as_ref().and_then(|number| done.remove(number));
            let failed = match (misread, done) {
                (Some(misread), _) => misread,
                (None, Some(Ok(done))) => {
                    outcome.unchanged += u64::from(!done.written);
                    let number = &done.view.number;
                    let holder = number.owner.as_ref().and_then(|owner| holders.get(owner));
                    let cells = row_of(number, holder.map(String::as_str));
                    outcome.rows.push(RowResult { row, cells, error: None });
                    continue;
                }
                (None, Some(Err(err))) => self.wrong(&err),
                (None, None) => ("internal".to_owned(), "unspecified_fault"),
            };
            let (message, error) = failed;
            let cells = self.cells(cells).shown();
            let failure = Failure { error: error.to_owned(), message: message.clone() };
            outcome.failed.push((cells[0].clone(), failure));
            outcome.rows.push(RowResult { row, cells, error: Some(message) });
        }
        let before = Some((place.chunk, place.row, end));
        let next = if end < chunk.rows.len() {
            Some(Place { chunk: place.chunk, row: end, before })
        } else if place.chunk + 1 < self.task.chunks {
            Some(Place { chunk: place.chunk + 1, row: 0, before })
        } else {
            None
        };
        outcome.next = next.map(Place::text);
        Ok(outcome)
    }

    fn gives_back(&self) -> bool {
        matches!(self.kind, RowKind::Delete | RowKind::Release)
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        service.fit_out(&self.outfit, ids).await
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        service.end_fitting(&self.outfit, ids).await;
    }

    async fn unwritten(&self, _: &Unit, row: &RowResult, why: &str) -> Result<RowResult, Error> {
        let (mut low, mut high) = (0, self.task.chunks);
        while low < high {
            let middle = low.midpoint(high);
            let chunk = self.chunk(middle).await?;
            let place = row.row.checked_sub(chunk.first);
            let Some(place) = place.and_then(|place| usize::try_from(place).ok()) else {
                high = middle;
                continue;
            };
            if let Some(cells) = chunk.rows.get(place) {
                let (cells, error) = (self.cells(cells).shown(), Some(why.to_owned()));
                return Ok(RowResult { row: row.row, cells, error });
            }
            low = middle + 1;
        }
        Ok(RowResult { error: Some(why.to_owned()), ..row.clone() })
    }
}

fn not_reconcilable(given: &str) -> Error {
    Error::NotReconcilable(given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [
            Place::default(),
            Place { chunk: 3, row: 17, before: None },
            Place { chunk: 3, row: 0, before: Some((2, 10, 400)) },
        ] {
            assert_eq!(Place::read(Some(&place.text())), Some(place));
        }
        assert_eq!(Place::read(None), Some(Place::default()));
        assert_eq!(Place::read(Some("x")), None);
    }
}
