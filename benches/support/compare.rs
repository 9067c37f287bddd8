//! How figures of both sides are told.

use crate::support::spread;

/// Tells figures of both sides.
pub(crate) fn compare(what: &str, ours: &[f64], theirs: &[f64]) {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, raw)| ours / raw).collect();
    let (median, low, high) = spread(&mut ratios);
    let ours = spread(&mut ours.to_vec()).0;
    let raw = spread(&mut theirs.to_vec()).0;
    println!(
        "{what}: {median:.2} of raw (lowest {low:.2}, highest {high:.2}); {ours:.0}/s against {raw:.0}/s"
    );
}
