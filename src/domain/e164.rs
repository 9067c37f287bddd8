//! placeholder, replaced at merge
use std::fmt;
/// n
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct E164(String);
impl E164 {
    /// p
    pub fn parse(text: &str) -> Result<Self, ()> {
        Ok(Self(text.to_owned()))
    }
    /// s
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
