//! Places in the feed of changes: opaque to everybody else.
//!
//! A place names the month that is read and the place in its database, and the same of the month
//! before, into which somebody who was paused may still write. What it says is signed with a sum, so
//! that what was garbled on the way is not taken for a place.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::store::Seq;

/// The form of what is written; another one is another number.
const FORM: &str = "1";
/// What stands for the beginning of a database.
const BEGINNING: &str = "-";
/// How many characters a month has.
const MONTH: usize = 6;
/// How many bytes of the sum are kept.
const SUM: usize = 4;

/// A place in the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The month before.
    pub(super) before: Option<Place>,
    /// The month that is read.
    pub(super) now: Place,
}

/// A place in the database of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// `YYYYMM`.
    pub(super) month: String,
    /// Up to where it was read; none for the beginning.
    pub(super) seq: Option<Seq>,
}

/// A text that is no place in the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor")]
pub struct NoCursor;

impl Cursor {
    /// The beginning of a month.
    pub(super) fn of_month(month: impl Into<String>) -> Self {
        Self { before: None, now: Place { month: month.into(), seq: None } }
    }

    /// The beginning of the month that follows.
    pub(super) fn turned(self, month: impl Into<String>) -> Self {
        Self { before: Some(self.now), now: Place { month: month.into(), seq: None } }
    }

    /// Reads a place.
    ///
    /// # Errors
    ///
    /// [`NoCursor`].
    pub fn parse(text: &str) -> Result<Self, NoCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoCursor)?;
        let (sum, bytes) = bytes.split_at_checked(SUM).ok_or(NoCursor)?;
        if Sha256::digest(bytes)[..SUM] != *sum {
            return Err(NoCursor);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NoCursor)?;
        let words: Vec<&str> = text.split(' ').collect();
        let place = |month: &str, seq: &str| {
            let is_month = month.len() == MONTH && month.bytes().all(|it| it.is_ascii_digit());
            let seq = (seq != BEGINNING).then(|| Seq::new(seq));
            is_month.then(|| Place { month: month.to_owned(), seq }).ok_or(NoCursor)
        };
        match words[..] {
            [FORM, month, seq] => Ok(Self { before: None, now: place(month, seq)? }),
            [FORM, month, seq, last, end] => {
                Ok(Self { before: Some(place(last, end)?), now: place(month, seq)? })
            }
            _ => Err(NoCursor),
        }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = FORM.to_owned();
        for place in [&self.now].into_iter().chain(&self.before) {
            let seq = place.seq.as_ref().map_or(BEGINNING, Seq::as_str);
            text.extend([" ", &place.month, " ", seq]);
        }
        let mut bytes = Sha256::digest(text.as_bytes())[..SUM].to_vec();
        bytes.extend(text.into_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = |month: &str, seq: Option<&str>| Place {
            month: month.to_owned(),
            seq: seq.map(Seq::new),
        };
        let now = place("202405", Some("12-g1AAAACbeJzLYWBgYMpg"));
        for before in [None, Some(place("202404", None)), Some(place("202404", Some("7")))] {
            let cursor = Cursor { before, now: now.clone() };
            assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
        }
        let begun = Cursor::of_month("202405");
        assert_eq!(Cursor::parse(&begun.to_string()), Ok(begun));
    }

    #[test]
    fn what_was_garbled_is_no_place() {
        let cursor = Cursor::of_month("202405").to_string();
        let signed = |text: &str| {
            let mut bytes = Sha256::digest(text.as_bytes())[..SUM].to_vec();
            bytes.extend(text.as_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        };
        assert_eq!(Cursor::parse(&signed("1 202405 -")), Cursor::parse(&cursor));
        for garbled in [
            "",
            "0",
            "now",
            "%%%",
            &cursor[1..],
            &cursor[..cursor.len() - 2],
            &format!("{cursor}AA"),
            &signed("2 202405 -"),
            &signed("1 20240 -"),
            &signed("1 202405"),
            &signed("1 2024xx 5"),
            &signed("1 202405 - 202404"),
            &signed(""),
        ] {
            assert_eq!(Cursor::parse(garbled), Err(NoCursor), "{garbled:?}");
        }
    }
}
