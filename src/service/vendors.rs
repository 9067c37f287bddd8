//! The outside carriers, each opened with its settings: those of its document in `system_config`,
//! read anew every five seconds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use super::NumberService;
use crate::{
    carriers::{Module, OutsideCarrier, Unusable},
    domain::CarrierName,
    repository::{RepositoryError, SettingsName},
};

/// For how long settings that were read count as known, at most.
pub(super) const REMEMBERED: Duration = Duration::from_secs(5);

/// The carriers that were opened.
pub(super) type Opened = Arc<Mutex<HashMap<CarrierName, Known>>>;

/// A carrier and what it was opened with.
#[derive(Clone, Debug)]
pub(super) struct Known {
    members: Map<String, Value>,
    carrier: Arc<dyn OutsideCarrier>,
    read_at: Instant,
}

impl NumberService {
    /// The carrier of that name with the settings in force, if it can be asked at all. With settings
    /// that cannot be used it refuses everything and says why.
    pub(super) async fn carrier(&self, name: &CarrierName) -> Option<Arc<dyn OutsideCarrier>> {
        if let Some(given) = self.outside.given(name) {
            return Some(Arc::clone(given));
        }
        let module = self.outside.module(name)?;
        let known = self.opened().get(name).cloned();
        if let Some(known) = known.as_ref().filter(|it| it.read_at.elapsed() < REMEMBERED) {
            return Some(Arc::clone(&known.carrier));
        }
        let short = name.short().unwrap_or(name.as_str());
        let opened = match self.members_of(short).await {
            Ok(members) => open(module, members, known),
            // Those before stay in force.
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(carrier = %name, error = cause, "settings of a carrier cannot be read");
                let unread = || Arc::new(Unusable::because("its settings cannot be read"));
                return Some(known.map_or_else(|| unread() as _, |known| known.carrier));
            }
        };
        let carrier = Arc::clone(&opened.carrier);
        self.opened().insert(name.clone(), opened);
        Some(carrier)
    }

    /// What a vendor's document says under `default`.
    pub(super) async fn members_of(
        &self,
        vendor: &str,
    ) -> Result<Map<String, Value>, RepositoryError> {
        let name = SettingsName::Vendor(vendor.to_owned());
        let mut document = self.settings.document(&name).await?;
        Ok(match document.body.shift_remove("default") {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        })
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, HashMap<CarrierName, Known>> {
        self.opened.lock().expect("no panic while holding this lock")
    }
}

/// Opens a carrier, unless it was opened with these settings before: what it has under way, and how
/// often it was asked, is remembered with it.
fn open(module: &Module, members: Map<String, Value>, known: Option<Known>) -> Known {
    let read_at = Instant::now();
    match known {
        Some(known) if known.members == members => Known { read_at, ..known },
        _ => {
            let carrier = module.open(&members).unwrap_or_else(|err| {
                tracing::error!(error = %err, "the settings of a carrier are refused");
                Arc::new(Unusable::because(err.to_string()))
            });
            Known { members, carrier, read_at }
        }
    }
}
