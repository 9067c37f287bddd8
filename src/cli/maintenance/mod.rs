//! `maintenance`: operations over many numbers, run in this process as the service runs them.
//!
//! `request` makes of a command line what the service makes of a request, `follow` stays with a job
//! until it ends or is to stop, `list` prints what there is.

mod follow;
mod list;
mod request;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    domain::Actor,
    jobs::{JobError, JobRequest, Jobs, Narration},
    service::{Error, NumberService},
    store::{SharedStore, sqlite::OpenError},
    sup::{self, Command, Question, Refusal, Report},
};

use super::{serve, wire};
use follow::Follower;
use request::{Options, ScopeArgs};

/// The operation that is no job.
const CARRIER_USAGE: &str = "carrier_usage";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct MaintenanceArgs {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The operation; without one all are listed, with their arguments.
    operation: Option<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// An argument of the operation.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = request::parse_argument)]
    arguments: Vec<(String, String)>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, Args)]
struct FormArgs {
    /// Print the finished job or the report as JSON, and no text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a command of the old console, its arguments in the old order; a,b is a list.
    Sup {
        /// The command and its arguments.
        #[arg(required = true)]
        words: Vec<String>,
        #[command(flatten)]
        options: Options,
        #[command(flatten)]
        form: FormArgs,
    },
    #[command(flatten)]
    Jobs(JobVerb),
}

#[derive(Debug, Subcommand)]
enum JobVerb {
    /// List the latest jobs.
    List,
    /// Go on with a job that was paused, or whose process is gone.
    Resume(JobArgs),
    /// Stop a job for good.
    Cancel {
        /// Its id.
        id: String,
    },
    /// Do what a dry run planned, and nothing else.
    Apply(JobArgs),
    /// Put back what a job changed and nobody has changed since.
    Revert(JobArgs),
}

#[derive(Debug, Args)]
struct JobArgs {
    /// The job's id.
    id: String,
    #[command(flatten)]
    form: FormArgs,
}

/// What was typed cannot be done.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadArguments(String);

/// Everything that is needed to run jobs here.
struct Bench {
    service: NumberService,
    jobs: Jobs,
    stop: CancellationToken,
    actor: Actor,
}

/// Runs the command.
pub(super) async fn run(config: &Config, args: MaintenanceArgs) -> anyhow::Result<()> {
    let MaintenanceArgs { verb, operation, scope, arguments, options, form } = args;
    let Some(operation) = operation else {
        return match verb {
            Some(Verb::Sup { words, options, form }) => {
                run_command(config, &words, options, form.json).await
            }
            Some(Verb::Jobs(verb)) => verb.run(&Bench::open(config).await?).await,
            None => {
                print!("{}", list::operations());
                Ok(())
            }
        };
    };
    if operation == CARRIER_USAGE {
        let prefixes = request::prefixes(&scope, &arguments)?;
        return Bench::open(config).await?.answer(Question::Usage { prefixes }, form.json).await;
    }
    let members = request::members(scope, arguments, options);
    let bench = Bench::open(config).await?;
    bench.start(bench.request(operation, members, None), form.json).await
}

/// Runs a command of the old console.
async fn run_command(
    config: &Config,
    words: &[String],
    options: Options,
    json: bool,
) -> anyhow::Result<()> {
    let asked = sup::read(&request::command(words, options));
    let asked = asked.map_err(|error| BadArguments(error.to_string()))?;
    let bench = Bench::open(config).await?;
    match asked.means {
        Command::Question(question) => bench.answer(question, json).await,
        Command::Job { operation, members, instead } => {
            if let Some(instead) = instead {
                eprintln!("{instead}");
            }
            let confirmed_by = Some(asked.name.to_owned());
            bench.start(bench.request(operation.to_owned(), members, confirmed_by), json).await
        }
    }
}

