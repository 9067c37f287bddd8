//! Staying with a job: its text goes to standard output, how far it is to standard error.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::{list::counts, refused};
use crate::{
    api,
    jobs::{Job, JobState, Jobs, Narration},
};

/// How often a job is looked at.
const LOOKS: Duration = Duration::from_millis(500);
/// How often a line says how far the job is, where there is no terminal.
const LINES: Duration = Duration::from_secs(5);
/// How often a job is asked for that another process holds.
const TRIES: Duration = Duration::from_millis(500);
/// How the bar looks.
const BAR: &str = "{elapsed_precise} {bar:30} {pos}/{len} {msg}";

/// Follows one job.
pub(super) struct Follower<'a> {
    jobs: &'a Jobs,
    stop: &'a CancellationToken,
    /// Whether the finished job is printed in place of its text.
    json: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn new(jobs: &'a Jobs, stop: &'a CancellationToken, json: bool) -> Self {
        Self { jobs, stop, json }
    }

    /// Stays with a job until it ends, and runs it whenever nobody else does.
    pub(super) async fn follow(&self, id: &str, mut told: Narration) -> anyhow::Result<()> {
        let mut progress = Progress::new();
        let job = loop {
            self.tell(id, &mut told, &mut progress).await?;
            let job = self.jobs.get(id).await.map_err(refused)?;
            let is_over = job.state.has_ended() || job.state == JobState::Paused;
            if is_over || self.stop.is_cancelled() {
                break job;
            }
            // Another process holds it, or did and is gone; then its lease ends.
            self.stop.run_until_cancelled(sleep(TRIES)).await;
            progress.show(&job);
            told = self.jobs.take_telling(id);
        };
        progress.end();
        self.stop.cancel();
        self.jobs.stopped().await;
        self.conclude(&job)
    }

    /// Prints what a job says until it says no more.
    async fn tell(
        &self,
        id: &str,
        told: &mut Narration,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                text = told.recv() => match text {
                    None => return Ok(()),
                    Some(_) if self.json => (),
                    Some(text) => progress.beside(|| print(&text))?,
                },
                _ = looks.tick() => {
                    // What cannot be read now is looked at again.
                    if let Ok(job) = self.jobs.get(id).await {
                        progress.show(&job);
                    }
                }
            }
        }
    }

    /// Says how the job ended; an error unless everything was done.
    fn conclude(&self, job: &Job) -> anyhow::Result<()> {
        if self.json {
            print(&format!("{:#}\n", api::shown_job(job)))?;
        }
        let id = &job.id;
        for failure in &job.failures {
            eprintln!("{} failed: {}", failure.id, failure.message);
        }
        if let Some(failure) = &job.error {
            eprintln!("{}", failure.message);
        }
        eprintln!("job {id} is {}: {}", job.state.name(), counts(job));
        match job.state {
            JobState::Succeeded if job.dry_run => {
                eprintln!(
                    "nothing was written; `number-manager maintenance apply {id}` does what was planned"
                );
                Ok(())
            }
            JobState::Succeeded => Ok(()),
            JobState::Partial | JobState::Failed => {
                anyhow::bail!("job {id} could not do everything")
            }
            JobState::Cancelled => anyhow::bail!("job {id} was cancelled"),
            JobState::Queued | JobState::Running | JobState::Paused => {
                anyhow::bail!("`number-manager maintenance resume {id}` goes on with job {id}")
            }
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// How far a job is: a bar on a terminal, else a line now and then.
struct Progress {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Progress {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(0).with_style(style)
        });
        Self { bar, said: Instant::now() }
    }

    fn show(&mut self, job: &Job) {
        let (done, units) = (job.done.len(), job.units.unwrap_or_default());
        if let Some(bar) = &self.bar {
            bar.set_length(units);
            bar.set_position(done);
            bar.set_message(counts(job));
        } else if self.said.elapsed() >= LINES {
            self.said = Instant::now();
            eprintln!("job {}: {done} of {units}; {}", job.id, counts(job));
        }
    }

    /// Does something that writes to the terminal.
    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
