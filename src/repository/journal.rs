//! What a job is about to write, written down before it is: enough to do it after a crash, to see
//! whether it was done, and to take it back.
//!
//! *Set*: the writes about one number, in order: its document first, then its copies. *Head*: the
//! first of them, which says whether the set can still be done. Of a changed document only the
//! members that differ are recorded; a copy that equals the head is only called one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    mirror::mirrored,
    trail::{Entry, Ground},
    write_id,
};
use crate::store::{
    Body, Change, DbName, Expect, Lookup, SharedStore, WRITE_ID, Write, WriteSet,
    dry_run::{Before, DryRunStore, Planned},
};

/// Where the names of databases of numbers begin.
const NUMBERS: &str = "numbers/";

/// What a rehearsal would have written.
#[derive(Debug)]
pub struct Plan(std::sync::Arc<DryRunStore>);

/// The writes of a plan about one number, with everything that writing them needs.
#[derive(Clone, Debug)]
pub struct PlannedSet(Vec<Planned>);

/// The same as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedSet(Vec<Recorded>);

/// One recorded write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Recorded {
    database: String,
    id: String,
    /// The revision that is replaced; none for a document that is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    /// The members that differ, as they were; all of a document that is deleted. None when there was
    /// no document, or when only its revision was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Body>,
    /// The members that differ, as they are to be; all of a new document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Body>,
    /// Whether it is to equal the head.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    copy: bool,
    /// What is left of a document that is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tombstone: Option<Body>,
}

/// What was found under the ids of recorded writes.
pub(super) type Found = HashMap<(String, String), Lookup>;

/// What is to be done about a recorded set.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Resolution {
    /// It was done.
    Done,
    /// These writes are left.
    Write(WriteSet),
    /// Somebody changed the document since.
    Stale,
}

/// How a document stands to its recorded write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Done,
    Waiting,
    Stale,
}

impl Plan {
    pub(super) fn over(below: SharedStore) -> (Self, SharedStore) {
        let store = std::sync::Arc::new(DryRunStore::remembering(below));
        (Self(store.clone()), store)
    }

    /// What would have been written, set by set. Several writes to a document are one.
    #[must_use]
    pub fn into_sets(self) -> Vec<PlannedSet> {
        let mut sets: Vec<PlannedSet> = Vec::new();
        let mut places: HashMap<(DbName, String), (usize, usize)> = HashMap::new();
        let mut last = None;
        for planned in self.0.take_journal() {
            let place = (planned.db.clone(), planned.id.clone());
            if let Some(&(set, at)) = places.get(&place) {
                sets[set].0[at].change = planned.change;
                continue;
            }
            if last != Some(planned.set) {
                last = Some(planned.set);
                sets.push(PlannedSet(Vec::new()));
            }
            let set = sets.len() - 1;
            places.insert(place, (set, sets[set].0.len()));
            sets[set].0.push(planned);
        }
        for set in &mut sets {
            // What was made and deleted again is nothing.
            set.0.retain(|it| it.expect != Expect::Absent || it.after().is_some());
        }
        sets.retain(|set| !set.0.is_empty());
        sets
    }
}

impl PlannedSet {
    /// The document that the set is about.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0[0].id
    }

    pub(super) fn write_set(&self) -> WriteSet {
        let write = |it: &Planned| Write {
            db: it.db.clone(),
            id: it.id.clone(),
            expect: it.expect.clone(),
            change: it.change.clone(),
        };
        self.0.iter().map(write).collect()
    }

    /// The entry of its first write.
    pub(super) fn entry(&self, now: i64) -> Option<Entry> {
        let head = &self.0[0];
        let rev = match &head.expect {
            Expect::At(rev) => Some(rev),
            Expect::Absent => None,
        };
        let ground = match &head.before {
            Before::Members(body) => Ground::live(body, rev),
            Before::Unread => Ground::live(&Body::new(), rev),
            Before::Tombstone(left) => Ground::left(left),
            Before::Nothing => Ground::default(),
        };
        Entry::of(ground, self.write_set().first()?, now)
    }

    /// The set as it is recorded.
    #[must_use]
    pub fn recorded(&self) -> RecordedSet {
        let head = self.0[0].after().map(mirrored);
        let record = |(place, it): (usize, &Planned)| {
            let copied = head.as_ref().filter(|_| place > 0 && it.id == self.0[0].id);
            Recorded::of(it, copied)
        };
        RecordedSet(self.0.iter().enumerate().map(record).collect())
    }
}

