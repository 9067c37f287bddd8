//! Putting right what numbers say they are used by.

use async_trait::async_trait;

use super::{
    arguments::text,
    telling::{account, closing, database, told},
};
use crate::{
    jobs::{
        Argument, ArgumentKind, Form, Job, JobError, Operation, Over, PageContext, Preparation,
        Unit, UnitReport, Work,
    },
    service::{Error, PageOutcome},
};

/// Numbers say by which application of their owner they are used.
#[derive(Debug)]
pub(super) struct FixApps;

/// Which side is gone through. Whatever that is, a number and its copy are written together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// The copies of the accounts.
    Accounts,
    /// The databases of numbers.
    Numbers,
}

#[async_trait]
impl Operation for FixApps {
    fn name(&self) -> &'static str {
        "fix_apps"
    }

    fn summary(&self) -> &'static str {
        "Numbers and their copies say by which application of their owner they are used: callflow, \
         trunkstore or none. Those that both claim stay as they are and are reported."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[Argument {
                name: "target",
                kind: ArgumentKind::Text,
                required: false,
                meaning: "which side is gone through: accounts (their copies), numbers (the \
                          databases of numbers) or both (the default: the databases of numbers, \
                          with the copies); numbers and copies are always written together",
            }]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::All, Form::Databases, Form::Accounts, Form::Numbers, Form::AccountAndNumbers]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let given = text(job, "target").unwrap_or("both");
        let wrong = |problem: &str| JobError::Wrong {
            member: "target".to_owned(),
            problem: problem.to_owned(),
            value: given.into(),
        };
        let side = match given {
            "accounts" if job.scope.databases.is_some() => {
                return Err(wrong("cannot be accounts when databases of numbers are named"));
            }
            "accounts" => Side::Accounts,
            "numbers" | "both" => Side::Numbers,
            _ => return Err(wrong("must be accounts, numbers or both")),
        };
        Ok(Box::new(Fix(side)))
    }
}

#[derive(Debug)]
struct Fix(Side);

#[async_trait]
impl Work for Fix {
    fn over(&self) -> Over {
        match self.0 {
            Side::Accounts => Over::Accounts,
            Side::Numbers => Over::Databases,
        }
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, after, limit) = (page.service, page.after, page.limit);
        match page.unit {
            Unit::Database { name, prefix } => {
                service.fix_apps_stored(&database(name)?, prefix.as_deref(), after, limit).await
            }
            Unit::Account { id, .. } => match self.0 {
                Side::Accounts => service.fix_apps_held(&account(id)?, after, limit).await,
                Side::Numbers => service.fix_apps_owned(&account(id)?, after, limit).await,
            },
            Unit::Numbers { numbers, account: of } => {
                let of = of.as_deref().map(account).transpose()?;
                service.fix_apps_named(numbers, of.as_ref()).await
            }
            Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    fn opening(&self, units: usize) -> String {
        let side = match self.0 {
            Side::Accounts => "account",
            Side::Numbers => "number",
        };
        format!("::: start fixing numbers doc used_by field for {units} {side} dbs\n")
    }

    fn told(&self, unit: &Unit, left: usize, report: &UnitReport) -> String {
        let line = format!("fixed {} numbers", report.tally.changed);
        told(unit, left, report, &line)
    }

    fn closing(&self, job: &Job) -> String {
        closing(job)
    }
}
