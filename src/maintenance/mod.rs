//! Operations over many numbers: one file each, named here.

mod arguments;
mod convert_carrier;
mod fix_account;
mod fix_apps;
mod generate_numbers;
mod remove_orphan_mirrors;
mod remove_orphan_numbers;
mod remove_wrong_assignments;
mod telling;

use crate::jobs::Operation;

/// Every operation. To add one: write its file, then name it here.
pub const OPERATIONS: &[&dyn Operation] = &[
    &convert_carrier::ConvertCarrier,
    &fix_account::FixAccount,
    &fix_apps::FixApps,
    &generate_numbers::GenerateNumbers,
    &remove_orphan_mirrors::RemoveOrphanMirrors,
    &remove_orphan_numbers::RemoveOrphanNumbers,
    &remove_wrong_assignments::RemoveWrongAssignments,
];