impl Recorded {
    fn of(planned: &Planned, head: Option<&Body>) -> Self {
        let expected = match &planned.expect {
            Expect::At(rev) => Some(rev.as_str().to_owned()),
            Expect::Absent => None,
        };
        let copy = planned.after().is_some_and(|after| head == Some(after));
        let (before, after, tombstone) = match (&planned.before, &planned.change) {
            (Before::Members(before), Change::Put(after)) => {
                let told = if copy { None } else { Some(differing(after, before)) };
                (Some(differing(before, after)), told, None)
            }
            (Before::Nothing | Before::Tombstone(_) | Before::Unread, Change::Put(after)) => {
                (None, (!copy).then(|| after.clone()), None)
            }
            (Before::Members(before), Change::Delete(left)) => {
                (Some(before.clone()), None, Some(left.clone()))
            }
            (Before::Nothing | Before::Tombstone(_) | Before::Unread, Change::Delete(left)) => {
                (None, None, Some(left.clone()))
            }
        };
        let (database, id) = (planned.db.to_string(), planned.id.clone());
        Self { database, id, expected, before, after, copy, tombstone }
    }

    fn place(&self) -> (String, String) {
        (self.database.clone(), self.id.clone())
    }

    fn standing(&self, found: &Lookup) -> Standing {
        let live = match found {
            Lookup::Live(document) => Some(document),
            Lookup::Deleted(_) | Lookup::Missing => None,
        };
        match (live, &self.expected) {
            (Some(document), Some(rev)) if document.rev.as_str() == rev => Standing::Waiting,
            (None, None) => Standing::Waiting,
            (None, Some(_)) if self.tombstone.is_some() => Standing::Done,
            (Some(document), _) if self.tombstone.is_none() && self.is_done(&document.body) => {
                Standing::Done
            }
            _ => Standing::Stale,
        }
    }

    /// Whether a document has the members that were to be written, and lacks those that were not.
    fn is_done(&self, body: &Body) -> bool {
        let after = self.after.iter().flatten();
        after.clone().all(|(key, value)| body.get(key) == Some(value))
            && self.removed().all(|key| !body.contains_key(key))
    }

    /// The members that the document no longer has afterwards.
    fn removed(&self) -> impl Iterator<Item = &String> {
        let keys = self.before.iter().flat_map(Body::keys);
        keys.filter(|key| !self.after.as_ref().is_some_and(|after| after.contains_key(*key)))
    }

    /// The document after the write, from the one that it replaces.
    fn forward(&self, mut body: Body) -> Body {
        self.removed().for_each(|key| {
            body.shift_remove(key);
        });
        let after = self.after.iter().flatten();
        body.extend(after.map(|(key, value)| (key.clone(), value.clone())));
        body
    }

    /// The document before the write, from the one that it made.
    fn backward(&self, mut body: Body) -> Body {
        let (before, after) = (self.before.iter().flatten(), self.after.iter().flatten());
        let was = |key: &str| self.before.as_ref().is_some_and(|before| before.contains_key(key));
        after.filter(|(key, _)| !was(key)).for_each(|(key, _)| {
            body.shift_remove(key);
        });
        body.extend(before.map(|(key, value)| (key.clone(), value.clone())));
        body
    }

