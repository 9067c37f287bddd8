//! A provider of emergency addresses that does as it is told, and a notifier that remembers.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use number_manager::{
    domain::{Number, State},
    providers::{FeatureProvider, Hold, Notice, Notifier, ProviderError, Step},
    store::{DbName, Expect, SharedStore, Write},
};
use serde_json::{Map, Value};

/// What the provider is called in settings.
pub(crate) const SCRIPTED: &str = "test_e911";

/// What the provider does when it is asked.
#[derive(Debug, Default)]
pub(crate) enum Script {
    /// As it is asked, and writes `status` on the address.
    #[default]
    Obey,
    /// Finds two addresses.
    Offer,
    /// Does not answer.
    Fail,
    /// As it is asked, while somebody else changes the number; the first time only.
    Race(SharedStore, DbName),
}

/// A provider whose calls can be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scripted {
    calls: Arc<Mutex<Vec<String>>>,
    script: Arc<Script>,
}

impl Scripted {
    pub(crate) fn new(script: Script) -> Self {
        Self { script: Arc::new(script), ..Self::default() }
    }

    /// What it was asked since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn note(&self, call: &str, step: Step<'_>) -> usize {
        let street = |number: Option<&Number>| {
            let address = number.and_then(|number| number.features.get("e911"));
            address.map_or("none".to_owned(), |address| address["street_address"].to_string())
        };
        let mut calls = self.calls.lock().unwrap();
        calls.push(format!("{call} {} -> {}", street(step.before), street(step.after)));
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

    async fn provide(
        &self,
        before: Option<&Number>,
        after: Option<&mut Number>,
    ) -> Result<(), ProviderError> {
        let calls = self.note("provide", Step { before, after: after.as_deref() });
        let address = after.as_deref().and_then(|after| after.features.get("e911")).cloned();
        match &*self.script {
            Script::Offer => {
                let given = address.unwrap_or_default();
                let candidates = vec![given.clone(), given.clone()];
                return Err(ProviderError::Choices { feature: "e911", given, candidates });
            }
            Script::Fail => {
                let source = Arc::from(Box::<dyn std::error::Error + Send + Sync>::from("silence"));
                return Err(ProviderError::Failed { provider: SCRIPTED, source });
            }
            Script::Race(store, db) if calls == 1 => {
                let id = before.unwrap().id.as_str();
                let mut found = store.get(db, id).await.unwrap().live().unwrap();
                found.body.insert("theirs".to_owned(), 1.into());
                let write = Write::put(db.clone(), id, Expect::At(found.rev), found.body);
                store.commit(vec![write]).await.unwrap();
            }
            Script::Obey | Script::Race(..) => (),
        }
        if let (Some(after), Some(Value::Object(mut address))) = (after, address) {
            address.insert("status".to_owned(), "GEOCODED".into());
            for members in [&mut after.features, &mut after.public] {
                members.insert("e911".to_owned(), Value::Object(address.clone()));
            }
        }
        Ok(())
    }

    async fn undo(&self, step: Step<'_>) {
        self.note("undo", step);
    }
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
