//! How much is measured.

/// How much the environment wants of something.
pub(crate) fn of_environment(name: &str, default: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration of its own")]
    let text = std::env::var(name);
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
