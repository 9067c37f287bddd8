//! The process is killed before or after any step of anything that it does, started again, and left
//! alone: what it acknowledged is there, nothing happened twice, and the copies become right by
//! themselves.
//!
//! A few runs are part of every test run. `NUMBER_MANAGER_CHAOS_RUNS=200 cargo test --test it
//! process::chaos` is the long form; `NUMBER_MANAGER_CHAOS_SEED` repeats the runs of another time.

mod actions;

use std::{
    env,
    future::pending,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use rstest::rstest;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep},
};

use self::actions::{Action, Case};
use super::{crash::check_what_is_left, kill::Random};
use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{Home, OFTEN, PATIENCE, Service},
    proxy::{Fault, Proxy},
};

/// How many runs there are when nobody says so.
const RUNS: u64 = 14;
/// The most steps that are waited for before the process is killed.
const STEPS: u64 = 8;
/// The longest that a process lives where its steps cannot be told apart, in microseconds.
const LIFE_US: u64 = 60_000;

#[expect(clippy::disallowed_methods, reason = "the long form is asked for by whoever runs it")]
fn setting(name: &str, default: u64) -> u64 {
    let given = env::var(format!("NUMBER_MANAGER_CHAOS_{name}")).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// When so many requests that are steps have been answered and one more is on its way to the store,
    /// which does not get it.
    Before(usize),
    /// The same when the store has made it.
    After(usize),
    /// So long after the request.
    Within(Duration),
}

impl Moment {
    /// Any moment; steps are seen only on the way to a server.
    fn any(random: &mut Random, home: &Home) -> Self {
        if home.is_sqlite() {
            return Self::Within(Duration::from_micros(random.below(LIFE_US)));
        }
        let step = usize::try_from(random.below(STEPS)).unwrap();
        if random.below(2) == 0 { Self::Before(step) } else { Self::After(step) }
    }

    /// Arranges it, and says when it has come.
    fn arrange(self, proxy: Option<&Proxy>, action: Action) -> UnboundedReceiver<()> {
        let (tell, told) = unbounded_channel();
        let (Some(proxy), Self::Before(step) | Self::After(step)) = (proxy, self) else {
            return told;
        };
        let (left, is_over) = (AtomicUsize::new(step), AtomicBool::new(false));
        proxy.rule(move |line| {
            if is_over.load(Ordering::SeqCst) {
                return Some(Fault::Hang);
            }
            if !action.is_step(line) {
                return None;
            }
            let take = |left: usize| left.checked_sub(1);
            if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                return None;
            }
            is_over.store(true, Ordering::SeqCst);
            if matches!(self, Self::After(_)) {
                return Some(Fault::KeepAnswer(tell.clone()));
            }
            // Nobody listens any more when the action has ended.
            let _ = tell.send(());
            Some(Fault::Hang)
        });
        told
    }
}

/// A place where services follow, and take over soon.
async fn place(mut home: Home) -> (Home, Option<Proxy>) {
    let settings = [
        ("follower__enabled", "true"),
        ("follower__lease_ms", "900"),
        ("follower__renewal_ms", "100"),
        ("follower__deadline_ms", "900"),
        ("follower__pace_ms", "20"),
        ("follower__poll_ms", "50"),
        ("follower__sweep_ms", "1000"),
        ("follower__retry_ms", "100"),
        ("follower__retry_max_ms", "500"),
        ("couchdb__call_timeout_ms", "300"),
        ("jobs__lease_ms", "600"),
        ("jobs__renewal_ms", "50"),
        ("jobs__poll_ms", "50"),
        ("jobs__unstored_ms", "500"),
        ("jobs__courtesy_ms", "0"),
    ];
    for (name, value) in settings {
        home.set(name, value);
    }
    if home.is_sqlite() {
        return (home, None);
    }
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    home.through(proxy.host());
    (home, Some(proxy))
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn killed_anywhere_it_loses_nothing_and_heals_by_itself(#[case] home: Home) {
    let (runs, seed) = (setting("RUNS", RUNS), setting("SEED", 1));
    let (home, proxy) = place(home).await;
    let mut service = home.start().await;
    for run in 0..runs {
        let mut random = Random::of(seed.wrapping_mul(1_000_003).wrapping_add(run));
        // Each in its turn, so that few runs have all of them.
        let action = Action::ALL[usize::try_from(run).unwrap() % Action::ALL.len()];
        let moment = Moment::any(&mut random, &home);
        let name = format!("seed {seed}, run {run}: {action:?} killed {moment:?}");
        let case = Case::new(action, run, name);
        kill_in(&home, proxy.as_ref(), service, action, moment, &case).await;
        service = home.start_bare().await;
        action.finish(&case, &service).await;
        service = check(&home, service, action, &case).await;
    }
    service.stop().await;
}

/// Does something, and kills the process in its middle.
async fn kill_in(
    home: &Home,
    proxy: Option<&Proxy>,
    service: Service,
    action: Action,
    moment: Moment,
    case: &Case,
) {
    action.prepare(case, &service).await;
    let mut end = moment.arrange(proxy, action);
    let over = async {
        match moment {
            Moment::Within(time) => sleep(time).await,
            Moment::Before(_) | Moment::After(_) => {
                if end.recv().await.is_none() {
                    pending::<()>().await;
                }
            }
        }
    };
    tokio::select! {
        () = over => (),
        () = action.act(case, &service) => (),
    }
    service.kill();
    if let Some(proxy) = proxy {
        proxy.end_rule();
    }
    let store = home.store().await;
    if home.is_sqlite() {
        assert_eq!(violations(&*store).await, [], "{case}: a set was made by half");
    } else if action.is_of_one_number() {
        check_what_is_left(&*store, &case.numbers).await;
    }
}

/// Waits until the copies are right, without doing anything for it, and looks at the numbers.
async fn check(home: &Home, service: Service, action: Action, case: &Case) -> Service {
    if home.is_sqlite() {
        // Nobody else can look into the file; and a set is made whole or not at all there.
        service.stop().await;
        {
            let store = home.store().await;
            assert_eq!(violations(&*store).await, [], "{case}");
            action.check(case, &*store).await;
        }
        return home.start_bare().await;
    }
    let (store, begun) = (home.store().await, Instant::now());
    loop {
        let wrong = violations(&*store).await;
        if wrong.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{case}: {wrong:?} {service:?}");
        sleep(OFTEN).await;
    }
    action.check(case, &*store).await;
    service
}
