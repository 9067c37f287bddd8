//! Numbers that are being ported in, moved by a human who is asked to.

use serde_json::{Map, Value};

use super::{FeatureProvider, Hold, Step, Subject, read};
use crate::domain::{FeatureTerms, State};

/// Keeps `port` while a number is being ported in, asks a human for a port that is new, and says
/// when it is done.
#[derive(Debug)]
pub(super) struct PortNotifier;

impl FeatureProvider for PortNotifier {
    fn name(&self) -> &'static str {
        "knm_port_notifier"
    }

    fn member(&self) -> &'static str {
        "port"
    }

    fn features(&self) -> &'static [&'static str] {
        &["port"]
    }

    fn holds_in(&self, state: State) -> Hold {
        if state == State::PortIn { Hold::Held } else { Hold::Left }
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        let port = read::object(public, "port");
        port.map(|port| ("port", Value::Object(port.clone()))).into_iter().collect()
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let Some(after) = step.after else {
            return Vec::new();
        };
        let was_porting = step.before.is_some_and(|before| before.state == State::PortIn);
        if was_porting && after.state == State::InService {
            let port = after.features.get("port").cloned();
            return vec![Subject::Ported(port.unwrap_or_else(|| Map::new().into()))];
        }
        let asked = step.put("port").filter(|_| after.state == State::PortIn);
        asked.map(|port| Subject::Port(port.clone())).into_iter().collect()
    }
}
