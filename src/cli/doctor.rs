//! `doctor`: checks a deployment, a line for each thing, and says what to do about what is wrong.

use std::time::Duration;

use crate::{
    config::Config,
    repository::{FeedRepository, FollowerLease},
    store::{DbName, Expect, Kind, SharedStore, StoreError, WRITE_ID, Write},
    telemetry,
};

use super::wire;

/// A database that is made and dropped again: of a day on which nobody used this service.
const TRIAL: &str = "number_manager_requests-20000101";
/// How many of the databases that lack an index are named.
const NAMED: usize = 3;
/// How far clocks may differ: the part of a lease that its holder leaves unused.
const CLOCK_PART: i64 = 5;

/// What was found, so far.
#[derive(Debug, Default)]
struct Report {
    failed: usize,
}

/// What became of a check.
enum Found {
    /// All is well; in what, if there is more to say than the check's name.
    Well(Option<String>),
    /// Something that may be as it should be, and what it means.
    Note(String),
    /// What is wrong, and what to do.
    Wrong(String),
}

/// Checks settings, store, rights, indexes, clock, follower, key and stored configuration.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut report = Report::default();
    report.say("settings can be used", Found::Well(None));
    let store = wire::open_store(config).await;
    report.say_whether("the store can be opened", store.as_ref().map_err(|why| format!("{why:#}")));
    if let Ok(store) = &store {
        let reached = store.ping().await;
        report.say_whether("the store answers and lets us in", reached.as_ref().map_err(why));
        report.say("databases can be made, written to and dropped", rights(store).await);
        report.say("every database has its indexes", indexes(store).await);
        let lease = FeedRepository::new(store.clone()).lease().await;
        let lease = lease.map(|stored| stored.map(|stored| stored.lease));
        let now = wire::clock().now().as_millisecond();
        match &lease {
            Ok(lease) => {
                report.say("clocks agree", clocks(config, lease.as_ref(), now));
                report.say("copies are kept true", follower(config, lease.as_ref(), now));
            }
            Err(err) => report.say("copies are kept true", Found::Wrong(why(err))),
        }
        let service = wire::build_service(config, store, &wire::clock());
        let read = service.classifiers().await;
        let read = read.as_ref().map_err(|err| {
            format!("{}: put it right with POST /v2/system_configs/number_manager", why(err))
        });
        report.say_whether("the stored configuration can be used", read);
    }
    let store = store.ok();
    if store.is_some() || !config.uses_couchdb() {
        let keys = wire::authenticator(config, store.as_ref()).await;
        report
            .say_whether("tokens can be checked", keys.as_ref().map_err(|why| format!("{why:#}")));
    }
    match report.failed {
        0 => Ok(()),
        1 => anyhow::bail!("one check failed"),
        failed => anyhow::bail!("{failed} checks failed"),
    }
}

impl Report {
    fn say(&mut self, what: &str, found: Found) {
        match found {
            Found::Well(None) => println!("ok    {what}"),
            Found::Well(Some(how)) => println!("ok    {what}: {how}"),
            Found::Note(note) => println!("note  {what}: {note}"),
            Found::Wrong(wrong) => {
                self.failed += 1;
                println!("FAIL  {what}: {wrong}");
            }
        }
    }

    fn say_whether<T>(&mut self, what: &str, outcome: Result<T, String>) {
        self.say(what, outcome.map_or_else(Found::Wrong, |_| Found::Well(None)));
    }
}

/// Makes a database, writes to it and drops it.
async fn rights(store: &SharedStore) -> Found {
    let db = DbName::new(TRIAL);
    let tried = async {
        store.create_database(&db).await?;
        let body = [(WRITE_ID.to_owned(), uuid::Uuid::new_v4().to_string().into())];
        let trial = Write::put(db.clone(), "doctor", Expect::Absent, body.into_iter().collect());
        store.commit(vec![trial]).await.map_err(|err| err.error)?;
        store.drop_database(&db).await
    };
    match tried.await {
        Ok(()) => Found::Well(None),
        Err(err) if err.kind == Kind::Denied => {
            Found::Wrong(format!("{}: give COUCHDB_URL the name of a server admin", why(&err)))
        }
        Err(err) => Found::Wrong(format!("{}: look at the store's log and its disk", why(&err))),
    }
}

