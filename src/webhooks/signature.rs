//! How a call is signed, so that its receiver knows who calls, and that it is not an old call once more.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What signs a body at a time in Unix seconds: HMAC-SHA256 over the time in digits, a point, and the
/// body, in hexadecimal digits.
#[must_use]
pub fn signature(secret: &str, time: i64, body: &[u8]) -> String {
    // Keys may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(time.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut digits, byte| {
        // A string takes everything.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Receiver;

    #[test]
    fn a_receiver_shows_no_secret() {
        let (secret, enabled) = ("a word that is long".to_owned().into(), true);
        let (url, created) = ("https://a.example".to_owned(), String::new());
        let receiver = Receiver { url, secret, enabled, created };
        assert!(!format!("{receiver:?}").contains("word"), "{receiver:?}");
    }

    #[test]
    fn a_call_is_signed_as_others_sign_it() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        assert_eq!(
            signature("secret", 1_700_000_000, b"{\"a\":1}"),
            "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }
}
