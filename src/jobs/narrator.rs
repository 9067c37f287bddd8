//! The report in words, unit by unit in order, though several are worked on at once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Tells what a job does.
#[derive(Debug)]
pub struct Narrator {
    sender: UnboundedSender<String>,
    waiting: Mutex<Waiting>,
}

/// What is told, as it comes.
pub type Narration = UnboundedReceiver<String>;

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    texts: BTreeMap<u64, String>,
}

impl Narrator {
    /// A narrator, and what it will tell.
    #[must_use]
    pub fn new() -> (Self, Narration) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender, waiting: Mutex::default() }, receiver)
    }

    /// Tells something at once.
    pub(super) fn tell(&self, text: String) {
        if !text.is_empty() {
            // Who no longer listens misses nothing.
            let _ = self.sender.send(text);
        }
    }

    /// Tells of a unit, once those before it were told.
    pub(super) fn tell_unit(&self, unit: u64, text: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.texts.insert(unit, text);
        loop {
            let next = waiting.next;
            let Some(text) = waiting.texts.remove(&next) else { break };
            waiting.next += 1;
            self.tell(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_told_in_order() {
        let (narrator, mut told) = Narrator::new();
        for unit in [2, 0, 1, 3] {
            narrator.tell_unit(unit, unit.to_string());
        }
        let mut order = String::new();
        while let Ok(text) = told.try_recv() {
            order.push_str(&text);
        }
        assert_eq!(order, "0123");
    }
}
