//! Operations over many numbers: one file each, named here.

mod arguments;
mod audit;
mod convert_carrier;
mod copy_to_accounts;
mod copy_to_number_databases;
mod generate_numbers;

use crate::jobs::Operation;

/// Every operation. To add one: write its file, then name it here.
pub const OPERATIONS: &[&dyn Operation] = &[
    &audit::Audit,
    &convert_carrier::ConvertCarrier,
    &copy_to_accounts::CopyToAccounts,
    &copy_to_number_databases::CopyToNumberDatabases,
    &generate_numbers::GenerateNumbers,
];
