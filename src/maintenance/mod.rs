//! Operations over many numbers: one file each, named here.

mod arguments;
mod convert_carrier;
mod delete_numbers;
mod fix_account;
mod fix_apps;
mod generate_numbers;
mod migrate;
mod migrate_port_requests;
mod migrate_unassigned;
mod purge;
mod refresh_views;
mod release_account;
mod remove_orphan_mirrors;
mod remove_orphan_numbers;
mod remove_wrong_assignments;
mod telling;

use crate::jobs::Operation;

/// Every operation. To add one: write its file, then name it here.
pub const OPERATIONS: &[&dyn Operation] = &[
    &convert_carrier::ConvertCarrier,
    &delete_numbers::DeleteNumbers,
    &fix_account::FixAccount,
    &fix_apps::FixApps,
    &generate_numbers::GenerateNumbers,
    &migrate::Migrate,
    &migrate_port_requests::MigratePortRequests,
    &migrate_unassigned::MigrateUnassigned,
    &purge::PurgeNumbers,
    &refresh_views::RefreshViews,
    &release_account::ReleaseAccount,
    &remove_orphan_mirrors::RemoveOrphanMirrors,
    &remove_orphan_numbers::RemoveOrphanNumbers,
    &remove_wrong_assignments::RemoveWrongAssignments,
];
