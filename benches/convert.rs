//! How many numbers a second are read and classified on one core, by the form they come in.
//!
//! Each element is one `parse` and one `classify` of what it gave. The mixed set is all forms in
//! turn; a million a second is what it is meant to hold.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use number_manager::domain::Numbering;

/// How many numbers each set has.
const NUMBERS: usize = 1000;

/// Writes the number of one subscriber.
type Write = fn(usize) -> String;

/// A form's name, and how it writes the subscriber `0..NUMBERS`.
const FORMS: [(&str, Write); 5] = [
    ("10_digits", |n| format!("41555{n:05}")),
    ("11_digits", |n| format!("141555{n:05}")),
    ("e164", |n| format!("+4420712{n:05}")),
    ("011", |n| format!("0114420712{n:05}")),
    ("separators", |n| format!("(415) 555-{n:04}")),
];

fn convert(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("convert");
    group.throughput(Throughput::Elements(NUMBERS as u64));
    let numbering = Numbering::default();
    let mut measure = |name: &str, numbers: Vec<String>| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for input in &numbers {
                    let number = numbering.parse(input).expect("every form is a number");
                    black_box(numbering.classifiers().classify(number.as_str()));
                }
            });
        });
    };
    for (name, write) in FORMS {
        measure(name, (0..NUMBERS).map(write).collect());
    }
    measure("mixed", (0..NUMBERS).map(|n| FORMS[n % FORMS.len()].1(n)).collect());
    group.finish();
}

criterion_group!(benches, convert);
criterion_main!(benches);
