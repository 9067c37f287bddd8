//! What a document was before it was deleted.

use super::{
    super::{DbName, Document, rules},
    CouchStore,
    failure::Failure,
};

impl CouchStore {
    /// The version that the tombstone under `id` was made of, unless it was compacted away.
    pub(super) async fn version_before_deletion(
        &self,
        db: &DbName,
        id: &str,
    ) -> Result<Option<Document>, Failure> {
        if !rules::is_legal_id(id) {
            return Ok(None);
        }
        let mut leaves = self.leaves(db, id, None).await?;
        leaves.sort_by(|a, b| a.rank().cmp(&b.rank()));
        let Some(tombstone) = leaves.pop().filter(|leaf| leaf.deleted) else { return Ok(None) };
        let Some(before) = tombstone.history.revs().nth(1) else { return Ok(None) };
        let limit = self.config.call_timeout();
        let asked = [(id, before.as_str())];
        let found = self.versions(db, asked.into_iter(), limit).await?;
        let live = found.into_iter().find(|version| !version.deleted);
        Ok(live.and_then(|version| version.into_lookup().live()))
    }
}
