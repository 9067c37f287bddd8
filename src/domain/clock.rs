//! placeholder, replaced at merge
/// Tells the time.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> jiff::Timestamp;
}
/// g
#[must_use]
pub fn gregorian_seconds(at: jiff::Timestamp) -> i64 {
    at.as_second() + 62_167_219_200
}
