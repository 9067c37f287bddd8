//! Other people's HTTP APIs: how they are asked, and how their settings, numbers and XML are read. What
//! they are asked for is said in `carriers` and `providers`.

pub(crate) mod digits;
mod error;
pub(crate) mod http;
pub(crate) mod login;
pub(crate) mod looks;
pub(crate) mod settings;
pub(crate) mod telnyx;
pub(crate) mod token;
pub(crate) mod vitelity;
pub(crate) mod xml;

pub use error::VendorError;
