//! What a process is doing when it is killed, and what may be left of it.

use std::{
    fmt,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use number_manager::store::{DbName, DocumentStore};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::process::{A, Answer, B, OFTEN, PATIENCE, Service, of};

/// How many numbers a job is about.
const MANY: usize = 12;
/// How many databases the numbers of all runs are in.
const DATABASES: u64 = 8;
/// For how long at most the follower is watched before it is killed.
const WATCH: Duration = Duration::from_secs(3);

/// What a process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Reassign,
    Release,
    Delete,
    Convert,
    Apply,
    Checkpoint,
}

/// One run.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) numbers: Vec<String>,
    is_acknowledged: AtomicBool,
    plan: Mutex<String>,
}

/// The owner and the state of a number; none when there is no number.
type State = Option<(Option<&'static str>, &'static str)>;

impl Case {
    pub(super) fn new(action: Action, run: u64, name: String) -> Self {
        let count = if action.is_of_one_number() { 1 } else { MANY };
        let number = |place| format!("+1{}5{:03}{place:03}", 410 + run % DATABASES, run % 1000);
        Self {
            name,
            numbers: (0..count).map(number).collect(),
            is_acknowledged: AtomicBool::new(false),
            plan: Mutex::default(),
        }
    }

    fn of(&self, account: &str) -> String {
        of(account, &self.numbers[0])
    }

    /// Sends a request that may have no answer, and notes whether it was acknowledged.
    async fn send(&self, service: &Service, method: Method, path: &str, data: Value) {
        let answer = service.try_ask(method, path, data, service.token()).await;
        if let Some(answer) = answer {
            assert!(answer.is_good() || answer.status == 503, "{self}: {answer:?}");
            self.is_acknowledged.store(answer.is_good(), Ordering::SeqCst);
        }
    }

    /// Sends one until it is carried out: while another one does the same it is refused.
    async fn insist(&self, service: &Service, path: &str, data: &Value) -> Answer {
        let begun = Instant::now();
        loop {
            let answer = service.ask(Method::POST, path, data.clone()).await;
            if answer.status == 200 {
                return answer;
            }
            assert!([202, 409].contains(&answer.status), "{self}: {answer:?}");
            assert!(begun.elapsed() < PATIENCE, "{self}: {answer:?}");
            sleep(OFTEN * 10).await;
        }
    }

