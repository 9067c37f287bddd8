//! Who reserved a number, one after the other.

use super::AccountId;

/// The accounts that reserved a number, newest first. No account stands twice in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReserveHistory(Vec<AccountId>);

impl ReserveHistory {
    /// A stored history; repeats in a row collapse.
    #[must_use]
    pub fn new(mut newest_first: Vec<AccountId>) -> Self {
        newest_first.dedup();
        Self(newest_first)
    }

    /// The accounts, newest first.
    #[must_use]
    pub fn accounts(&self) -> &[AccountId] {
        &self.0
    }

    /// Records that `account` reserves the number.
    pub fn push(&mut self, account: AccountId) {
        if self.0.first() != Some(&account) {
            self.0.insert(0, account);
        }
    }

    /// Takes away what a release by `owner` uses up and returns the account that gets the number
    /// back: entries of `owner` at the head go, and so do accounts that no longer exist.
    pub fn unwind(
        &mut self,
        owner: Option<&AccountId>,
        exists: impl Fn(&AccountId) -> bool,
    ) -> Option<AccountId> {
        let gone = |account: &AccountId| Some(account) == owner || !exists(account);
        let keep = self.0.iter().position(|account| !gone(account)).unwrap_or(self.0.len());
        self.0.drain(..keep);
        self.0.first().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(letter: char) -> AccountId {
        AccountId::parse(&letter.to_string().repeat(32)).expect("32 letters are an account id")
    }

    fn accounts(letters: &str) -> Vec<AccountId> {
        letters.chars().map(account).collect()
    }

    #[track_caller]
    fn check(history: &str, owner: char, missing: &str, next: Option<char>, left: &str) {
        let mut history = ReserveHistory::new(accounts(history));
        let missing = accounts(missing);
        let heir = history.unwind(Some(&account(owner)), |account| !missing.contains(account));
        assert_eq!(heir, next.map(account));
        assert_eq!(history.accounts(), accounts(left));
    }

    #[test]
    fn a_release_goes_back_along_the_history() {
        check("cp", 'c', "", Some('p'), "p");
        check("p", 'p', "", None, "");
        check("p", 'c', "", Some('p'), "p");
        check("abp", 'a', "", Some('b'), "bp");
        check("rm", 'r', "", Some('m'), "m");
        check("", 'c', "", None, "");
        check("ccp", 'c', "", Some('p'), "p");
    }

    #[test]
    fn accounts_that_are_gone_are_passed_over() {
        check("cdp", 'c', "d", Some('p'), "p");
        check("d", 'c', "d", None, "");
    }

    #[test]
    fn reserving_again_adds_nothing() {
        let mut history = ReserveHistory::default();
        history.push(account('p'));
        history.push(account('p'));
        history.push(account('c'));
        assert_eq!(history.accounts(), accounts("cp"));
    }
}
