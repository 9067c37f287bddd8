//! Operations over many numbers: one file each, named here.

mod age;
mod arguments;
mod audit;
mod audit_carrier;
mod convert_carrier;
mod copy_to_accounts;
mod copy_to_number_databases;
mod delete_numbers;
mod expire;
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
mod settle;
mod telling;

use crate::jobs::Operation;

/// Every operation. To add one: write its file, then name it here.
pub const OPERATIONS: &[&dyn Operation] = &[
    &age::Age,
    &audit::Audit,
    &audit_carrier::AuditCarrier,
    &convert_carrier::ConvertCarrier,
    &copy_to_accounts::CopyToAccounts,
    &copy_to_number_databases::CopyToNumberDatabases,
    &delete_numbers::DeleteNumbers,
    &expire::Expire,
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
    &settle::Settle,
];