/// Looks whether the databases of numbers have the indexes of this version.
async fn indexes(store: &SharedStore) -> Found {
    let looked = async {
        let mut behind = Vec::new();
        let databases = store.databases("numbers/").await?;
        for db in &databases {
            match store.has_current_indexes(db).await {
                Ok(true) => (),
                Ok(false) => behind.push(db.to_string()),
                Err(err) if err.kind == Kind::NoDatabase => (),
                Err(err) => return Err(err),
            }
        }
        Ok::<_, StoreError>((databases.len(), behind))
    };
    match looked.await {
        Err(err) => Found::Wrong(why(&err)),
        Ok((all, behind)) if behind.is_empty() => Found::Well(Some(format!("{all} of numbers"))),
        Ok((all, behind)) => {
            let named = behind.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let count = behind.len();
            Found::Wrong(format!(
                "{count} of {all} have not those of this version ({named}): run \
                 `number-manager migrate` in a quiet hour"
            ))
        }
    }
}

/// Who follows says until when; that lies no further ahead than a lease, unless a clock is wrong.
fn clocks(config: &Config, lease: Option<&FollowerLease>, now: i64) -> Found {
    let length = i64::try_from(config.follower.lease_ms).unwrap_or(i64::MAX);
    let Some(lease) = lease else {
        return Found::Note("no other process has told the time yet".to_owned());
    };
    let ahead = lease.until_ms.saturating_sub(now).saturating_sub(length);
    if ahead > length / CLOCK_PART {
        return Found::Wrong(format!(
            "the process that follows is {} s ahead of this machine: set both by NTP",
            ahead / 1000
        ));
    }
    Found::Well(None)
}

fn follower(config: &Config, lease: Option<&FollowerLease>, now: i64) -> Found {
    let Some(lease) = lease else {
        return Found::Note(
            "nobody has followed yet: start a service with `follower.enabled`".to_owned(),
        );
    };
    if lease.until_ms < now {
        return Found::Note(
            "nobody follows now: start a service with `follower.enabled`, or copies that others \
             write stay as they are"
                .to_owned(),
        );
    }
    let following = &lease.following;
    let told = format!(
        "{} follows, {} ms behind, {} numbers cannot be settled",
        lease.holder, following.lag_ms, following.retries
    );
    if following.conflicting_owners > 0 {
        return Found::Wrong(format!(
            "{told}, and {} have versions that name different owners: see `conflicting_owners` of an \
             audit, and decide with POST /v2/phone_numbers/{{number}}/repair",
            following.conflicting_owners
        ));
    }
    if following.lag_ms > config.follower.degraded_after_ms {
        let seconds = Duration::from_millis(following.lag_ms).as_secs();
        return Found::Wrong(format!(
            "{told}: for {seconds} s; look at its log for what cannot be followed"
        ));
    }
    Found::Well(Some(told))
}

fn why(err: &(impl std::error::Error + 'static)) -> String {
    telemetry::chain(err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Flags, repository::Following};

    const NOW: i64 = 1_800_000_000_000;

    fn lease(until_ms: i64, following: Following) -> FollowerLease {
        FollowerLease { holder: "h".to_owned(), epoch: 1, until_ms, following }
    }

    fn config() -> Config {
        Config::load(None, &Flags { listen: None, data_dir: None }).unwrap()
    }

    fn is(found: &Found) -> &'static str {
        match found {
            Found::Well(_) => "well",
            Found::Note(_) => "note",
            Found::Wrong(_) => "wrong",
        }
    }

    #[test]
    fn a_follower_is_well_late_contested_or_not_there() {
        let config = config();
        let check = |lease: Option<FollowerLease>, wanted: &str| {
            assert_eq!(is(&follower(&config, lease.as_ref(), NOW)), wanted, "{lease:?}");
        };
        let is = |change: fn(&mut Following)| {
            let mut following = Following::default();
            change(&mut following);
            Some(lease(NOW + 10_000, following))
        };
        check(None, "note");
        check(Some(lease(NOW - 1, Following::default())), "note");
        check(is(|it| it.lag_ms = 30_000), "well");
        check(is(|it| it.lag_ms = 30_001), "wrong");
        check(is(|it| it.retries = 7), "well");
        check(is(|it| it.conflicting_owners = 1), "wrong");
    }

    #[test]
    fn a_lease_that_ends_later_than_any_can_tells_of_another_clock() {
        let config = config();
        let check = |until_ms: i64, wanted: &str| {
            let lease = lease(until_ms, Following::default());
            assert_eq!(is(&clocks(&config, Some(&lease), NOW)), wanted, "{until_ms}");
        };
        assert_eq!(is(&clocks(&config, None, NOW)), "note");
        check(0, "well");
        check(NOW + 15_000, "well");
        check(NOW + 18_000, "well");
        check(NOW + 18_001, "wrong");
    }
}
