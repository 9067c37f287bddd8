//! placeholder, replaced at merge
use std::fmt;
/// n
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);
impl AccountId {
    /// p
    pub fn parse(text: &str) -> Result<Self, ()> {
        if text.len() == 32 { Ok(Self(text.to_owned())) } else { Err(()) }
    }
    /// s
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
