//! What a vendor did not do, in its own words.

use std::fmt;

/// What a vendor did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VendorError {
    reason: String,
    status: Option<u16>,
    code: Option<String>,
    is_doubtful: bool,
}

impl VendorError {
    /// It certainly did not.
    #[must_use]
    pub fn refused(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), status: None, code: None, is_doubtful: false }
    }

    /// It perhaps did.
    #[must_use]
    pub fn doubtful(reason: impl Into<String>) -> Self {
        Self { is_doubtful: true, ..Self::refused(reason) }
    }

    /// The same, though nobody knows whether it was done.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { is_doubtful: true, ..self }
    }

    /// The same, of a question that changes nothing.
    #[must_use]
    pub fn without_doubt(self) -> Self {
        Self { is_doubtful: false, ..self }
    }

    /// The same, with the HTTP status of the answer.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// The same, with the vendor's own code.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// The vendor's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The HTTP status of the answer, if there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The vendor's own code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Whether nobody knows if it was done all the same.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }
}

impl fmt::Display for VendorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        match (self.status, &self.code) {
            (Some(status), Some(code)) => write!(f, " (status {status}, code {code})"),
            (Some(status), None) => write!(f, " (status {status})"),
            (None, Some(code)) => write!(f, " (code {code})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for VendorError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_the_carrier_said() {
        let check = |err: VendorError, words: &str| assert_eq!(err.to_string(), words);
        check(VendorError::refused("sold out"), "sold out");
        check(VendorError::refused("no").with_status(403), "no (status 403)");
        check(VendorError::refused("no").with_code("10010"), "no (code 10010)");
        let err = VendorError::doubtful("no").with_status(504).with_code("x");
        assert!(err.is_doubtful());
        check(err, "no (status 504, code x)");
    }
}
