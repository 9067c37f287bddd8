//! What the documents of many numbers come to, for somebody who compares them with a copy.

use super::{NumberRepository, RepositoryError, Span, mirror, strays::is_of_number};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::digest,
    store::{DbName, IdRange, Order, Query, Question},
};

/// How many documents are read at once.
const READ_AT_ONCE: usize = 500;

/// What some documents come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many there are.
    pub count: u64,
    sum: u64,
}

/// Whose documents are summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Summed {
    /// Those of the numbers of a database.
    Numbers(NumberDatabase),
    /// The copies that an account holds.
    Copies(AccountId),
}

impl Sum {
    /// Adds a document, by what it comes to.
    pub fn add(&mut self, fingerprint: u64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(fingerprint);
    }

    /// As others show it.
    #[must_use]
    pub fn digest(&self) -> String {
        digest::shown(self.sum)
    }
}

impl Summed {
    fn database(&self) -> DbName {
        match self {
            Self::Numbers(database) => DbName::new(database.as_str()),
            Self::Copies(account) => mirror::database(account),
        }
    }

    /// The name of the database.
    #[must_use]
    pub fn name(&self) -> String {
        self.database().to_string()
    }
}

impl NumberRepository {
    /// Goes through the documents of numbers that begin so (all without), in order, and says what each
    /// comes to. What is no number's document is left out.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], also where there is no such database.
    pub async fn sum_up(
        &self,
        of: &Summed,
        prefix: Option<&str>,
        mut take: impl FnMut(E164, u64) + Send,
    ) -> Result<(), RepositoryError> {
        let range = prefix.map_or_else(|| Span::default().ids(), IdRange::starting_with);
        let (question, order) = (Question::All, Order::Ascending);
        let mut query = Query { question, range, order, after: None, limit: READ_AT_ONCE };
        loop {
            let page = self.store.query(&of.database(), &query).await?;
            for document in page.documents.iter().filter(|it| is_of_number(it)) {
                if let Ok(number) = E164::parse(&document.id) {
                    take(number, digest::fingerprint(&document.id, &document.body));
                }
            }
            query.after = page.next;
            if query.after.is_none() {
                return Ok(());
            }
        }
    }
}
