//! What the numbers of each account come to, database by database: enough to see where all copies
//! are as they should be, without holding a number in memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
};

use crate::domain::AccountId;

/// The database of numbers: the four digits that their ids begin with.
pub(super) type Place = u16;

/// The sums of the numbers that were read.
#[derive(Debug, Default)]
pub(super) struct Sums {
    accounts: HashMap<AccountId, BTreeMap<Place, u64>>,
    /// How far each database was read.
    progress: HashMap<Place, Progress>,
    /// The databases that could not be read.
    unreadable: HashSet<Place>,
    /// Whether all databases are settled.
    pub(super) is_complete: bool,
}

/// How far a database was read.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    /// Up to this id.
    Behind(String),
    /// To its end.
    Done,
}

/// The database that numbers with these first bytes belong to.
pub(super) fn place_of(id: &str) -> Option<Place> {
    let digits = id.get(1..5)?;
    digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The name of a database.
pub(super) fn name_of(place: Place) -> String {
    format!("numbers/+{place:04}")
}

impl Sums {
    /// Takes over a page of a database. One that was taken before, or that does not follow what was,
    /// is left out.
    pub(super) fn take(
        &mut self,
        place: Place,
        after: Option<&str>,
        owned: Vec<(AccountId, u64)>,
        next: Option<&str>,
    ) {
        let follows = match (self.progress.get(&place), after) {
            (None, None) => true,
            (Some(Progress::Behind(id)), Some(after)) => id == after,
            _ => false,
        };
        if !follows {
            return;
        }
        for (account, sum) in owned {
            let sums = self.accounts.entry(account).or_default();
            let entry = sums.entry(place).or_default();
            *entry = entry.wrapping_add(sum);
        }
        let progress = next.map_or(Progress::Done, |id| Progress::Behind(id.to_owned()));
        self.progress.insert(place, progress);
    }

    /// Whether the database was read to its end, or cannot be.
    pub(super) fn is_settled(&self, place: Place) -> bool {
        self.progress.get(&place) == Some(&Progress::Done) || self.unreadable.contains(&place)
    }

    /// Forgets what was read of a database.
    pub(super) fn forget(&mut self, place: Place) {
        self.progress.remove(&place);
        for sums in self.accounts.values_mut() {
            sums.remove(&place);
        }
    }

    /// Notes that a database cannot be read.
    pub(super) fn give_up(&mut self, place: Place) {
        self.forget(place);
        self.unreadable.insert(place);
    }

    pub(super) fn is_unreadable(&self, place: Place) -> bool {
        self.unreadable.contains(&place)
    }

    /// Whether the copies of an account come to what its numbers in that database do.
    pub(super) fn agree(&self, account: &AccountId, place: Place, sum: u64) -> bool {
        self.accounts.get(account).and_then(|sums| sums.get(&place)) == Some(&sum)
    }

    /// The databases between two others of which the account has numbers.
    pub(super) fn between(
        &self,
        account: &AccountId,
        low: Option<Place>,
        high: Option<Place>,
    ) -> Vec<Place> {
        let low = low.map_or(Bound::Unbounded, Bound::Excluded);
        let high = high.map_or(Bound::Unbounded, Bound::Excluded);
        let sums = self.accounts.get(account);
        sums.into_iter().flat_map(|sums| sums.range((low, high)).map(|(place, _)| *place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_counts_once_and_only_in_its_turn() {
        let account = AccountId::parse(&"a".repeat(32)).unwrap();
        let owned = |sum| vec![(account.clone(), sum)];
        let mut sums = Sums::default();
        sums.take(1415, Some("+14155550100"), owned(1), None);
        assert!(!sums.is_settled(1415));
        sums.take(1415, None, owned(1), Some("+14155550100"));
        sums.take(1415, None, owned(1), Some("+14155550100"));
        sums.take(1415, Some("+14155550100"), owned(u64::MAX), None);
        sums.take(1415, Some("+14155550100"), owned(5), None);
        assert!(sums.is_settled(1415));
        assert!(sums.agree(&account, 1415, 0) && !sums.agree(&account, 1416, 0));
        assert_eq!(sums.between(&account, None, None), [1415]);
        assert_eq!(sums.between(&account, Some(1415), None), [0_u16; 0]);
        sums.forget(1415);
        assert!(!sums.agree(&account, 1415, 0));
        assert_eq!(sums.between(&account, None, Some(1416)), [0_u16; 0]);
    }
}
