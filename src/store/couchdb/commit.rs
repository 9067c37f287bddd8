//! Makes one write, exactly once, and a set of them in order.
//!
//! A write is one PUT. When its outcome is *in doubt* (no answer, or an overloaded server's), the
//! document is read back: our own write means that it happened; what we expected, unchanged, means
//! that it did not, and the same bytes are sent again; anything else means that someone else wrote.
//! A late first copy of bytes that were sent twice does no harm: only one of them fits.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{
    super::{
        CommitError, Committed, Expect, Kind, Rev, StoreError, Write, WriteSet,
        rules::{self, Content},
    },
    CouchStore,
    failure::{Failure, Verdict},
    transport::{Answer, Request},
    wire::{Outgoing, Stored, is_own},
};

/// How often one write is sent.
pub(super) const WRITE_TRIES: u32 = 4;

/// How many ancestors are searched for a write of ours that was written over since.
const ANCESTORS: usize = 20;

/// A write that was made.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) rev: Rev,
    pub(super) quorum: bool,
}

/// What a read-back shows.
#[derive(Debug)]
pub(super) enum Found {
    /// Our write, or one on top of it.
    Own(Rev),
    /// What the write expects: it did not happen.
    Untouched,
    /// Somebody else's write, and not ours.
    Foreign,
    /// Somebody else's write, and what was there before it can no longer be read.
    Unknown,
}

#[derive(Deserialize)]
struct NewRev {
    rev: String,
}

impl CouchStore {
    /// Applies a set in order, up to the first write that cannot be made.
    pub(super) async fn apply_set(&self, set: WriteSet) -> Result<Committed, CommitError> {
        let mut done = Committed { revs: Vec::with_capacity(set.len()), quorum: true };
        for (failed, write) in set.iter().enumerate() {
            match self.apply(write, "commit").await {
                Ok(written) => done.add(written),
                Err(error) => return Err(CommitError { applied: done.revs, failed, error }),
            }
        }
        Ok(done)
    }

    /// Makes one write.
    pub(super) async fn apply(
        &self,
        write: &Write,
        call: &'static str,
    ) -> Result<Written, StoreError> {
        let made = match refused(write) {
            None => self.put(write).await,
            Some(refused) => Err(refused),
        };
        made.map_err(|(kind, failure)| failure.with_kind(kind, call, write.db.as_str(), &write.id))
    }

    async fn put(&self, write: &Write) -> Result<Written, (Kind, Failure)> {
        let json = Outgoing { write, with_id: false }.to_json();
        let request = self.on_document(Method::PUT, &write.db, &write.id).body(json);
        let begun = Instant::now();
        let mut doubted = false;
        let mut attempt = 0;
        loop {
            let failure = match self.put_once(&request).await {
                Ok((rev, answer)) => return Ok(self.acknowledged(write, rev, &answer).await),
                Err(failure) => failure,
            };
            match failure.verdict() {
                Verdict::Final(Kind::Conflict) => {
                    return self.settle_conflict(write, doubted, failure).await;
                }
                Verdict::Final(kind) => return Err((kind, failure)),
                Verdict::Unsent => {}
                Verdict::Doubt => {
                    doubted = true;
                    if let Some(rev) = self.settle_doubt(write, &failure).await? {
                        return Ok(Written { rev, quorum: true });
                    }
                }
            }
            let pause = self.transport.pause(attempt);
            attempt += 1;
            let late = begun.elapsed() + pause > self.config.call_timeout() * 2;
            if attempt >= WRITE_TRIES || late {
                return Err((Kind::Unavailable, failure));
            }
            sleep(pause).await;
        }
    }

    async fn put_once(&self, request: &Request) -> Result<(Rev, Answer), Failure> {
        let answer = self.transport.send(request).await?;
        Ok((Rev::new(answer.decode::<NewRev>()?.rev), answer))
    }

    /// A 202 says that the write's quorum was missed. Reading the document makes the cluster bring
    /// it to its other copies; what the read says changes nothing about the answer.
    async fn acknowledged(&self, write: &Write, rev: Rev, answer: &Answer) -> Written {
        let quorum = !answer.is_accepted_only();
        if !quorum {
            let _ = self.look_up(&write.db, &write.id).await;
        }
        Written { rev, quorum }
    }

