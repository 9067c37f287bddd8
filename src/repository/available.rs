//! Finding numbers that can be had: free ones in the number databases, reserved ones in an account's.

use super::{NumberRepository, RepositoryError, Span};
use crate::{
    domain::{AccountId, CarrierName, E164, Number, Prefix, State, number_database},
    store::{DbName, IdRange, Kind, Lookup, Order, Page, Query, Question},
};

/// How many documents are read at once.
const PAGE: usize = 500;

/// Whether a number can be had, by its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no document.
    Absent,
    /// It is available and nobody's.
    Free,
    /// It is neither.
    Taken,
}

impl NumberRepository {
    /// The lowest numbers under a prefix that are available, free and of this carrier, at most
    /// `limit` of them. The index may lag; the documents decide.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn available(
        &self,
        prefix: &Prefix,
        carrier: &CarrierName,
        limit: usize,
    ) -> Result<Vec<Number>, RepositoryError> {
        let mut all = Vec::new();
        for stored in self.spellings(carrier) {
            all.extend(self.available_under(prefix, carrier, stored, limit).await?);
        }
        all.sort_by(|a: &Number, b| a.id.cmp(&b.id));
        all.truncate(limit);
        Ok(all)
    }

    /// The names under which documents of this carrier are stored.
    fn spellings(&self, carrier: &CarrierName) -> Vec<Option<String>> {
        let mut names = vec![Some(carrier.as_str().to_owned())];
        names.extend(carrier.short().map(|short| Some(format!("wnm_{short}"))));
        if self.settings.carrier_of_new_numbers() == *carrier {
            names.push(None);
        }
        names
    }

    async fn available_under(
        &self,
        prefix: &Prefix,
        carrier: &CarrierName,
        stored: Option<String>,
        limit: usize,
    ) -> Result<Vec<Number>, RepositoryError> {
        let db = DbName::new(prefix.database().as_str());
        let mut query = Query {
            question: Question::Carrier(stored),
            range: IdRange::starting_with(prefix.as_str()),
            order: Order::Ascending,
            after: None,
            limit: PAGE,
        };
        let mut found = Vec::new();
        loop {
            let page = match self.store.query(&db, &query).await {
                Err(err) if err.kind == Kind::NoDatabase => {
                    Page { documents: Vec::new(), next: None }
                }
                page => page?,
            };
            for document in page.documents {
                match self.decode_document(document) {
                    Ok((number, _)) if is_free(&number) && number.carrier == *carrier => {
                        found.push(number);
                    }
                    Ok(_) => (),
                    Err((id, err)) => {
                        let cause: &(dyn std::error::Error + 'static) = &err;
                        tracing::warn!(number = id, error = cause, "left out of a search");
                    }
                }
            }
            query.after = page.next;
            if query.after.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// The lowest numbers under a prefix that an account holds reserved, at most `limit` of them.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn reserved_by(
        &self,
        account: &AccountId,
        prefix: &Prefix,
        limit: usize,
    ) -> Result<Vec<Number>, RepositoryError> {
        let range = IdRange::starting_with(prefix.as_str());
        let span = Span { from: Some(range.from), to: Some(range.before), descending: false };
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.held_by(account, &span, after, PAGE).await?;
            let numbers = page.numbers.into_iter().map(|(number, _)| number);
            found.extend(numbers.filter(|number| {
                number.state == State::Reserved
                    && number.owner.as_ref() == Some(account)
                    && number.id.as_str().starts_with(prefix.as_str())
            }));
            after = page.next;
            if after.is_none() || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// Whether these numbers, all of one number database, can be had, in the order asked. A document
    /// that cannot be read is somebody's.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn standing(&self, ids: &[E164]) -> Result<Vec<Standing>, RepositoryError> {
        let Some(first) = ids.first() else {
            return Ok(Vec::new());
        };
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let found = self.store.get_many(&DbName::new(number_database(first)), &names).await?;
        let standing = |(id, found): (&E164, Lookup)| match found.live() {
            None => Standing::Absent,
            Some(document) => match self.decode(id, &document.body) {
                Ok(number) if is_free(&number) => Standing::Free,
                _ => Standing::Taken,
            },
        };
        Ok(ids.iter().zip(found).map(standing).collect())
    }
}

fn is_free(number: &Number) -> bool {
    number.state == State::Available && number.owner.is_none()
}
