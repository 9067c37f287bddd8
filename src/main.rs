//! The `number-manager` command.

fn main() {}
