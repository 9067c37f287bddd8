//! Where a number stands in its life, and which steps the lifecycle has.

use std::fmt;

/// Where a number stands in its life. The wire and the documents spell it in `snake_case`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Given up and waiting; becomes available again after a while.
    Aging,
    /// In stock: free to take.
    Available,
    /// Gone. Seen on answers and on left-overs of older releases, never stored by us.
    Deleted,
    /// Seen at a carrier, not ours.
    Discovery,
    /// Held by an account and routing.
    InService,
    /// Being ported to us; routes.
    PortIn,
    /// Being ported away; routes.
    PortOut,
    /// Given up; stays so until an administrator makes it available.
    Released,
    /// Held for an account and its descendants.
    Reserved,
}

/// The text names no state.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a state of a number")]
pub struct ParseStateError(String);

/// The lifecycle has no such step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid state transition")]
pub struct InvalidTransition {
    /// The step in words (`from aging to reserved`); absent when no state at all leads there.
    pub cause: Option<String>,
}

/// Who may take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Anybody who may act for the account that gets the number.
    Taker,
    /// As [`Right::Taker`], for an administrator or the account that held it last.
    LastOwner,
    /// The operator only.
    Admin,
    /// Whoever may act for the owner, or for the account that gets the number when nobody owns it.
    Owner,
    /// As [`Right::Owner`], or a descendant of the account that holds it reserved.
    OwnerOrReservedFromParent,
}

/// What a step asks for and does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who may take it.
    pub right: Right,
    /// Whether the account that gets the number goes to the head of the reserve history.
    pub pushes_history: bool,
    /// Whether the owner changes to the account that gets the number.
    pub sets_owner: bool,
    /// Whether the number must be bought at its carrier first.
    pub acquires: bool,
}

impl State {
    /// Every state, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::Aging,
        Self::Available,
        Self::Deleted,
        Self::Discovery,
        Self::InService,
        Self::PortIn,
        Self::PortOut,
        Self::Released,
        Self::Reserved,
    ];

    /// Reads a state as documents and the wire spell it.
    ///
    /// # Errors
    ///
    /// [`ParseStateError`] when it is none of the nine.
    pub fn parse(text: &str) -> Result<Self, ParseStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| ParseStateError(text.to_owned()))
    }

    /// Whether a number in this state is its holder's to use, or about to be.
    #[must_use]
    pub fn is_in_use(self) -> bool {
        matches!(self, Self::PortIn | Self::InService | Self::PortOut | Self::Reserved)
    }

    /// The state as documents and the wire spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aging => "aging",
            Self::Available => "available",
            Self::Deleted => "deleted",
            Self::Discovery => "discovery",
            Self::InService => "in_service",
            Self::PortIn => "port_in",
            Self::PortOut => "port_out",
            Self::Released => "released",
            Self::Reserved => "reserved",
        }
    }

    /// What the step from this state to `to` asks for and does.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] when the lifecycle has no such step.
    pub fn step(self, to: Self) -> Result<Step, InvalidTransition> {
        use State::{
            Aging, Available, Deleted, Discovery, InService, PortIn, PortOut, Released, Reserved,
        };
        let plain =
            Step { right: Right::Owner, pushes_history: false, sets_owner: true, acquires: false };
        Ok(match (self, to) {
            (_, Discovery | Released | Deleted | PortOut) => {
                return Err(InvalidTransition { cause: None });
            }
            (Discovery, Reserved) => Step { pushes_history: true, acquires: true, ..plain },
            (Discovery, InService) => Step { acquires: true, ..plain },
            (Available, Reserved) => Step { right: Right::Taker, pushes_history: true, ..plain },
            (InService | Reserved, Reserved) => Step { pushes_history: true, ..plain },
            (Available, InService) => Step { right: Right::Taker, ..plain },
            (Available, Available) => Step { sets_owner: false, ..plain },
            (Reserved, InService) => Step { right: Right::OwnerOrReservedFromParent, ..plain },
            (Aging, InService) => Step { right: Right::LastOwner, ..plain },
            (Available | Aging | Released, Aging) => Step { right: Right::Admin, ..plain },
            (InService | PortIn, InService) | (PortIn, PortIn) => plain,
            (Released, Available) => Step { right: Right::Admin, sets_owner: false, ..plain },
            (from, to) => {
                let cause = Some(format!("from {from} to {to}"));
                return Err(InvalidTransition { cause });
            }
        })
    }

    /// Whether a number in this state belongs to somebody in any case.
    #[must_use]
    pub fn needs_owner(self) -> bool {
        matches!(self, Self::InService | Self::PortIn | Self::PortOut | Self::Reserved)
    }

    /// Whether a number in this state may be released, whatever its carrier.
    #[must_use]
    pub fn can_be_released(self) -> bool {
        matches!(self, Self::Released | Self::Reserved | Self::PortIn | Self::InService)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
