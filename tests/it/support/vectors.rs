//! The table of what KAZOO answers, and how a module of tests claims areas of it.
//!
//! *Vector*: one line of `tests/vectors/number_manager.jsonl`. *Area*: the vectors of one function.
//! *Deviation*: a vector that we answer differently, on purpose, with the reason.

use std::{collections::BTreeSet, sync::LazyLock};

use serde_json::Value;

/// Every vector, in the order of the file.
static ALL: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    include_str!("../../vectors/number_manager.jsonl").lines().map(Vector::read).collect()
});

/// One question and KAZOO's answer to it.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) area: String,
    pub(crate) given: Value,
    pub(crate) expect: Value,
}

/// A vector that is answered differently.
pub(crate) struct Deviation {
    pub(crate) area: &'static str,
    /// What is given: a string as it is, anything else as compact JSON.
    pub(crate) given: &'static str,
    /// The decision behind it.
    pub(crate) reason: &'static str,
}

impl Vector {
    fn read(line: &str) -> Self {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let area = line["area"].as_str().unwrap().to_owned();
        Self { area, given: line["given"].take(), expect: line["expect"].take() }
    }

    /// What is given, where that is a string.
    pub(crate) fn text(&self) -> &str {
        self.given.as_str().unwrap_or_else(|| panic!("{self:?} gives no string"))
    }

    /// What is given, as a [`Deviation`] names it.
    fn name(&self) -> String {
        self.given.as_str().map_or_else(|| self.given.to_string(), str::to_owned)
    }
}

/// The vectors of an area.
pub(crate) fn vectors(area: &str) -> Vec<Vector> {
    ALL.iter().filter(|vector| vector.area == area).cloned().collect()
}

/// The areas of the file.
pub(crate) fn areas() -> BTreeSet<&'static str> {
    ALL.iter().map(|vector| vector.area.as_str()).collect()
}

/// Asks `answer` every vector of `area`; each must agree or be a deviation, and not both.
pub(crate) fn check(area: &str, deviations: &[Deviation], answer: impl Fn(&Vector) -> Value) {
    let vectors = vectors(area);
    assert!(!vectors.is_empty(), "there are no vectors in {area}");
    let mine: Vec<_> = deviations.iter().filter(|deviation| deviation.area == area).collect();
    for deviation in &mine {
        let named = vectors.iter().any(|vector| vector.name() == deviation.given);
        assert!(named, "{area} has no vector {:?}", deviation.given);
    }
    for vector in vectors {
        let answer = answer(&vector);
        match mine.iter().find(|deviation| deviation.given == vector.name()) {
            None => assert_eq!(answer, vector.expect, "{area} {}", vector.name()),
            Some(Deviation { reason, .. }) => assert_ne!(
                answer,
                vector.expect,
                "{area} {} agrees, but is listed as a deviation: {reason}",
                vector.name(),
            ),
        }
    }
}

/// Defines a test for each area, `name: "area" => answer`, and `AREAS`, the list of them. The
/// module's own `DEVIATIONS` apply.
macro_rules! vector_tests {
    ($($name:ident: $area:literal => $answer:expr;)*) => {
        /// The areas that this module claims.
        pub(crate) const AREAS: &[&str] = &[$($area),*];

        #[test]
        fn every_deviation_is_of_an_area_here() {
            for deviation in DEVIATIONS {
                assert!(AREAS.contains(&deviation.area), "{}", deviation.area);
            }
        }

        $(
            #[test]
            fn $name() {
                crate::support::vectors::check($area, DEVIATIONS, $answer);
            }
        )*
    };
}

pub(crate) use vector_tests;
