//! Port requests as documents, for bringing those of older releases up to date. Their meaning for
//! numbers is in `ports`.

use serde_json::Value;

use super::{NumberRepository, RepositoryError, ports, write_id};
use crate::{
    domain::{AccountId, account_database},
    store::{
        Body, CommitError, DbName, Document, Expect, IdRange, Kind, Order, Page, Query, Question,
        Rev, WRITE_ID, Write,
    },
};

/// The document of an account that says how it appears to its customers.
const WHITELABEL: &str = "whitelabel";

/// A port request as it was read; change its members and save.
#[derive(Clone, Debug)]
pub struct PortRequest {
    /// Its id.
    pub id: String,
    /// The account that made it; none when it names none.
    pub account: Option<AccountId>,
    /// Its members.
    pub body: Body,
    rev: Rev,
}

/// A page of port requests.
#[derive(Debug)]
pub struct PortRequestPage {
    /// The requests.
    pub requests: Vec<PortRequest>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of the port requests, whatever their states. Where there is no database of them there
    /// are none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn port_requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<PortRequestPage, RepositoryError> {
        let range = IdRange { from: String::new(), before: "\u{10ffff}".to_owned() };
        let (question, order) = (Question::All, Order::Ascending);
        let query = Query { question, range, order, after, limit };
        let page = match self.store.query(&DbName::new(ports::DATABASE), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let requests = page.documents.into_iter().filter_map(read).collect();
        Ok(PortRequestPage { requests, next: page.next })
    }

    /// Saves a port request that was changed.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else changed it since it was read.
    pub async fn save_port_request(&self, request: PortRequest) -> Result<(), RepositoryError> {
        let PortRequest { id, mut body, rev, .. } = request;
        body.insert(WRITE_ID.to_owned(), write_id().into());
        let write = Write::put(DbName::new(ports::DATABASE), &*id, Expect::At(rev), body);
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(()),
            Err(CommitError { error, .. }) if error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id })
            }
            Err(CommitError { error, .. }) => Err(error.into()),
        }
    }

    /// Whom an account's own appearance names as the one who carries out its customers' ports.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn named_port_authority(
        &self,
        account: &AccountId,
    ) -> Result<Option<AccountId>, RepositoryError> {
        let db = DbName::new(account_database(account));
        let found = self.store.get(&db, WHITELABEL).await?.live();
        let named = found.as_ref().and_then(|it| it.body.get("port_authority"));
        Ok(named.and_then(Value::as_str).and_then(|text| AccountId::parse_any(text).ok()))
    }
}

fn read(document: Document) -> Option<PortRequest> {
    let text = |key: &str| document.body.get(key).and_then(Value::as_str);
    if text("pvt_type") != Some("port_request") {
        return None;
    }
    let account = text("pvt_account_id").and_then(|text| AccountId::parse_any(text).ok());
    Some(PortRequest { id: document.id, account, body: document.body, rev: document.rev })
}