    /// After a 409: our own write, when an earlier copy of it was made; otherwise someone else's.
    async fn settle_conflict(
        &self,
        write: &Write,
        doubted: bool,
        conflict: Failure,
    ) -> Result<Written, (Kind, Failure)> {
        if !rules::is_stamped(Content::from(&write.change).body) {
            return Err((Kind::Conflict, conflict));
        }
        match self.read_back(write, doubted).await {
            Ok(Found::Own(rev)) => Ok(Written { rev, quorum: true }),
            Ok(Found::Untouched | Found::Foreign) => Err((Kind::Conflict, conflict)),
            Ok(Found::Unknown) => Err((Kind::Unavailable, conflict)),
            Err(failure) => Err((unless_denied(&failure), failure)),
        }
    }

    /// The revision of a write in doubt that was made; `None` when it was not and can be sent
    /// again.
    pub(super) async fn settle_doubt(
        &self,
        write: &Write,
        doubt: &Failure,
    ) -> Result<Option<Rev>, (Kind, Failure)> {
        tracing::debug!(db = %write.db, id = write.id, cause = %doubt, "reading a write back");
        match self.read_back(write, true).await {
            Ok(Found::Own(rev)) => Ok(Some(rev)),
            Ok(Found::Untouched) => Ok(None),
            Ok(Found::Foreign) => {
                Err((Kind::Conflict, Failure::Own(Kind::Conflict, "another write was made")))
            }
            Ok(Found::Unknown) => {
                let why = "another write was made, perhaps on top of this one";
                Err((Kind::Unavailable, Failure::Own(Kind::Unavailable, why)))
            }
            Err(failure) => Err((unless_denied(&failure), failure)),
        }
    }

    /// Reads back what a write has left. All leaves are looked at: a write to a losing branch is
    /// not seen at the winner.
    async fn read_back(&self, write: &Write, doubted: bool) -> Result<Found, Failure> {
        let limit = self.config.call_timeout();
        let deadline = Instant::now() + limit;
        let leaves = self.leaves(&write.db, &write.id, Some(limit)).await?;
        match judge(write, &leaves) {
            Found::Foreign if doubted && rules::is_stamped(Content::from(&write.change).body) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.search_history(write, &leaves, left).await
            }
            found => Ok(found),
        }
    }

    /// Looks for our write among the ancestors of somebody else's, down to the revision that we
    /// expected. Their bodies are there until the database is compacted.
    async fn search_history(
        &self,
        write: &Write,
        leaves: &[Stored],
        limit: Duration,
    ) -> Result<Found, Failure> {
        let is_expected = |rev: &String| rules::is_expected(&write.expect, rev);
        let mut revs = Vec::new();
        for leaf in leaves {
            revs.extend(leaf.history.revs().skip(1).take_while(|rev| !is_expected(rev)));
        }
        revs.truncate(ANCESTORS);
        let asked = revs.iter().map(|rev| (write.id.as_str(), rev.as_str()));
        let versions = self.versions(&write.db, asked, limit).await?;
        match versions.iter().find(|version| is_own(write, version)) {
            Some(own) => Ok(Found::Own(Rev::new(own.rev.as_str()))),
            None if versions.len() < revs.len() => Ok(Found::Unknown),
            None => Ok(Found::Foreign),
        }
    }
}

impl Committed {
    /// Adds one more write.
    pub(super) fn add(&mut self, written: Written) {
        self.revs.push(written.rev);
        self.quorum &= written.quorum;
    }
}

/// What the stored leaves say about a write.
fn judge(write: &Write, leaves: &[Stored]) -> Found {
    if let Some(leaf) = leaves.iter().find(|leaf| is_own(write, leaf)) {
        return Found::Own(Rev::new(leaf.rev.as_str()));
    }
    let untouched = match &write.expect {
        Expect::At(_) => leaves.iter().any(|leaf| rules::is_expected(&write.expect, &leaf.rev)),
        Expect::Absent => leaves.iter().all(|leaf| leaf.deleted),
    };
    if untouched { Found::Untouched } else { Found::Foreign }
}

/// The refusal of a write that no store makes.
pub(super) fn refused(write: &Write) -> Option<(Kind, Failure)> {
    let why = rules::refusal(&write.id, Content::from(&write.change).body)?;
    Some((Kind::Refused, Failure::Own(Kind::Refused, why)))
}

/// A write that cannot be read back stays in doubt, whatever the reason.
fn unless_denied(failure: &Failure) -> Kind {
    match failure.verdict() {
        Verdict::Final(Kind::Denied) => Kind::Denied,
        _ => Kind::Unavailable,
    }
}
