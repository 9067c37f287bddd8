//! Pages of the numbers of a database that are in a state, or somebody's.

use super::{NumberRepository, RepositoryError, carriers::ids, codec};
use crate::{
    domain::{AccountId, Number, NumberDatabase, State},
    store::{Body, DbName, Kind, Order, Page, Query, Question},
};

/// Which numbers are wanted.
#[derive(Clone, Copy, Debug)]
pub enum Pick<'a> {
    /// All.
    Any,
    /// Those in one of these states.
    In(&'a [State]),
    /// Those of an account, as far as the index of owners knows: it may be behind.
    Of(&'a AccountId),
    /// Those of nobody, as far as the index of owners knows.
    OfNobody,
}

/// A page of numbers.
#[derive(Debug)]
pub struct PickedPage {
    /// How many documents were looked at.
    pub read: u64,
    /// The numbers that were picked, each lying where it belongs.
    pub numbers: Vec<Number>,
    /// The documents that would have been and cannot be read, and why.
    pub unreadable: Vec<(String, RepositoryError)>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of the numbers of a database, those whose ids begin with `prefix` or all.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn pick(
        &self,
        database: &NumberDatabase,
        pick: Pick<'_>,
        prefix: Option<&str>,
        after: Option<String>,
        limit: usize,
    ) -> Result<PickedPage, RepositoryError> {
        let question = match pick {
            Pick::Any | Pick::In(_) => Question::All,
            Pick::Of(account) => Question::Owner(Some(account.to_string())),
            Pick::OfNobody => Question::Owner(None),
        };
        let query = Query { question, range: ids(prefix), order: Order::Ascending, after, limit };
        let page = match self.store.query(&DbName::new(database.as_str()), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let read = page.documents.len() as u64;
        let mut picked =
            PickedPage { read, numbers: Vec::new(), unreadable: Vec::new(), next: page.next };
        for document in page.documents {
            if !pick.takes(&document.body) {
                continue;
            }
            match self.decode_document(document) {
                Ok((number, _)) if NumberDatabase::from(&number.id) == *database => {
                    picked.numbers.push(number);
                }
                Ok(_) => (),
                Err(unreadable) => picked.unreadable.push(unreadable),
            }
        }
        Ok(picked)
    }
}

impl Pick<'_> {
    /// Whether a document is one of those, whatever an index says.
    fn takes(self, body: &Body) -> bool {
        match self {
            Self::Any => true,
            Self::In(states) => {
                let stored = codec::stored_state(body);
                states.iter().any(|state| stored == Some(state.as_str()))
            }
            Self::Of(account) => codec::owner(body).as_ref() == Some(account),
            Self::OfNobody => codec::owner(body).is_none(),
        }
    }
}
