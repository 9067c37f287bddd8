//! What kind of number a text is.

use serde_json::{Map, Value};

use super::{Error, NumberService};

impl NumberService {
    /// The classifiers, as the wire shows them, in the order in which they are tried.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] and its like.
    pub async fn classifiers(&self) -> Result<Map<String, Value>, Error> {
        Ok(self.settings.get().await?.numbering.classifiers().available())
    }

    /// What is known of a text: `number` as given, `e164`, the name and the members of its
    /// classifier, `formatted` and whether it is `reconcilable`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] and its like.
    pub async fn classify(&self, input: &str) -> Result<Map<String, Value>, Error> {
        let settings = self.settings.get().await?;
        let numbering = &settings.numbering;
        let mut known = Map::new();
        known.insert("number".to_owned(), input.into());
        known.insert("e164".to_owned(), numbering.convert(input).as_ref().into());
        if let Some(classifier) = numbering.classify(input) {
            known.insert("name".to_owned(), classifier.name().into());
            known.extend(classifier.properties().clone());
        }
        known.insert("formatted".to_owned(), numbering.pretty(input).into());
        known.insert("reconcilable".to_owned(), numbering.parse(input).is_ok().into());
        Ok(known)
    }
}
