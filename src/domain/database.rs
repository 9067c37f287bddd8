//! The names of databases: the one place that makes them and the one that reads them.
//!
//! A *name* is what people write (`numbers/+1415`); its *encoded* form is what stands in a URL and
//! in `pvt_db_name` (`numbers%2F%2B1415`). The databases of *stock* (`numbers/managed`,
//! `numbers/inum`) hold what two carriers have for sale, not numbers.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{AccountId, E164};

/// How many bytes of a number name its database, `+` included.
const KEY_LENGTH: usize = 5;
/// Most digits of a prefix, as of a number.
const MAX_DIGITS: usize = 15;
/// The databases of carriers' stock.
const STOCK: [&str; 2] = ["numbers/managed", "numbers/inum"];
/// What is escaped in a URL: everything but the unreserved characters of RFC 3986 §2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The text names no number database and no prefix of numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not {1}")]
pub struct ParseDatabaseError(String, &'static str);

/// A database of numbers (`numbers/+1415`), or of carriers' stock where that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NumberDatabase(String);

/// The beginning of numbers: `+` and 4 to 15 digits, so that it lies within one database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

/// Names the database that holds `number`: `numbers/` and the number's first five bytes.
#[must_use]
pub fn number_database(number: &E164) -> String {
    // An E164 has six bytes or more, all of them ASCII.
    format!("numbers/{}", number.as_str().split_at(KEY_LENGTH).0)
}

/// Names the database of `account`: `account/ab/cd/` and the other 28 characters of the id.
#[must_use]
pub fn account_database(account: &AccountId) -> String {
    let (first, rest) = account.as_str().split_at(2);
    let (second, rest) = rest.split_at(2);
    format!("account/{first}/{second}/{rest}")
}

/// Percent-encodes a database's name for a URL: `numbers/+1415` becomes `numbers%2F%2B1415`.
#[must_use]
pub fn encoded(name: &str) -> String {
    utf8_percent_encode(name, ESCAPED).to_string()
}

impl NumberDatabase {
    /// Parses `+1415`, `numbers/+1415`, `numbers%2F%2B1415` or `%2B1415` (hex in either case).
    ///
    /// # Errors
    ///
    /// [`ParseDatabaseError`], with the text, for everything else, stock included.
    pub fn parse(text: &str) -> Result<Self, ParseDatabaseError> {
        match key(text) {
            Some(digits) if digits.len() + 1 == KEY_LENGTH && is_digits(digits) => {
                Ok(Self(format!("numbers/+{digits}")))
            }
            _ => Err(ParseDatabaseError(text.to_owned(), "a number database")),
        }
    }

    /// Parses what [`parse`](Self::parse) does, and the two databases of stock, encoded or not.
    ///
    /// # Errors
    ///
    /// [`ParseDatabaseError`], with the text, for everything else.
    pub fn parse_or_stock(text: &str) -> Result<Self, ParseDatabaseError> {
        let is_same =
            |name: &&str| text == *name || text.replacen("%2f", "%2F", 1) == encoded(name);
        match STOCK.iter().copied().find(is_same) {
            Some(name) => Ok(Self(name.to_owned())),
            None => Self::parse(text),
        }
    }

    /// The name, never encoded.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it holds a carrier's stock and no numbers.
    #[must_use]
    pub fn is_stock(&self) -> bool {
        STOCK.contains(&self.0.as_str())
    }
}

impl From<&E164> for NumberDatabase {
    fn from(number: &E164) -> Self {
        Self(number_database(number))
    }
}

impl Prefix {
    /// Parses `+` and 4 to 15 digits, in each of the forms of a number database.
    ///
    /// # Errors
    ///
    /// [`ParseDatabaseError`], with the text, for everything else: a shorter one would be many
    /// databases.
    pub fn parse(text: &str) -> Result<Self, ParseDatabaseError> {
        let digits = key(text).unwrap_or_default();
        if (KEY_LENGTH - 1..=MAX_DIGITS).contains(&digits.len()) && is_digits(digits) {
            Ok(Self(format!("+{digits}")))
        } else {
            Err(ParseDatabaseError(text.to_owned(), "a prefix of `+` and at least four digits"))
        }
    }

    /// The database that holds every number with this prefix.
    #[must_use]
    pub fn database(&self) -> NumberDatabase {
        NumberDatabase(format!("numbers/{}", self.0.split_at(KEY_LENGTH).0))
    }

    /// Whether it means the whole of its database, and not only the ids that begin with it.
    #[must_use]
    pub fn is_whole_database(&self) -> bool {
        self.0.len() == KEY_LENGTH
    }

    /// The prefix as text, `+` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NumberDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows the `+` in each of the forms of a number database.
fn key(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix("numbers/") {
        return rest.strip_prefix('+');
    }
    let in_database = ["numbers%2F", "numbers%2f"].iter().find_map(|it| text.strip_prefix(it));
    let rest = in_database.unwrap_or(text);
    let encoded = ["%2B", "%2b"].iter().find_map(|plus| rest.strip_prefix(plus));
    encoded.or_else(|| rest.strip_prefix('+').filter(|_| in_database.is_none()))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [&str; 5] =
        ["+1415", "numbers/+1415", "numbers%2F%2B1415", "numbers%2f%2b1415", "%2B1415"];

    #[test]
    fn names_and_their_encoded_forms() {
        let number = E164::parse("+14155550100").unwrap();
        assert_eq!(number_database(&number), "numbers/+1415");
        assert_eq!(encoded("numbers/+1415"), "numbers%2F%2B1415");
        let account = AccountId::parse("0123456789abcdef0123456789abcdef").unwrap();
        let name = account_database(&account);
        assert_eq!(name, "account/01/23/456789abcdef0123456789abcdef");
        assert_eq!(encoded(&name), "account%2F01%2F23%2F456789abcdef0123456789abcdef");
        assert_eq!(encoded("number_manager_feed-202601"), "number_manager_feed-202601");
    }

    #[test]
    fn a_number_database_reads_in_each_of_its_forms() {
        for text in FORMS {
            assert_eq!(NumberDatabase::parse(text).unwrap().as_str(), "numbers/+1415");
        }
    }

    #[test]
    fn any_other_name_is_refused_by_name() {
        let others = [
            "",
            "+",
            "1415",
            "+141",
            "+14155",
            "numbers/1415",
            "numbers/+14155",
            "numbers/",
            "numbers%2F+1415",
            "numbers/%2B1415",
            "numbers%2F%2B141x",
            "numbers/+٤١٥",
            "numbers/managed",
            "accounts",
        ];
        for text in others {
            let error = NumberDatabase::parse(text).unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a number database"));
        }
    }

    #[test]
    fn stock_is_read_only_where_asked() {
        for text in ["numbers/managed", "numbers%2Finum", "numbers%2finum"] {
            assert!(NumberDatabase::parse_or_stock(text).unwrap().is_stock(), "{text:?}");
        }
        assert!(!NumberDatabase::parse_or_stock("+1415").unwrap().is_stock());
        assert!(NumberDatabase::parse_or_stock("numbers/other").is_err());
    }

    #[test]
    fn a_prefix_is_a_database_or_a_part_of_one() {
        let check = |text: &str, whole: bool| {
            let prefix = Prefix::parse(text).unwrap();
            assert_eq!(prefix.database().as_str(), "numbers/+1415");
            assert_eq!(prefix.is_whole_database(), whole, "{text:?}");
        };
        check("+1415", true);
        check("+14155", false);
        check("+141555501001234", false);
        for form in FORMS {
            check(form, true);
            assert_eq!(Prefix::parse(&format!("{form}5")).unwrap().as_str(), "+14155", "{form}5");
        }
    }

    #[test]
    fn a_prefix_shorter_or_other_is_refused() {
        for text in ["", "+", "+141", "1415", "+1415x", "+1415 5", "+1415555010012345"] {
            assert!(Prefix::parse(text).is_err(), "{text:?}");
        }
    }
}
