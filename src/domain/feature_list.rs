//! Changing a list of features by one of them.
//!
//! Where there is no list, another one is inherited. A change to what is inherited first copies it:
//! a list with nothing but the one feature would silently drop all others.

/// The list after `feature` was added or taken off, where `own` is what there is and `inherited`
/// what holds without it; `None` when nothing has to be written, since it says so already.
#[must_use]
pub fn changed_list(
    own: Option<&[String]>,
    inherited: &[String],
    feature: &str,
    add: bool,
) -> Option<Vec<String>> {
    let mut list = own.unwrap_or(inherited).to_vec();
    if list.iter().any(|it| it == feature) == add {
        return None;
    }
    if add {
        list.push(feature.to_owned());
    } else {
        list.retain(|it| it != feature);
    }
    list.sort();
    list.dedup();
    Some(list)
}

/// Whether two lists name the same features.
#[must_use]
pub fn is_same_list(a: &[String], b: &[String]) -> bool {
    a.iter().all(|it| b.contains(it)) && b.iter().all(|it| a.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[track_caller]
    fn check(own: Option<&[&str]>, change: (&str, bool), after: Option<&[&str]>) {
        let own = own.map(list);
        let changed = changed_list(own.as_deref(), &list(&["cnam", "e911"]), change.0, change.1);
        assert_eq!(changed, after.map(list));
    }

    #[test]
    fn what_is_inherited_is_copied_before_it_is_changed() {
        check(None, ("sms", true), Some(&["cnam", "e911", "sms"]));
        check(None, ("cnam", false), Some(&["e911"]));
        check(None, ("cnam", true), None);
        check(None, ("sms", false), None);
    }

    #[test]
    fn an_own_list_is_changed_as_it_is() {
        check(Some(&["port"]), ("cnam", true), Some(&["cnam", "port"]));
        check(Some(&["port"]), ("port", false), Some(&[]));
        check(Some(&["port"]), ("port", true), None);
        check(Some(&[]), ("cnam", true), Some(&["cnam"]));
        check(Some(&[]), ("cnam", false), None);
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        assert!(is_same_list(&list(&["a", "b"]), &list(&["b", "a", "a"])));
        assert!(!is_same_list(&list(&["a"]), &list(&["a", "b"])));
        assert!(!is_same_list(&list(&["a", "b"]), &list(&["a"])));
    }
}
