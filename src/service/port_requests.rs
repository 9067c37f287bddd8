//! Port requests of older releases, which lack what newer ones read in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Account, Error, NumberService, PageOutcome};
use crate::{
    domain::AccountId,
    repository::{PortRequest, RepositoryError},
};

/// Where a comment says that only the operator may read it, and where it once did.
const PRIVATE: &str = "is_private";
const OLD_PRIVATE: &str = "superduper_comment";
/// Members that are made from the account.
const OF_ACCOUNT: [&str; 4] =
    ["pvt_tree", "pvt_account_name", "pvt_port_authority", "pvt_port_authority_name"];

/// Members by account: the requests of a page are of few.
type Known = BTreeMap<AccountId, Map<String, Value>>;

impl NumberService {
    /// Adds to a page of port requests what is missing: the accounts above, the account's name, and
    /// who carries it out. A request whose account is missing stays as it is and is reported.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one request is in the outcome.
    pub async fn migrate_port_requests_page(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.port_requests(after.map(str::to_owned), limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        let mut known = Known::new();
        for mut request in page.requests {
            outcome.read += 1;
            let id = request.id.clone();
            match self.complete_request(&mut request, &mut known).await {
                Ok(false) => outcome.unchanged += 1,
                Ok(true) => match self.numbers.save_port_request(request).await {
                    Ok(()) => (),
                    Err(RepositoryError::Conflict { .. }) => outcome.fail(id, &Error::Conflict),
                    Err(err) => return Err(err.into()),
                },
                Err(err @ (Error::NoAccount(_) | Error::Invalid { .. })) => outcome.fail(id, &err),
                Err(err) => return Err(err),
            }
        }
        Ok(outcome)
    }

    /// Adds what is missing; returns whether anything was.
    async fn complete_request(
        &self,
        request: &mut PortRequest,
        known: &mut Known,
    ) -> Result<bool, Error> {
        let mut is_changed = rename_flags(&mut request.body);
        if OF_ACCOUNT.iter().all(|key| request.body.contains_key(*key)) {
            return Ok(is_changed);
        }
        let no_account = || Error::Invalid { cause: "it names no account".to_owned() };
        let id = request.account.as_ref().ok_or_else(no_account)?;
        if !known.contains_key(id) {
            known.insert(id.clone(), self.members_of_requests(id).await?);
        }
        for (key, value) in &known[id] {
            if !request.body.contains_key(key) {
                request.body.insert(key.clone(), value.clone());
                is_changed = true;
            }
        }
        Ok(is_changed)
    }

    /// The members that an account's requests have.
    async fn members_of_requests(&self, id: &AccountId) -> Result<Map<String, Value>, Error> {
        let account = self.account(id).await?;
        let authority = self.port_authority(&account).await?;
        let authority = self.accounts.get(&authority).await?.map_or_else(
            || (authority.to_string(), None),
            |found| (found.id.to_string(), Some(found.name.clone())),
        );
        let tree: Vec<&str> = account.ancestors.iter().map(AccountId::as_str).collect();
        let name = Some(account.name.clone()).filter(|name| !name.is_empty());
        let values = [
            Some(Value::from(tree)),
            name.map(Value::from),
            Some(Value::from(authority.0)),
            authority.1.filter(|name| !name.is_empty()).map(Value::from),
        ];
        let members = OF_ACCOUNT.into_iter().zip(values);
        Ok(members.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect())
    }

    /// Who carries out an account's ports: whom it names, else whom the nearest account above names
    /// that bills it, else the root. Nobody names themselves for their own.
    async fn port_authority(&self, account: &Account) -> Result<AccountId, Error> {
        let mut asked = Some(account.id.clone());
        for _ in 0..=account.ancestors.len() {
            let Some(id) = asked else { break };
            let named = self.numbers.named_port_authority(&id).await?;
            if let Some(named) = named.filter(|named| *named != account.id) {
                return Ok(named);
            }
            let reseller = self.accounts.get(&id).await?.and_then(|found| found.reseller.clone());
            asked = reseller.filter(|reseller| *reseller != id);
        }
        Ok(account.ancestors.first().unwrap_or(&account.id).clone())
    }
}

/// Renames what marks a comment as private; returns whether there was any.
fn rename_flags(body: &mut Map<String, Value>) -> bool {
    let comments = body.get_mut("comments").and_then(Value::as_array_mut);
    let mut is_changed = false;
    for comment in comments.into_iter().flatten().filter_map(Value::as_object_mut) {
        if let Some(flag) = comment.shift_remove(OLD_PRIVATE) {
            let is_private = flag == Value::Bool(true) || flag == "true";
            comment.entry(PRIVATE).or_insert(is_private.into());
            is_changed = true;
        }
    }
    is_changed
}
