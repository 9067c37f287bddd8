//! Outside carriers that do what a test says.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use number_manager::{
    carriers::{
        CarrierError, Holdings, Offered, Order, OutsideCarrier, OutsideCarriers, Ownership,
        Returned, Wanted,
    },
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
    /// Sells, and never says so.
    Swallowing,
    /// Does not know what it sold, and takes nothing back.
    Unable,
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
    mood: Mutex<Mood>,
    numbers: Vec<E164>,
    sold: AtomicUsize,
    ours: Mutex<BTreeSet<E164>>,
    returned: Mutex<Vec<String>>,
    asked_back: AtomicUsize,
    /// What it says of a number that is ours.
    says: Mutex<Option<Value>>,
}

impl ScriptedCarrier {
    pub(crate) fn new(mood: Mood, numbers: &[&str]) -> Arc<Self> {
        let numbers = numbers.iter().map(|number| E164::parse(number).unwrap()).collect();
        Arc::new(Self {
            mood: Mutex::new(mood),
            numbers,
            sold: AtomicUsize::new(0),
            ours: Mutex::default(),
            returned: Mutex::default(),
            asked_back: AtomicUsize::new(0),
            says: Mutex::default(),
        })
    }

    /// Changes what it does from here on.
    pub(crate) fn turn(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// These numbers are ours from here on.
    pub(crate) fn hold(&self, numbers: &[&str]) {
        let numbers = numbers.iter().map(|number| E164::parse(number).unwrap());
        self.ours.lock().unwrap().extend(numbers);
    }

    /// What it says of numbers that are ours from here on.
    pub(crate) fn say(&self, data: Value) {
        *self.says.lock().unwrap() = Some(data);
    }

    /// The numbers that were given back to it, in order.
    pub(crate) fn returned(&self) -> Vec<String> {
        self.returned.lock().unwrap().clone()
    }

    /// How often it was asked to take a number back, whatever it said.
    pub(crate) fn asked_back(&self) -> usize {
        self.asked_back.load(Ordering::SeqCst)
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    /// How often it sold something.
    pub(crate) fn sold(&self) -> usize {
        self.sold.load(Ordering::SeqCst)
    }

    async fn act(&self) -> Result<(), CarrierError> {
        match self.mood() {
            Mood::Willing | Mood::Stingy | Mood::Stalling | Mood::Swallowing | Mood::Unable => {
                Ok(())
            }
            Mood::Failing => Err(CarrierError::refused("closed")),
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

    async fn acquire(&self, order: &Order) -> Result<Option<Value>, CarrierError> {
        self.act().await?;
        match self.mood() {
            Mood::Stingy => return Err(CarrierError::refused("sold out")),
            Mood::Stalling => pending().await,
            _ => (),
        }
        if self.ours.lock().unwrap().insert(order.offered.number.clone()) {
            self.sold.fetch_add(1, Ordering::SeqCst);
        }
        if self.mood() == Mood::Swallowing {
            pending::<()>().await;
        }
        let mut kept = order.offered.data.clone().unwrap();
        kept["order"] = json!("o1");
        Ok(Some(kept))
    }

    async fn owned(&self, order: &Order) -> Result<Ownership, CarrierError> {
        self.act().await?;
        Ok(match self.ours.lock().unwrap().contains(&order.offered.number) {
            _ if self.mood() == Mood::Unable => Ownership::Unknown,
            true => Ownership::Ours(self.says.lock().unwrap().clone()),
            false => Ownership::NotOurs,
        })
    }

    async fn list(&self, after: Option<&str>) -> Result<Holdings, CarrierError> {
        self.act().await?;
        // One number at a time.
        let ours = self.ours.lock().unwrap();
        let mut left = ours.iter().filter(|it| after.is_none_or(|after| it.as_str() > after));
        let number = left.next();
        let next = number.filter(|_| left.next().is_some()).map(ToString::to_string);
        Ok(Holdings { numbers: number.cloned().into_iter().collect(), next })
    }

    async fn disconnect(&self, number: &E164, _: Option<&Value>) -> Result<Returned, CarrierError> {
        self.asked_back.fetch_add(1, Ordering::SeqCst);
        self.act().await?;
        if self.mood() == Mood::Unable {
            return Ok(Returned::Unsupported);
        }
        self.ours.lock().unwrap().remove(number);
        self.returned.lock().unwrap().push(number.to_string());
        Ok(Returned::Done)
    }
}

/// These carriers, each under its name.
pub(crate) fn registry(carriers: &[(&str, &Arc<ScriptedCarrier>)]) -> OutsideCarriers {
    carriers.iter().fold(OutsideCarriers::default(), |registry, (name, carrier)| {
        registry.with(CarrierName::read(name).unwrap(), (*carrier).clone())
    })
}