    fn write(&self, found: &Lookup, body: Option<Body>) -> Write {
        let expect = match found {
            Lookup::Live(document) => Expect::At(document.rev.clone()),
            Lookup::Deleted(_) | Lookup::Missing => Expect::Absent,
        };
        let change = match body {
            Some(body) => Change::Put(body),
            None => Change::Delete(self.tombstone.clone().unwrap_or_else(bare_tombstone)),
        };
        Write { db: DbName::new(self.database.as_str()), id: self.id.clone(), expect, change }
    }
}

/// The features among recorded members.
fn features(body: Option<&Body>) -> Option<&Map<String, Value>> {
    body?.get("pvt_features")?.as_object()
}

impl RecordedSet {
    /// The document that the set is about.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.first().map_or("", |head| &head.id)
    }

    /// The set as a list shows it.
    #[must_use]
    pub fn shown(&self) -> Vec<Value> {
        let shown = |it: &Recorded| {
            json!({
                "database": it.database,
                "id": it.id,
                "expected": it.expected,
                "action": match (&it.tombstone, &it.expected) {
                    (Some(_), _) => "delete",
                    (None, None) => "create",
                    (None, Some(_)) => "change",
                },
                "is_copy": it.copy,
                "before": it.before,
                "after": it.after,
            })
        };
        self.0.iter().map(shown).collect()
    }

    /// The features that the number had before and has not afterwards.
    #[must_use]
    pub fn features_lost(&self) -> Vec<&str> {
        let Some(head) = self.0.first() else { return Vec::new() };
        let names = features(head.before.as_ref()).into_iter().flat_map(|before| before.keys());
        let is_kept =
            |name: &str| features(head.after.as_ref()).is_some_and(|it| it.contains_key(name));
        names.map(String::as_str).filter(|name| !is_kept(name)).collect()
    }

    /// The number's document and its revision, when the set deletes it.
    pub(super) fn deleted(&self) -> Option<(&Body, &str)> {
        let head = self.number().filter(|head| head.tombstone.is_some())?;
        Some((head.before.as_ref()?, head.expected.as_deref()?))
    }

    /// The number's document, when the set makes it.
    pub(super) fn made(&self) -> Option<&Body> {
        let head = self.number().filter(|head| head.expected.is_none())?;
        head.after.as_ref()
    }

    /// The write of the number itself; none for a set that is about something else.
    fn number(&self) -> Option<&Recorded> {
        // Behind the sign is the number; what has none is the carriers' stock.
        let is_of_numbers = |head: &&Recorded| {
            head.database.strip_prefix(NUMBERS).is_some_and(|it| it.starts_with('+'))
        };
        self.0.first().filter(is_of_numbers)
    }

    /// Where the documents of the set are.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(Recorded::place)
    }

    /// What is left to be done, by what was found of its documents. A copy follows the head, whatever
    /// became of it in between.
    pub(super) fn resolve(&self, found: &Found) -> Resolution {
        let at = |it: &Recorded| found.get(&it.place()).cloned().unwrap_or(Lookup::Missing);
        let Some((head, others)) = self.0.split_first() else {
            return Resolution::Done;
        };
        let current = at(head);
        let mut writes = WriteSet::new();
        let after = match (head.standing(&current), &current) {
            (Standing::Stale, _) => return Resolution::Stale,
            (Standing::Done, Lookup::Live(document)) => Some(document.body.clone()),
            (Standing::Done, _) => None,
            (Standing::Waiting, current) => {
                let body = match current {
                    Lookup::Live(document) => document.body.clone(),
                    Lookup::Deleted(_) | Lookup::Missing => Body::new(),
                };
                let after = head.tombstone.is_none().then(|| head.forward(body));
                writes.push(head.write(current, after.clone()));
                after
            }
        };
        let copy = after.as_ref().map(mirrored);
        for it in others {
            let current = at(it);
            if it.copy {
                let is_right =
                    matches!(&current, Lookup::Live(found) if Some(&found.body) == copy.as_ref());
                if let Some(copy) = copy.clone().filter(|_| !is_right) {
                    writes.push(it.write(&current, Some(copy)));
                }
                continue;
            }
            match (it.standing(&current), current) {
                (Standing::Waiting, current) => {
                    let body = match &current {
                        Lookup::Live(document) => document.body.clone(),
                        Lookup::Deleted(_) | Lookup::Missing => Body::new(),
                    };
                    let body = it.tombstone.is_none().then(|| it.forward(body));
                    writes.push(it.write(&current, body));
                }
                // A copy elsewhere goes, at whatever revision it is.
                (Standing::Stale, current @ Lookup::Live(_)) if it.tombstone.is_some() => {
                    writes.push(it.write(&current, None));
                }
                (Standing::Stale | Standing::Done, _) => (),
            }
        }
        if writes.is_empty() { Resolution::Done } else { Resolution::Write(writes) }
    }

    /// The writes that put everything back as it was before, where nobody has changed it since; none
    /// when there is nothing to put back. `now`: when it is put back, in Gregorian seconds.
    pub(super) fn inverse(&self, found: &Found, now: i64) -> Resolution {
        let at = |it: &Recorded| found.get(&it.place()).cloned().unwrap_or(Lookup::Missing);
        let Some((head, others)) = self.0.split_first() else {
            return Resolution::Done;
        };
        let current = at(head);
        let restored = match &current {
            // A document that was only looked up by its revision was a copy of what the head was.
            Lookup::Live(document) if head.tombstone.is_none() && head.is_done(&document.body) => {
                head.expected.as_ref().map(|_| head.backward(document.body.clone()))
            }
            Lookup::Deleted(_) | Lookup::Missing if head.tombstone.is_some() => head.before.clone(),
            // It is as it was, since the write never happened or was put back already.
            Lookup::Live(document) if head.expected.as_deref() == Some(document.rev.as_str()) => {
                return Resolution::Done;
            }
            Lookup::Deleted(_) | Lookup::Missing if head.expected.is_none() => {
                return Resolution::Done;
            }
            _ => return Resolution::Stale,
        };
        // A copy is nobody's own writing: it says what its number says.
        let is_number = head.database.starts_with(NUMBERS);
        let restored = restored.map(|mut body| {
            if is_number {
                body.insert(WRITE_ID.to_owned(), write_id().into());
                body.insert("pvt_modified".to_owned(), now.into());
            }
            body
        });
        let copy = restored.as_ref().map(mirrored);
        let mut writes = vec![head.write(&current, restored)];
        for it in others.iter().filter(|it| it.id == head.id) {
            let current = at(it);
            let is_live = matches!(current, Lookup::Live(_));
            // What was there before was a copy of what the head was.
            let wanted = copy.clone().filter(|_| it.expected.is_some());
            if wanted.is_some() || is_live {
                writes.push(it.write(&current, wanted));
            }
        }
        Resolution::Write(writes)
    }
}