    fn conversion(&self) -> Value {
        json!({
            "target": "knm_inventory", "scope": {"numbers": self.numbers}, "page_size": 5,
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Action {
    pub(super) const ALL: [Self; 7] = [
        Self::Create,
        Self::Reassign,
        Self::Release,
        Self::Delete,
        Self::Convert,
        Self::Apply,
        Self::Checkpoint,
    ];

    pub(super) fn is_of_one_number(self) -> bool {
        !matches!(self, Self::Convert | Self::Apply)
    }

    /// Whether a request to the store that begins with this line is one of its steps.
    pub(super) fn is_step(self, line: &str) -> bool {
        let is_write = ["PUT", "DELETE"].iter().any(|method| line.starts_with(method))
            || line.contains("_bulk_docs");
        let is_checkpoint = line.contains("/_local/") || line.contains("number_manager/");
        let is_document = ["numbers%2F", "account%2F"].iter().any(|name| line.contains(name))
            && !line.contains("/_local/");
        is_write
            && match self {
                Self::Create | Self::Reassign | Self::Release | Self::Delete => is_document,
                Self::Convert | Self::Apply => is_document || line.contains("number_manager_jobs/"),
                Self::Checkpoint => is_checkpoint,
            }
    }

    /// Everything that comes before.
    pub(super) async fn prepare(self, case: &Case, service: &Service) {
        match self {
            Self::Create | Self::Checkpoint => (),
            Self::Reassign | Self::Release | Self::Delete => {
                service.put(&case.of(A), made()).await.expect(201);
            }
            Self::Convert | Self::Apply => {
                let data = json!({"numbers": case.numbers, "carrier_name": "telnyx"});
                let path = format!("accounts/{A}/phone_numbers/collection");
                let made = service.put(&path, data).await.expect(201).json;
                let made = made["data"]["success"].as_object().unwrap().len();
                assert_eq!(made, case.numbers.len(), "{case}");
            }
        }
        if self == Self::Apply {
            let mut data = case.conversion();
            data["dry_run"] = json!(true);
            let plan = case.insist(service, "maintenance/convert_carrier?wait=20", &data).await;
            plan.json["data"]["id"].as_str().unwrap().clone_into(&mut case.plan.lock().unwrap());
        }
    }

    /// Does it.
    pub(super) async fn act(self, case: &Case, service: &Service) {
        let (method, path, data) = match self {
            Self::Create => (Method::PUT, case.of(A), made()),
            Self::Reassign => (Method::PUT, case.of(B) + "/activate", Value::Null),
            Self::Release => (Method::DELETE, case.of(A), Value::Null),
            Self::Delete => (Method::DELETE, case.of(A) + "?hard=true", Value::Null),
            Self::Convert => {
                let path = "maintenance/convert_carrier?wait=20".to_owned();
                (Method::POST, path, case.conversion())
            }
            Self::Apply => (Method::POST, case.applying(), json!({})),
            Self::Checkpoint => {
                case.send(service, Method::PUT, &case.of(A), made()).await;
                return watch(service).await;
            }
        };
        case.send(service, method, &path, data).await;
    }

    /// What somebody does who had no answer to a job: the same again.
    pub(super) async fn finish(self, case: &Case, service: &Service) {
        let (path, data) = match self {
            Self::Convert => ("maintenance/convert_carrier?wait=20".to_owned(), case.conversion()),
            Self::Apply => (case.applying(), json!({})),
            _ => return,
        };
        let job = case.insist(service, &path, &data).await.json;
        assert_eq!(job["data"]["state"], "succeeded", "{case}: {job}");
    }

    /// Checks that the numbers are as they were or as they were to be, and as they were to be if that
    /// was acknowledged; and that no write happened twice.
    pub(super) async fn check(self, case: &Case, store: &dyn DocumentStore) {
        let (before, after, writes): (State, State, u64) = match self {
            Self::Create | Self::Checkpoint => (None, Some(held(A)), 1),
            Self::Reassign => (Some(held(A)), Some(held(B)), 2),
            Self::Release => (Some(held(A)), Some((None, "aging")), 2),
            Self::Delete => (Some(held(A)), None, 2),
            Self::Convert | Self::Apply => (Some(held(A)), Some(held(A)), 2),
        };
        for number in &case.numbers {
            let db = DbName::new(format!("numbers/{}", &number[..5]));
            let found = store.get(&db, number).await.unwrap().live();
            let text = |key: &str| found.as_ref().and_then(|it| it.body.get(key)?.as_str());
            let state = text("pvt_state").map(|state| (text("pvt_assigned_to"), state));
            let is_after = state == after;
            let is_before = state == before && !case.is_acknowledged.load(Ordering::SeqCst);
            assert!(is_after || is_before, "{case}: {number} is {found:?}");
            if let Some(found) = &found {
                let (made, _) = found.rev.as_str().split_once('-').unwrap();
                let made: u64 = made.parse().unwrap();
                let is_once = made == writes || is_before && made + 1 == writes;
                assert!(is_once, "{case}: {number} is at {made}");
            }
            if !self.is_of_one_number() {
                assert_eq!(text("pvt_module_name"), Some("knm_inventory"), "{case}: {number}");
            }
        }
    }
}

impl Case {
    fn applying(&self) -> String {
        format!("jobs/{}/apply?wait=20", self.plan.lock().unwrap())
    }
}

/// A number that is left to age when it is given up.
fn made() -> Value {
    json!({"note": "made", "carrier_name": "inventory"})
}

fn held(owner: &'static str) -> (Option<&'static str>, &'static str) {
    (Some(owner), "in_service")
}

/// Waits until the follower has looked at a change twice, at most for a while.
async fn watch(service: &Service) {
    let begun = Instant::now();
    let mut is_behind = false;
    while begun.elapsed() < WATCH {
        let asked = service.try_ask(Method::GET, "consistency", Value::Null, service.token());
        let Some(answer) = asked.await else { return };
        let lag = answer.json["data"]["follower"]["lag_ms"].as_u64().unwrap_or_default();
        if is_behind && lag == 0 {
            return;
        }
        is_behind |= lag > 0;
        sleep(OFTEN).await;
    }
}
