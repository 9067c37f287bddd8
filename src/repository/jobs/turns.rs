//! Turns of what runs by the clock: `turn:{name}` says which was the last one, the job that it is, and
//! whether that job was stored. So one process takes a turn, and none is lost with it.

use serde_json::json;

use super::{JobRepository, database, object};
use crate::{
    repository::RepositoryError,
    store::{Expect, Rev},
};

/// For how long a turn may be claimed before its job is stored, in milliseconds: whoever claimed it is
/// gone then.
const BEGUN_WITHIN_MS: i64 = 60_000;

/// A turn that this process is to begin.
#[derive(Clone, Debug)]
pub struct ClaimedTurn {
    /// The id that its job is to have: the same for everybody who ever claims this turn.
    pub job: String,
    name: String,
    turn: String,
    rev: Rev,
}

/// What is stored of the last turn.
struct Last {
    turn: String,
    /// The job, and when it was claimed in milliseconds of Unix time; none when it was begun.
    claimed: Option<(String, i64)>,
    rev: Rev,
}

impl JobRepository {
    /// Claims a turn of something that runs by the clock, for the one process that is to begin it now
    /// as the job of that id. The very first turn is nobody's: whoever installs us in the afternoon does
    /// not expect the work of the night before. A turn that was claimed and not begun is claimed again
    /// after a minute, under the id that it has.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn claim_turn(
        &self,
        name: &str,
        turn: &str,
        job: &str,
        now_ms: i64,
    ) -> Result<Option<ClaimedTurn>, RepositoryError> {
        let Some(last) = self.last_turn(name).await? else {
            self.put_turn(name, turn, Expect::Absent, None).await?;
            return Ok(None);
        };
        // Times of this form are ordered as texts are.
        let (turn, job) = if last.turn.as_str() < turn {
            (turn.to_owned(), job.to_owned())
        } else {
            match last.claimed {
                Some((job, at)) if at + BEGUN_WITHIN_MS <= now_ms => (last.turn, job),
                _ => return Ok(None),
            }
        };
        let stored = self.put_turn(name, &turn, Expect::At(last.rev), Some((&job, now_ms))).await?;
        Ok(stored.map(|rev| ClaimedTurn { job, name: name.to_owned(), turn, rev }))
    }

    /// Notes that the job of a turn is stored, so that nobody claims the turn again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn turn_has_begun(&self, claimed: ClaimedTurn) -> Result<(), RepositoryError> {
        let ClaimedTurn { name, turn, rev, .. } = claimed;
        // Whoever was there before has noted the same, or that a later one is claimed.
        self.put_turn(&name, &turn, Expect::At(rev), None).await.map(|_| ())
    }

    async fn last_turn(&self, name: &str) -> Result<Option<Last>, RepositoryError> {
        let Some(found) = self.store.get(&database(), &turn_id(name)).await?.live() else {
            return Ok(None);
        };
        let text = |key| found.body.get(key).and_then(|it| it.as_str()).map(str::to_owned);
        let at = found.body.get("claimed_ms").and_then(serde_json::Value::as_i64);
        let turn = text("turn").unwrap_or_default();
        Ok(Some(Last { turn, claimed: text("job").zip(at), rev: found.rev }))
    }

    /// The revision that was stored; none when somebody else was there first.
    async fn put_turn(
        &self,
        name: &str,
        turn: &str,
        expect: Expect,
        claimed: Option<(&str, i64)>,
    ) -> Result<Option<Rev>, RepositoryError> {
        let mut members = json!({ "pvt_type": "job_turn", "turn": turn });
        if let Some((job, at)) = claimed {
            members["job"] = job.into();
            members["claimed_ms"] = at.into();
        }
        match self.put(&turn_id(name), expect, object(members)).await {
            Ok(rev) => Ok(Some(rev)),
            Err(RepositoryError::Conflict { .. }) => Ok(None),
            Err(err) => Err(err),
        }
    }
}

fn turn_id(name: &str) -> String {
    format!("turn:{name}")
}
