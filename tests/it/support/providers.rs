//! A provider of emergency addresses that does as it is told, and a notifier that remembers.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use number_manager::{
    domain::{E164, Number, State},
    providers::{FeatureProvider, Hold, Notice, Notifier, ProviderError, Step, VendorError},
    store::{DbName, Expect, SharedStore, Write},
};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

/// What the provider is called in settings.
pub(crate) const SCRIPTED: &str = "test_e911";

/// What the provider does when it is asked.
#[derive(Clone, Debug, Default)]
pub(crate) enum Script {
    /// As it is asked, and writes `status` on the address.
    #[default]
    Obey,
    /// Finds two addresses.
    Offer,
    /// Refuses everything.
    Fail,
    /// Does not say what it did.
    Doubt,
    /// As in a race, and it cannot take back what it did.
    Stick(SharedStore, DbName),
    /// As it is asked, while somebody else changes the number; the first time only.
    Race(SharedStore, DbName),
}

/// A provider whose calls can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    calls: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Script>>,
}

impl Scripted {
    pub(crate) fn new(script: Script) -> Self {
        Self { script: Arc::new(Mutex::new(script)), ..Self::default() }
    }

    /// Does this from here on.
    pub(crate) fn turn(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    fn script(&self) -> Script {
        self.script.lock().unwrap().clone()
    }

    /// What it was asked since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Waits until it was asked this since the last time.
    pub(crate) async fn called(&self, wanted: &[&str]) {
        for _ in 0..500 {
            if self.calls.lock().unwrap().len() >= wanted.len() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(self.calls(), wanted);
    }

    fn note(&self, call: &str, step: Step<'_>) -> usize {
        let street = |number: Option<&Number>| {
            let address = number.and_then(|number| number.features.get("e911"));
            address.map_or("none".to_owned(), |address| address["street_address"].to_string())
        };
        let mut calls = self.calls.lock().unwrap();
        calls.push(match call {
            "provide" | "undo" => {
                format!("{call} {} -> {}", street(step.before), street(step.after))
            }
            _ => format!("{call} {}", street(step.after)),
        });
        calls.len()
    }
}

#[async_trait]
impl FeatureProvider for Scripted {
    fn name(&self) -> &'static str {
        SCRIPTED
    }

    fn member(&self) -> &'static str {
        "e911"
    }

    fn features(&self) -> &'static [&'static str] {
        &["e911"]
    }

    fn holds_in(&self, state: State) -> Hold {
        match state {
            State::Reserved | State::InService | State::PortIn => Hold::Held,
            _ => Hold::Dropped,
        }
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        public.get("e911").map(|address| ("e911", address.clone())).into_iter().collect()
    }

    fn acts_outside(&self) -> bool {
        true
    }

    async fn provide(
        &self,
        before: Option<&Number>,
        after: &mut Number,
        _holder: Option<&str>,
    ) -> Result<(), ProviderError> {
        let calls = self.note("provide", Step { before, after: Some(after) });
        let address = after.features.get("e911").cloned();
        match self.script() {
            Script::Offer => {
                let given = address.unwrap_or_default();
                let candidates = vec![given.clone(), given.clone()];
                return Err(ProviderError::Choices { feature: "e911", given, candidates });
            }
            Script::Fail => return Err(refused()),
            Script::Doubt => return Err(doubtful()),
            Script::Race(store, db) | Script::Stick(store, db) if calls == 1 => {
                let id = before.unwrap().id.as_str();
                let mut found = store.get(&db, id).await.unwrap().live().unwrap();
                found.body.insert("theirs".to_owned(), 1.into());
                let write = Write::put(db, id, Expect::At(found.rev), found.body);
                store.commit(vec![write]).await.unwrap();
            }
            Script::Obey | Script::Stick(..) | Script::Race(..) => (),
        }
        if let Some(Value::Object(mut address)) = address {
            address.insert("status".to_owned(), "GEOCODED".into());
            for members in [&mut after.features, &mut after.public] {
                members.insert("e911".to_owned(), Value::Object(address.clone()));
            }
        }
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) -> Result<(), ProviderError> {
        self.note("undo", step);
        match self.script() {
            Script::Stick(..) => Err(refused()),
            _ => Ok(()),
        }
    }

    fn leftover(&self, before: Option<&Number>, after: Option<&mut Number>) -> Option<Value> {
        let step = Step { before, after: after.as_deref() };
        step.taken("e911").map(|_| json!({"taken": true}))
    }

    async fn settle(
        &self,
        _number: &E164,
        now: Option<&Number>,
        left: &Value,
    ) -> Result<(), ProviderError> {
        let what = if left["taken"] == true { "settle" } else { "settle doubt" };
        self.note(what, Step { before: None, after: now });
        match self.script() {
            Script::Fail => Err(refused()),
            Script::Doubt => Err(doubtful()),
            _ => Ok(()),
        }
    }
}

fn refused() -> ProviderError {
    ProviderError::failed(SCRIPTED, VendorError::refused("closed").with_status(403))
}

fn doubtful() -> ProviderError {
    ProviderError::failed(SCRIPTED, VendorError::doubtful("silence"))
}

/// A notifier whose notices can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Notice>>>);

impl Recorder {
    /// What was sent since the last time.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl Notifier for Recorder {
    async fn send(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}
