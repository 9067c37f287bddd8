//! Documents as CouchDB spells them: our members and its own, in one object.
//!
//! Both ways in one pass, without a copy, and in the stored order of the members.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{IgnoredAny, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::super::{
    Body, Change, Document, Expect, Lookup, Rev, Write,
    rules::{self, Content},
};

/// A stored version as the server sent it.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) rev: String,
    pub(super) deleted: bool,
    pub(super) conflicts: Vec<String>,
    /// Its ancestors, when they were asked for.
    pub(super) history: History,
    pub(super) body: Body,
}

/// A stored version without its body.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bare {
    #[serde(rename = "_rev")]
    pub(super) rev: String,
    #[serde(rename = "_deleted", default)]
    pub(super) deleted: bool,
}

/// Whether a version is live, its generation and its hash: the greatest leaf wins.
pub(super) type Rank<'a> = (bool, u64, &'a str);

/// The revisions of one version, newest first: `start` is the generation of the first hash.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct History {
    start: u64,
    ids: Vec<String>,
}

/// A write as the server wants to read it.
pub(super) struct Outgoing<'a> {
    pub(super) write: &'a Write,
    /// Whether the id is in the document (a bulk write) or in the URL.
    pub(super) with_id: bool,
}

impl Stored {
    /// The version as the store's callers know it.
    pub(super) fn into_document(self) -> Document {
        Document {
            id: self.id,
            rev: Rev::new(self.rev),
            body: self.body,
            conflicts: self.conflicts.into_iter().map(Rev::new).collect(),
        }
    }

    /// The version as the answer to a look-up.
    pub(super) fn into_lookup(self) -> Lookup {
        if self.deleted {
            return Lookup::Deleted(self.into_document());
        }
        Lookup::Live(self.into_document())
    }

    /// What `CouchDB` compares when it chooses the winner among leaves.
    pub(super) fn rank(&self) -> Rank<'_> {
        rank(self.deleted, &self.rev)
    }
}

impl Bare {
    /// As [`Stored::rank`].
    pub(super) fn rank(&self) -> Rank<'_> {
        rank(self.deleted, &self.rev)
    }
}

fn rank(deleted: bool, rev: &str) -> Rank<'_> {
    let (generation, hash) = rev.split_once('-').unwrap_or_default();
    (!deleted, generation.parse().unwrap_or_default(), hash)
}

impl History {
    /// The revisions, newest first.
    pub(super) fn revs(&self) -> impl Iterator<Item = String> + '_ {
        (0..).zip(&self.ids).map(|(age, id)| format!("{}-{id}", self.start.saturating_sub(age)))
    }
}

/// The winner among all leaves of a document, with the other live ones as its conflicts.
pub(super) fn winner(mut leaves: Vec<Stored>) -> Lookup {
    leaves.sort_by(|a, b| a.rank().cmp(&b.rank()));
    let Some(mut first) = leaves.pop() else { return Lookup::Missing };
    let live = leaves.into_iter().rev().filter(|leaf| !leaf.deleted);
    first.conflicts = live.map(|leaf| leaf.rev).collect();
    first.into_lookup()
}

/// Whether this version is what a write has made.
pub(super) fn is_own(write: &Write, stored: &Stored) -> bool {
    let content = Content { deleted: stored.deleted, body: &stored.body };
    rules::is_own_write(&write.expect, Content::from(&write.change), &stored.rev, content)
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Stored;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a document")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stored, A::Error> {
                let mut stored = Stored::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "_id" => stored.id = map.next_value()?,
                        "_rev" => stored.rev = map.next_value()?,
                        "_deleted" => stored.deleted = map.next_value()?,
                        "_conflicts" => stored.conflicts = map.next_value()?,
                        "_revisions" => stored.history = map.next_value()?,
                        "_deleted_conflicts" => drop(map.next_value::<IgnoredAny>()?),
                        _ => drop(stored.body.insert(name, map.next_value()?)),
                    }
                }
                Ok(stored)
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Outgoing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.with_id {
            map.serialize_entry("_id", &self.write.id)?;
        }
        if let Expect::At(rev) = &self.write.expect {
            map.serialize_entry("_rev", rev.as_str())?;
        }
        let body = match &self.write.change {
            Change::Put(body) => body,
            Change::Delete(body) => {
                map.serialize_entry("_deleted", &true)?;
                body
            }
        };
        // What decides about the write is said by the write alone, never by a body.
        for (name, value) in body.iter().filter(|(name, _)| !rules::is_managed(name)) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Outgoing<'_> {
    /// The JSON text.
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map with text keys can be written as JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::store::DbName;

    fn body(value: Value) -> Body {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_document_loses_the_servers_members_and_keeps_the_order_of_its_own() {
        let text = r#"{"_id":"+1","_rev":"2-b","z":1,"_attachments":{"a":{"stub":true}},"a":2,"_conflicts":["2-a"]}"#;
        let stored: Stored = serde_json::from_str(text).unwrap();
        let Lookup::Live(document) = stored.into_lookup() else { panic!("not live") };
        assert_eq!(document.id, "+1");
        assert_eq!(document.rev, Rev::new("2-b"));
        assert_eq!(document.conflicts, [Rev::new("2-a")]);
        let text = serde_json::to_string(&document.body).unwrap();
        assert_eq!(text, r#"{"z":1,"_attachments":{"a":{"stub":true}},"a":2}"#);
    }

    #[test]
    fn a_write_says_what_it_expects_whatever_its_body_says() {
        let put = body(json!({"z": 1, "_rev": "9-x", "_id": "other", "_deleted": true, "a": 2}));
        let write = Write::put(DbName::new("d"), "+1", Expect::At(Rev::new("1-a")), put);
        let json = Outgoing { write: &write, with_id: true }.to_json();
        assert_eq!(json, br#"{"_id":"+1","_rev":"1-a","z":1,"a":2}"#);
        let delete = Write::delete(DbName::new("d"), "+1", Rev::new("1-a"), body(json!({"o": 1})));
        let json = Outgoing { write: &delete, with_id: false }.to_json();
        assert_eq!(json, br#"{"_rev":"1-a","_deleted":true,"o":1}"#);
    }

    #[test]
    fn the_winner_is_live_then_the_longest_then_the_highest() {
        let leaf = |rev: &str, deleted| Stored { rev: rev.into(), deleted, ..Stored::default() };
        let leaves = vec![leaf("11-a", true), leaf("9-b", false), leaf("10-a", false)];
        let Lookup::Live(document) = winner(leaves) else { panic!("not live") };
        assert_eq!(document.rev, Rev::new("10-a"));
        assert_eq!(document.conflicts, [Rev::new("9-b")]);
        let Lookup::Deleted(document) = winner(vec![leaf("2-a", true), leaf("10-a", true)]) else {
            panic!("not deleted")
        };
        assert_eq!(document.rev, Rev::new("10-a"));
    }

    #[test]
    fn a_history_counts_down_from_its_start() {
        let history = History { start: 3, ids: vec!["c".into(), "b".into()] };
        assert_eq!(history.revs().collect::<Vec<_>>(), ["3-c", "2-b"]);
    }
}
