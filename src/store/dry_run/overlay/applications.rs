//! Applications as a rehearsal sees them: what the store below says of the documents that were not
//! written here, and what these say themselves.

use std::collections::HashMap;

use super::{
    super::super::{Application, DbName, routing, rules},
    Overlay,
};

impl Overlay {
    /// Lays the overlay over what the store below says of these numbers.
    pub(in super::super) fn merge_applications(
        &self,
        db: &DbName,
        numbers: &[String],
        mut found: Vec<Vec<Application>>,
    ) -> Vec<Vec<Application>> {
        let Some(own) = self.documents.get(db) else { return found };
        let mut places: HashMap<&str, Vec<usize>> = HashMap::with_capacity(numbers.len());
        for (place, number) in numbers.iter().enumerate() {
            places.entry(number).or_default().push(place);
            found[place].retain(|below| !own.contains_key(&below.id));
        }
        let live = own
            .iter()
            .filter(|(id, written)| !written.deleted && !id.starts_with(rules::DESIGN_PREFIX));
        for (id, written) in live {
            let Some((app, routed)) = routing::routed(&written.document.body) else { continue };
            for place in routed.iter().filter_map(|number| places.get(number)).flatten() {
                found[*place].push(Application { app, id: id.clone() });
            }
        }
        for of_number in &mut found {
            of_number.sort_unstable();
        }
        found
    }
}