/// The members of a document that the other lacks or has otherwise.
fn differing(body: &Body, other: &Body) -> Body {
    let differs = |(key, value): &(&String, &Value)| other.get(*key) != Some(*value);
    body.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn bare_tombstone() -> Body {
    Body::from_iter([(WRITE_ID.to_owned(), write_id().into())])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::{Document, Rev};

    const NUMBER: &str = "numbers/+1415";
    const COPY: &str = "account/aa/aa/b";
    const ID: &str = "+14155550100";

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn body(value: Value) -> Body {
        value.as_object().unwrap().clone()
    }

    fn live(rev: &str, members: Value) -> Lookup {
        let (id, rev) = (ID.to_owned(), Rev::new(rev));
        Lookup::Live(Document { id, rev, body: body(members), conflicts: Vec::new() })
    }

    fn deleted() -> Lookup {
        let (id, rev) = (ID.to_owned(), Rev::new("9-x"));
        Lookup::Deleted(Document { id, rev, body: Body::new(), conflicts: Vec::new() })
    }

    fn planned(db: &str, expect: Expect, before: Before, change: Change) -> Planned {
        Planned { set: 1, db: DbName::new(db), id: ID.to_owned(), expect, before, change }
    }

    fn at(rev: &str) -> Expect {
        Expect::At(Rev::new(rev))
    }

    /// A change of a number and its copy, of which only the revision was read.
    fn change() -> RecordedSet {
        let before = json!({"carrier": "a", "note": 1, "gone": true, WRITE_ID: "x"});
        let after = json!({"carrier": "b", "note": 1, "new": [], WRITE_ID: "y"});
        PlannedSet(vec![
            planned(
                NUMBER,
                at("1-a"),
                Before::Members(body(before)),
                Change::Put(body(after.clone())),
            ),
            planned(COPY, at("1-c"), Before::Unread, Change::Put(body(after))),
        ])
        .recorded()
    }

    fn creation() -> RecordedSet {
        let after = json!({"carrier": "b", WRITE_ID: "y"});
        let put = Change::Put(body(after));
        PlannedSet(vec![
            planned(NUMBER, Expect::Absent, Before::Nothing, put.clone()),
            planned(COPY, Expect::Absent, Before::Nothing, put),
        ])
        .recorded()
    }

    fn deletion() -> RecordedSet {
        let before = Before::Members(body(json!({"carrier": "a", WRITE_ID: "x"})));
        let left = Change::Delete(body(json!({WRITE_ID: "y"})));
        PlannedSet(vec![
            planned(NUMBER, at("1-a"), before.clone(), left.clone()),
            planned(COPY, at("1-c"), before, left),
        ])
        .recorded()
    }

    /// What is left to be written: the database, what it expects, and the members.
    fn left(resolution: Resolution) -> Value {
        let write = |write: Write| {
            let expect = match &write.expect {
                Expect::At(rev) => rev.as_str().to_owned(),
                Expect::Absent => "-".to_owned(),
            };
            let mut members = match write.change {
                Change::Put(body) => json!(body),
                Change::Delete(_) => json!("deleted"),
            };
            if let Some(members) = members.as_object_mut() {
                members.shift_remove(WRITE_ID);
                members.shift_remove("pvt_modified");
            }
            json!([write.db.as_str(), expect, members])
        };
        match resolution {
            Resolution::Done => json!("done"),
            Resolution::Stale => json!("stale"),
            Resolution::Write(set) => set.into_iter().map(write).collect(),
        }
    }

    fn found(number: Lookup, copy: Lookup) -> Found {
        [(NUMBER, number), (COPY, copy)]
            .into_iter()
            .map(|(db, found)| ((db.to_owned(), ID.to_owned()), found))
            .collect()
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn forward(set: &RecordedSet, number: Lookup, copy: Lookup, wanted: Value) {
        assert_eq!(left(set.resolve(&found(number, copy))), wanted);
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn back(set: &RecordedSet, number: Lookup, copy: Lookup, wanted: Value) {
        assert_eq!(left(set.inverse(&found(number, copy), 0)), wanted);
    }

    fn old() -> Value {
        json!({"carrier": "a", "note": 1, "gone": true, WRITE_ID: "x"})
    }

    fn new() -> Value {
        json!({"carrier": "b", "note": 1, "new": [], WRITE_ID: "y"})
    }

    #[test]
    fn a_set_is_recorded_by_what_differs() {
        assert_eq!(
            json!(change()),
            json!([
                {
                    "database": NUMBER, "id": ID, "expected": "1-a",
                    "before": {"carrier": "a", "gone": true, WRITE_ID: "x"},
                    "after": {"carrier": "b", "new": [], WRITE_ID: "y"},
                },
                {"database": COPY, "id": ID, "expected": "1-c", "copy": true},
            ])
        );
        let read: RecordedSet = serde_json::from_value(json!(deletion())).unwrap();
        assert_eq!(read, deletion());
    }

    #[test]
    fn what_is_left_of_a_change_is_done() {
        let clean = json!({"carrier": "b", "note": 1, "new": []});
        let number = json!([NUMBER, "1-a", clean]);
        let copy = |rev: &str| json!([COPY, rev, clean]);
        forward(&change(), live("1-a", old()), live("1-c", old()), json!([number, copy("1-c")]));
        // The number was written, its copy was not.
        forward(&change(), live("2-a", new()), live("1-c", old()), json!([copy("1-c")]));
        forward(&change(), live("2-a", new()), Lookup::Missing, json!([copy("-")]));
        // Somebody spoilt the copy in between: it follows the number.
        let spoilt = live("2-d", json!({"carrier": "z"}));
        forward(&change(), live("2-a", new()), spoilt, json!([copy("2-d")]));
        forward(&change(), live("2-a", new()), live("2-c", new()), json!("done"));
        // Somebody changed the number.
        let changed = json!({"carrier": "c", "note": 1, WRITE_ID: "z"});
        forward(&change(), live("2-z", changed), live("1-c", old()), json!("stale"));
        forward(&change(), deleted(), live("1-c", old()), json!("stale"));
    }

    #[test]
    fn what_is_left_of_a_creation_or_a_deletion_is_done() {
        let clean = json!({"carrier": "b"});
        let both = json!([[NUMBER, "-", clean], [COPY, "-", clean]]);
        forward(&creation(), Lookup::Missing, Lookup::Missing, both.clone());
        forward(&creation(), deleted(), deleted(), both);
        let made = json!({"carrier": "b", WRITE_ID: "y"});
        forward(&creation(), live("1-a", made.clone()), live("1-c", made), json!("done"));
        forward(&creation(), live("1-a", old()), Lookup::Missing, json!("stale"));

        let both = json!([[NUMBER, "1-a", "deleted"], [COPY, "1-c", "deleted"]]);
        let was = json!({"carrier": "a", WRITE_ID: "x"});
        forward(&deletion(), live("1-a", was.clone()), live("1-c", was.clone()), both);
        forward(
            &deletion(),
            deleted(),
            live("1-c", was.clone()),
            json!([[COPY, "1-c", "deleted"]]),
        );
        forward(
            &deletion(),
            deleted(),
            live("2-c", was.clone()),
            json!([[COPY, "2-c", "deleted"]]),
        );
        forward(&deletion(), deleted(), deleted(), json!("done"));
        forward(&deletion(), live("2-a", was.clone()), live("1-c", was), json!("stale"));
    }

    #[test]
    fn what_nobody_changed_since_is_put_back() {
        let clean = json!({"carrier": "a", "note": 1, "gone": true});
        let both = json!([[NUMBER, "2-a", clean], [COPY, "2-c", clean]]);
        back(&change(), live("2-a", new()), live("2-c", new()), both);
        back(&change(), live("1-a", old()), live("1-c", old()), json!("done"));
        let changed = json!({"carrier": "b", "note": 1, "new": [], WRITE_ID: "z"});
        back(&change(), live("3-a", changed), live("2-c", new()), json!("stale"));
        back(&change(), deleted(), deleted(), json!("stale"));

        let made = json!({"carrier": "b", WRITE_ID: "y"});
        let both = json!([[NUMBER, "1-a", "deleted"], [COPY, "1-c", "deleted"]]);
        back(&creation(), live("1-a", made.clone()), live("1-c", made), both);
        back(&creation(), deleted(), deleted(), json!("done"));

        let clean = json!({"carrier": "a"});
        let both = json!([[NUMBER, "-", clean], [COPY, "-", clean]]);
        back(&deletion(), deleted(), deleted(), both);
        back(&deletion(), live("1-a", old()), live("1-c", old()), json!("done"));
        back(&deletion(), live("3-a", old()), live("1-c", old()), json!("stale"));
    }
}
