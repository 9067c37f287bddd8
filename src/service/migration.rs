//! What a new release asks of the stored settings.

use serde_json::Value;

use super::{Error, FeatureHolder, NumberService, PageOutcome, feature_permissions::ADMIN_ONLY};
use crate::{
    domain::Actor,
    repository::{RepositoryError, SettingsName},
};

/// The carrier whose address changed, where it is kept, and from what to what.
const VITELITY: &str = "vitelity";
const ADDRESS: &str = "api_uri";
const OLD_ADDRESS: &str = "http://api.vitelity.net/api.php";
const NEW_ADDRESS: &str = "https://api.vitelity.net/api.php";
/// How often a document is read and decided about again because somebody else was faster.
const TRIES: u32 = 5;

impl NumberService {
    /// Brings the settings up to date: what only administrators may use is allowed, and no carrier is
    /// asked without encryption. Without the service itself (`live`) it is only said what is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators, and those of every write.
    pub async fn migrate_settings(
        &self,
        actor: &Actor,
        live: Option<&Self>,
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome { read: 2, ..PageOutcome::default() };
        let lists = self.feature_permissions(actor, &FeatureHolder::System).await?;
        if lists.effective_allowed.iter().any(|it| it == ADMIN_ONLY) {
            outcome.unchanged += 1;
        } else {
            if let Some(live) = live {
                live.ensure_admin_only_features(actor).await?;
            }
            outcome.changed += 1;
            outcome.lines.push(format!(
                "Adding the following admin-only number features to system_config: {ADMIN_ONLY}"
            ));
        }
        if self.migrate_address(live.is_some()).await? {
            outcome.changed += 1;
            outcome.lines.push(format!(
                "updating {ADDRESS} of {VITELITY} from {OLD_ADDRESS} to {NEW_ADDRESS}"
            ));
        } else {
            outcome.unchanged += 1;
        }
        Ok(outcome)
    }

    /// Replaces the carrier's old address under the key that is read. Returns whether it was there.
    async fn migrate_address(&self, write: bool) -> Result<bool, Error> {
        let name = SettingsName::Vendor(VITELITY.to_owned());
        for _ in 0..TRIES {
            let mut document = self.settings.document(&name).await?;
            let mut is_old = false;
            for section in document.body.values_mut().filter_map(Value::as_object_mut) {
                if section.get(ADDRESS).and_then(Value::as_str) == Some(OLD_ADDRESS) {
                    section.insert(ADDRESS.to_owned(), NEW_ADDRESS.into());
                    is_old = true;
                }
            }
            if !is_old || !write {
                return Ok(is_old);
            }
            match self.settings.write_document(&name, document, self.numbers.now()).await {
                Err(RepositoryError::Conflict { .. }) => (),
                written => return Ok(written.map(|_| true)?),
            }
        }
        Err(Error::Conflict)
    }
}
