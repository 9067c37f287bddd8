//! What is true of the stored documents whenever nobody is writing, checked on the raw documents of
//! every number and account database. Knows stored field names and nothing of the code that wrote
//! them.

use std::collections::BTreeMap;

use number_manager::store::{
    Body, DbName, Document, DocumentStore, IdRange, Order, Query, Question,
};
use serde_json::Value;

/// Something that must not be. Databases and accounts are named as people write them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A number that does not lie in the database of its prefix.
    WrongDatabase { id: String, database: String },
    /// The owner's database holds no copy.
    Missing { id: String, owner: String },
    /// The owner's copy is not equal to the number document.
    Unequal { id: String, owner: String },
    /// A copy in the database of an account that does not own the number.
    Stray { id: String, database: String },
    /// A state that does not go with having an owner, or with having none.
    Illegal { id: String, state: String, owner: Option<String> },
}

impl Violation {
    /// Whether it is a copy where none should be.
    pub(crate) fn is_stray(&self) -> bool {
        matches!(self, Self::Stray { .. })
    }
}

/// Everything that is wrong in the store, by number.
pub(crate) async fn violations(store: &dyn DocumentStore) -> Vec<Violation> {
    let mut copies = BTreeMap::new();
    for db in store.databases("account/").await.unwrap() {
        for copy in numbers_in(store, &db).await {
            copies.insert((copy.id.clone(), db.as_str().to_owned()), copy.body);
        }
    }
    let mut found = Vec::new();
    // Those of stock hold no numbers.
    for db in store.databases("numbers/+").await.unwrap() {
        for number in numbers_in(store, &db).await {
            check_number(&db, &number, &mut copies, &mut found);
        }
    }
    // What is left belongs to no number document.
    found.extend(copies.into_keys().map(|(id, database)| Violation::Stray { id, database }));
    found
}

/// The documents of numbers in a database, all of them.
pub(crate) async fn numbers_in(store: &dyn DocumentStore, db: &DbName) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut after = None;
    loop {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with("+"),
            order: Order::Ascending,
            after,
            limit: 1000,
        };
        let page = store.query(db, &query).await.unwrap();
        documents.extend(page.documents);
        after = page.next;
        if after.is_none() {
            return documents;
        }
    }
}

fn check_number(
    db: &DbName,
    number: &Document,
    copies: &mut BTreeMap<(String, String), Body>,
    found: &mut Vec<Violation>,
) {
    let id = number.id.clone();
    if db.as_str().strip_prefix("numbers/") != id.get(..5) {
        found.push(Violation::WrongDatabase { id: id.clone(), database: db.to_string() });
    }
    let owner = number.body.get("pvt_assigned_to").and_then(Value::as_str).map(str::to_owned);
    if let Some(owner) = &owner {
        let database = format!("account/{}/{}/{}", &owner[..2], &owner[2..4], &owner[4..]);
        match copies.remove(&(id.clone(), database)) {
            None => found.push(Violation::Missing { id: id.clone(), owner: owner.clone() }),
            Some(copy) if comparable(&copy) != comparable(&number.body) => {
                found.push(Violation::Unequal { id: id.clone(), owner: owner.clone() });
            }
            Some(_) => (),
        }
    }
    let state = text(&number.body, "pvt_state");
    if !is_legal(state, owner.is_some(), &number.body) {
        found.push(Violation::Illegal { id, state: state.to_owned(), owner });
    }
}

fn text<'a>(body: &'a Body, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A copy cannot carry attachments; all else must be there, in any order.
fn comparable(body: &Body) -> Body {
    let mut body = body.clone();
    body.shift_remove("_attachments");
    body
}

/// Free numbers have an owner only when they were made so; those that came to be free have none.
/// Nobody holds what is ageing.
fn is_legal(state: &str, is_owned: bool, body: &Body) -> bool {
    let since = body.get("pvt_state_since");
    let made_so = since.is_none() || since == body.get("pvt_created");
    match state {
        "in_service" | "port_in" | "port_out" | "reserved" => is_owned,
        "aging" => !is_owned,
        "available" | "released" | "discovery" => !is_owned || made_so,
        _ => false,
    }
}

/// Stock that does not say what the numbers say, by database and number. What was never stored as a
/// number may be claimed by somebody who is about to do that, so it is looked at when nobody is.
pub(crate) async fn wrong_stock(store: &dyn DocumentStore) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, carrier) in [("numbers/managed", "knm_managed"), ("numbers/inum", "knm_inum")] {
        for db in store.databases(name).await.unwrap() {
            for item in numbers_in(store, &db).await {
                let numbers = DbName::new(format!("numbers/{}", &item.id[..5]));
                let number = store.get(&numbers, &item.id).await.unwrap().live();
                let holder = item.body.get("pvt_assigned_to");
                let is_right = match &number {
                    Some(number) if text(&number.body, "pvt_module_name") != carrier => true,
                    Some(number) => {
                        let owner = number.body.get("pvt_assigned_to");
                        let is_equal =
                            text(&item.body, "pvt_state") == text(&number.body, "pvt_state");
                        holder == owner && (owner.is_none() || is_equal)
                    }
                    None => holder.is_none(),
                };
                if !is_right {
                    wrong.push(format!("{db} {}", item.id));
                }
            }
        }
    }
    wrong
}