impl JobVerb {
    async fn run(self, bench: &Bench) -> anyhow::Result<()> {
        let Bench { jobs, actor, .. } = bench;
        let (id, narration, form) = match self {
            Self::List => {
                let (jobs, _) = jobs.list(None, list::LATEST).await.map_err(refused)?;
                print!("{}", list::jobs(&jobs));
                return Ok(());
            }
            Self::Cancel { id } => {
                let job = jobs.cancel(&id).await.map_err(refused)?;
                println!("job {id} is {}", job.state.name());
                return Ok(());
            }
            Self::Resume(JobArgs { id, form }) => {
                let narration = jobs.resume_telling(&id).await.map_err(refused)?;
                (id, narration, form)
            }
            Self::Apply(JobArgs { id, form }) => {
                let id = jobs.apply(&id, actor).await.map_err(refused)?.id;
                let narration = jobs.take_telling(&id);
                (id, narration, form)
            }
            Self::Revert(JobArgs { id, form }) => {
                let id = jobs.revert(&id, actor).await.map_err(refused)?.id;
                let narration = jobs.take_telling(&id);
                (id, narration, form)
            }
        };
        bench.follow(&id, narration, form.json).await
    }
}

impl Bench {
    async fn open(config: &Config) -> anyhow::Result<Self> {
        let store: SharedStore =
            wire::open_store(config).await.map_err(|error| in_use(config, error))?;
        let service = wire::build_service(config, &store, &wire::clock());
        let stop = CancellationToken::new();
        let jobs = wire::build_jobs(config, &store, service.clone(), stop.clone());
        if !config.uses_couchdb() {
            // Nobody else has the file open, so whoever held a job is gone.
            jobs.inherit().await.map_err(refused)?;
        }
        Ok(Self { service, jobs, stop, actor: Actor::operator() })
    }

    fn request(
        &self,
        operation: String,
        members: request::Members,
        confirmed_by: Option<String>,
    ) -> JobRequest {
        JobRequest { operation, members, confirmed_by, actor: self.actor.clone() }
    }

    /// Starts a job and stays with it. The same job goes on if it was left unfinished.
    async fn start(&self, request: JobRequest, json: bool) -> anyhow::Result<()> {
        match self.jobs.start_telling(&request).await {
            Ok((job, narration)) => self.follow(&job.id, narration, json).await,
            Err(JobError::Running(id)) => {
                let other = self.jobs.get(&id).await.map_err(refused)?;
                if !request::is_same(&request, &other) {
                    anyhow::bail!(
                        "{}; it goes on with `number-manager maintenance resume {id}`",
                        JobError::Running(id.clone())
                    );
                }
                eprintln!("job {id} does just this and has not ended: going on with it");
                let narration = self.jobs.resume_telling(&id).await.map_err(refused)?;
                self.follow(&id, narration, json).await
            }
            Err(error) => Err(refused(error)),
        }
    }

    async fn follow(&self, id: &str, narration: Narration, json: bool) -> anyhow::Result<()> {
        let follower = Follower::new(&self.jobs, &self.stop, json);
        tokio::select! {
            ended = follower.follow(id, narration) => ended,
            never = self.stop_on_signal() => never,
        }
    }

    /// Asks the job to stop when a signal comes. Ends only when signals cannot be heard.
    async fn stop_on_signal(&self) -> anyhow::Result<()> {
        loop {
            serve::stopped().await?;
            eprintln!("stopping at the next page");
            self.stop.cancel();
        }
    }

    async fn answer(&self, question: Question, json: bool) -> anyhow::Result<()> {
        match sup::answer(&self.service, &self.actor, question).await {
            Ok(Report { data, .. }) if json => println!("{data:#}"),
            Ok(Report { text, .. }) => print!("{text}"),
            Err(sup::Refused { line: Some(line), .. }) => return Err(BadArguments(line).into()),
            Err(sup::Refused { why: Refusal::Service(error), .. }) => {
                return Err(refused((*error).into()));
            }
            Err(error) => return Err(BadArguments(error.to_string()).into()),
        }
        Ok(())
    }
}

/// A refusal as the command line shows it, told apart by whether other arguments would do.
fn refused(error: JobError) -> anyhow::Error {
    match error {
        JobError::Service(Error::Invalid { cause }) => BadArguments(cause).into(),
        JobError::Service(
            error @ (Error::Unavailable(_)
            | Error::Store(_)
            | Error::Configuration(_)
            | Error::Conflict),
        ) => error.into(),
        JobError::Running(_) => error.into(),
        other => BadArguments(other.to_string()).into(),
    }
}

fn in_use(config: &Config, error: anyhow::Error) -> anyhow::Error {
    if !matches!(error.downcast_ref(), Some(OpenError::InUse { .. })) {
        return error;
    }
    let address = config.listen;
    error.context(format!(
        "while the service runs, the store is its own; ask it: POST http://{address}/v2/maintenance/OPERATION \
         (GET http://{address}/v2/maintenance lists the operations)"
    ))
}
