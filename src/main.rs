//! The `number-manager` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    match number_manager::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("number-manager: {error:#}");
            number_manager::cli::exit_code(&error)
        }
    }
}
