//! What a number is: its name, its life, and who may do what with it. No I/O, no async; nothing
//! of ours below it.

mod account;
mod actor;
mod carrier;
pub mod clock;
mod creation;
mod e164;
mod feature;
mod history;
mod number;
mod numbering;
mod state;

pub use account::AccountId;
pub use actor::{Actor, Lineage};
pub use carrier::CarrierName;
pub use clock::Clock;
pub use creation::{CreationDenied, creation_carrier, creation_state, creation_states, may_create};
pub use e164::E164;
pub use feature::{DEFAULT_FEATURES, FeatureRules, KNOWN_FEATURES};
pub use history::ReserveHistory;
pub use number::{LOCAL_FEATURE, Number, Refused, ReleaseRules, Released, Taking};
pub use numbering::Numbering;
pub use state::{InvalidTransition, ParseStateError, Right, State, Step};
