//! The command line: one file per command.

mod connections;
mod doctor;
mod healthcheck;
mod maintenance;
mod serve;
mod token;
mod transfer;
mod wire;

use std::{path::PathBuf, process::ExitCode, thread};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::{
    api,
    config::{Config, ConfigError, Flags},
    maintenance::OPERATIONS,
    telemetry,
};

/// Owns the life of every phone number of a telephony platform.
#[derive(Debug, Parser)]
#[command(name = "number-manager", version)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Settings {
    /// A file of settings.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where files are kept.
    #[arg(long, global = true, value_name = "DIRECTORY")]
    data_dir: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (also without a command).
    Serve,
    /// Print a token, or change the key that signs them.
    Token(token::TokenArgs),
    /// Bring the store up to this version.
    Migrate,
    /// Run an operation over many numbers, or list the operations.
    Maintenance(Box<maintenance::MaintenanceArgs>),
    /// Write every document of the store, a line of JSON each.
    Dump(transfer::DumpArgs),
    /// Store the documents of such a file that are not there yet; of a CouchDB's `_all_docs` as well.
    Load(transfer::LoadArgs),
    /// Print the OpenAPI document.
    Openapi,
    /// Check settings, store and key, a line each.
    Doctor,
    /// Ask the running service whether it lives.
    Healthcheck,
}

/// Runs the command line.
///
/// # Errors
///
/// What went wrong; [`exit_code`] says how the process should end.
pub fn run() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(Command::Openapi) = cli.command {
        print!("{}", api::printed_document(OPERATIONS));
        return Ok(());
    }
    let flags = Flags { listen: cli.settings.listen, data_dir: cli.settings.data_dir };
    let config = Config::load(cli.settings.config.as_deref(), &flags)?;
    telemetry::init_log(&config.log).map_err(Unusable)?;
    let workers = worker_threads(config.worker_threads);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(dispatch(cli.command, config))
}

fn worker_threads(setting: usize) -> usize {
    if setting > 0 {
        return setting;
    }
    thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2))
}

async fn dispatch(command: Option<Command>, config: Config) -> anyhow::Result<()> {
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(config).await,
        Command::Token(args) => token::run(&config, args).await,
        Command::Migrate => wire::migrate(&config).await,
        Command::Maintenance(args) => Box::pin(maintenance::run(&config, *args)).await,
        Command::Dump(args) => transfer::dump(&config, args).await,
        Command::Load(args) => transfer::load(&config, args).await,
        Command::Doctor => doctor::run(&config).await,
        Command::Healthcheck => healthcheck::run(&config).await,
        Command::Openapi => Ok(()),
    }
}

/// A setting that only its user could check.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Unusable(telemetry::LogError);

/// How the process ends after an error: 2 for a setting or an argument, 1 for everything else.
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_setting = error.is::<ConfigError>() || error.is::<Unusable>();
    let is_typed = error.is::<maintenance::BadArguments>();
    ExitCode::from(if is_setting || is_typed { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
