//! placeholder, replaced at merge
/// n
#[derive(Debug, Default)]
pub struct Numbering;
