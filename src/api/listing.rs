//! The parameters of a listing: pages, direction and filters. Unknown ones are ignored, since
//! browsers add their own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::service::{Filter, ListQuery};

use super::{fault::Fault, request::Query};

/// What a page's key begins with, so that a plain number is never taken for one.
const KEY: &str = "number:";

/// How long pages are.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageSizes {
    /// When the request does not say.
    pub default: usize,
    /// At most.
    pub max: usize,
}

/// Reads the parameters of a listing.
pub(super) fn read(query: &Query, sizes: PageSizes) -> Result<ListQuery, Fault> {
    let paginate = query.get("paginate") != Some("false");
    let ascending = query.says("ascending") && !query.says("descending");
    Ok(ListQuery {
        start: query.get("start_key").filter(|_| paginate).map(read_key),
        end: query.get("end_key").map(read_key),
        descending: !ascending && query.get("descending") != Some("false"),
        page_size: paginate.then(|| page_size(query, sizes)).transpose()?,
        filters: filters(query)?,
        without_ports: query.get("include_ports") == Some("false"),
    })
}

/// How long the pages of a list are to be that is not one of numbers.
pub(super) fn page_size_within(query: &Query, sizes: PageSizes) -> Result<usize, Fault> {
    let Some(text) = query.get("page_size") else {
        return Ok(sizes.default);
    };
    let size = text.parse().ok().filter(|size| (1..=sizes.max).contains(size));
    size.ok_or_else(|| Fault::faulty_request("page_size is out of range"))
}

fn page_size(query: &Query, sizes: PageSizes) -> Result<usize, Fault> {
    let Some(text) = query.get("page_size") else {
        return Ok(sizes.default);
    };
    match text.trim().parse::<i64>() {
        Err(_) => Err(Fault::faulty_request("invalid page size")),
        Ok(size) if size < 1 => Err(Fault::faulty_request("page size must be at least 1")),
        Ok(size) => Ok(usize::try_from(size).unwrap_or(usize::MAX).min(sizes.max)),
    }
}

/// The key of a page that begins with `number`.
pub(super) fn key(number: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{KEY}{number}"))
}

/// The number that a key stands for; what is no key of ours is taken as it is.
fn read_key(text: &str) -> String {
    let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.strip_prefix(KEY)) {
        Some(number) => number.to_owned(),
        None => text.to_owned(),
    }
}

fn filters(query: &Query) -> Result<Vec<Filter>, Fault> {
    let filter = |(name, value): &(String, String)| filter(name, value).transpose();
    query.0.iter().filter_map(filter).collect()
}

fn filter(name: &str, value: &str) -> Result<Option<Filter>, Fault> {
    let member = || value.to_owned();
    Ok(Some(match name {
        "has_key" => Filter::HasKey(member()),
        "key_missing" => Filter::KeyMissing(member()),
        "has_value" => Filter::HasValue(member()),
        "value_missing" | "missing_value" => Filter::ValueMissing(member()),
        "created_from" => Filter::From("created".to_owned(), seconds(name, value)?),
        "created_to" => Filter::To("created".to_owned(), seconds(name, value)?),
        "modified_from" => Filter::From("modified".to_owned(), seconds(name, value)?),
        "modified_to" => Filter::To("modified".to_owned(), seconds(name, value)?),
        _ => {
            let is_not = name.strip_prefix("filter_not_").filter(|path| !path.is_empty());
            let is = name.strip_prefix("filter_").filter(|path| !path.is_empty());
            match (is_not, is) {
                (Some(path), _) => Filter::IsNot(path.to_owned(), any_of(value)),
                (None, Some(path)) => Filter::Is(path.to_owned(), any_of(value)),
                (None, None) => return Ok(None),
            }
        }
    }))
}

fn seconds(name: &str, value: &str) -> Result<i64, Fault> {
    value.trim().parse().map_err(|_| Fault::wrong_type(name, "integer", &value.into()))
}

/// The values that a filter lists: those of a JSON array, else the text itself.
pub(super) fn any_of(value: &str) -> Vec<String> {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    match value.starts_with('[').then(|| serde_json::from_str::<Vec<Value>>(value)) {
        Some(Ok(list)) => list.into_iter().map(text).collect(),
        _ => vec![value.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: PageSizes = PageSizes { default: 50, max: 1000 };

    fn list(query: &str) -> Result<ListQuery, Fault> {
        read(&Query::read(&format!("/?{query}").parse().unwrap()), SIZES)
    }

    fn check_filter(query: &str, filter: Filter) {
        assert_eq!(list(query).unwrap().filters, [filter], "{query}");
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn pages_run_from_the_highest_number_down() {
        let query = list("_=1690000000000&is_chunked=true&chunk_size=50").unwrap();
        assert!(!query.without_ports && list("include_ports=false").unwrap().without_ports);
        assert!(query.descending && query.filters.is_empty() && query.start.is_none());
        assert_eq!(query.page_size, Some(50));
        assert!(!list("ascending=true").unwrap().descending);
        assert!(!list("descending=false").unwrap().descending);
        assert_eq!(list("page_size=9999").unwrap().page_size, Some(1000));
        let all = list("paginate=false&page_size=0&start_key=x").unwrap();
        assert_eq!((all.page_size, all.start), (None, None));
    }

    #[test]
    fn a_page_has_at_least_one_row() {
        for (query, message) in [
            ("page_size=0", "page size must be at least 1"),
            ("page_size=-1", "page size must be at least 1"),
            ("page_size=x", "invalid page size"),
        ] {
            let fault = list(query).unwrap_err();
            assert_eq!((fault.status.as_u16(), &*fault.message), (404, "faulty_request"));
            assert_eq!(fault.data["message"], message);
        }
    }

    #[test]
    fn a_key_is_read_back_and_a_number_is_one_too() {
        let start = |key: &str| list(&format!("start_key={key}")).unwrap().start.unwrap();
        assert_eq!(start(&key("+14155550102")), "+14155550102");
        assert_eq!(start("%2B14155550101"), "+14155550101");
        assert_eq!(start("14155550101"), "14155550101");
    }

    #[test]
    fn filters_read_text_and_lists() {
        check_filter("filter_state=in_service", Filter::Is("state".into(), texts(&["in_service"])));
        check_filter(
            "filter_state=%5B%22in_service%22%2C%22port_in%22%5D",
            Filter::Is("state".into(), texts(&["in_service", "port_in"])),
        );
        check_filter("filter_my.tag=x", Filter::Is("my.tag".into(), texts(&["x"])));
        check_filter("filter_n=%5B1%2Ctrue%5D", Filter::Is("n".into(), texts(&["1", "true"])));
        check_filter("filter_x=%5Bbroken", Filter::Is("x".into(), texts(&["[broken"])));
        check_filter("filter_not_a=b", Filter::IsNot("a".into(), texts(&["b"])));
        check_filter("has_key=cnam", Filter::HasKey("cnam".into()));
        check_filter("key_missing=cnam", Filter::KeyMissing("cnam".into()));
        check_filter("has_value=a.b", Filter::HasValue("a.b".into()));
        check_filter("value_missing=a", Filter::ValueMissing("a".into()));
        check_filter("created_from=63884160000", Filter::From("created".into(), 63_884_160_000));
        check_filter("modified_to=1", Filter::To("modified".into(), 1));
        assert!(list("created_from=x").is_err());
    }
}
