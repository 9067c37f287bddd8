//! The `number-manager` command.

use std::process::ExitCode;

// An answer is many small texts; the system's allocator took a sixth of the time of a read.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match number_manager::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("number-manager: {error:#}");
            number_manager::cli::exit_code(&error)
        }
    }
}
