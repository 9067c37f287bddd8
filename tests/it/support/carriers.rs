//! Outside carriers that do what a test says.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use number_manager::{
    carriers::{CarrierError, Offered, OutsideCarrier, OutsideCarriers, Wanted},
    domain::{CarrierName, E164},
};
use serde_json::{Value, json};

/// What a carrier does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Offers and sells.
    Willing,
    /// Offers what it then does not sell.
    Stingy,
    /// Offers, and never answers when it is to sell.
    Stalling,
    /// Refuses everything.
    Failing,
    /// Never answers.
    Slow,
    /// Panics.
    Broken,
}

/// A carrier that has these numbers.
#[derive(Debug)]
pub(crate) struct ScriptedCarrier {
    mood: Mood,
    numbers: Vec<E164>,
    sold: AtomicUsize,
}

impl ScriptedCarrier {
    pub(crate) fn new(mood: Mood, numbers: &[&str]) -> Arc<Self> {
        let numbers = numbers.iter().map(|number| E164::parse(number).unwrap()).collect();
        Arc::new(Self { mood, numbers, sold: AtomicUsize::new(0) })
    }

    /// How often it sold something.
    pub(crate) fn sold(&self) -> usize {
        self.sold.load(Ordering::SeqCst)
    }

    async fn act(&self) -> Result<(), CarrierError> {
        match self.mood {
            Mood::Willing | Mood::Stingy | Mood::Stalling => Ok(()),
            Mood::Failing => Err(CarrierError("closed".to_owned())),
            Mood::Slow => pending().await,
            Mood::Broken => panic!("as the script says"),
        }
    }
}

#[async_trait]
impl OutsideCarrier for ScriptedCarrier {
    async fn search(&self, _: &Wanted) -> Result<Vec<Offered>, CarrierError> {
        self.act().await?;
        let offered =
            |number: &E164| Offered { number: number.clone(), data: Some(json!({"ref": "r1"})) };
        Ok(self.numbers.iter().map(offered).collect())
    }

    async fn check(&self, numbers: &[E164]) -> Result<BTreeMap<E164, String>, CarrierError> {
        self.act().await?;
        let word = |number: &E164| if self.numbers.contains(number) { "success" } else { "taken" };
        Ok(numbers.iter().map(|number| (number.clone(), word(number).to_owned())).collect())
    }

    async fn acquire(&self, offered: &Offered) -> Result<Option<Value>, CarrierError> {
        self.act().await?;
        match self.mood {
            Mood::Stingy => return Err(CarrierError("sold out".to_owned())),
            Mood::Stalling => pending().await,
            _ => (),
        }
        self.sold.fetch_add(1, Ordering::SeqCst);
        let mut kept = offered.data.clone().unwrap();
        kept["order"] = json!("o1");
        Ok(Some(kept))
    }
}

/// These carriers, each under its name.
pub(crate) fn registry(carriers: &[(&str, &Arc<ScriptedCarrier>)]) -> OutsideCarriers {
    carriers.iter().fold(OutsideCarriers::default(), |registry, (name, carrier)| {
        registry.with(CarrierName::read(name).unwrap(), (*carrier).clone())
    })
}
