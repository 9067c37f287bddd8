//! Operations over many numbers: one file each, named here.

mod arguments;
mod convert_carrier;
mod generate_numbers;

use crate::jobs::Operation;

/// Every operation. To add one: write its file, then name it here.
pub const OPERATIONS: &[&dyn Operation] =
    &[&convert_carrier::ConvertCarrier, &generate_numbers::GenerateNumbers];
