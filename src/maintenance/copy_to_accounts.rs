//! Copying numbers to the databases of their owners.

use async_trait::async_trait;
use serde_json::Value;

use super::arguments::flag;
use crate::{
    domain::{AccountId, NumberDatabase},
    jobs::{
        Argument, ArgumentKind, Form, JobError, Operation, PageContext, Preparation, Scope, Unit,
        Work,
    },
    service::{CopyWatch, Error, NumberService, PageOutcome},
};

/// Each owner's copy is equal to the number.
#[derive(Debug)]
pub(super) struct CopyToAccounts;

#[async_trait]
impl Operation for CopyToAccounts {
    fn name(&self) -> &'static str {
        "copy_to_accounts"
    }

    fn summary(&self) -> &'static str {
        "Each number's owner holds a copy that is equal to the number. Copies that others hold stay \
         as they are."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[Argument {
                name: "unchecked",
                kind: ArgumentKind::Flag,
                required: false,
                meaning: "dangerous: copies numbers into one account that need not own them; only \
                          for one account with numbers",
            }]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[
            Form::All,
            Form::Databases,
            Form::Accounts,
            Form::AccountsAndDatabases,
            Form::Numbers,
            Form::AccountAndNumbers,
        ]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let unchecked = flag(job, "unchecked");
        let scope = job.scope;
        if unchecked && (scope.accounts.is_none() || scope.numbers.is_none()) {
            return Err(wrong("unchecked", "is only for one account with numbers", true.into()));
        }
        refuse_stock(scope)?;
        let watch = (!job.dry_run && !unchecked).then(CopyWatch::default);
        Ok(Box::new(Copy { unchecked, watch }))
    }
}

/// Refuses the databases of stock: what is there says who has a right to a number, and is none.
pub(super) fn refuse_stock(scope: &Scope) -> Result<(), JobError> {
    let mut databases = scope.databases.iter().flatten();
    match databases.find(|(database, _)| database.is_stock()) {
        Some((stock, _)) => {
            Err(wrong("scope", "names a database that holds no numbers", stock.as_str().into()))
        }
        None => Ok(()),
    }
}

fn wrong(member: &str, problem: &str, value: Value) -> JobError {
    JobError::Wrong { member: member.to_owned(), problem: problem.to_owned(), value }
}

#[derive(Debug)]
struct Copy {
    unchecked: bool,
    /// None where nothing is written, or where copies are to be where they should not.
    watch: Option<CopyWatch>,
}

#[async_trait]
impl Work for Copy {
    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let (service, watch) = (page.service, self.watch.as_ref());
        match page.unit {
            Unit::Database { name, prefix } => {
                let database = NumberDatabase::parse_or_stock(name);
                let database = database.map_err(|err| Error::Invalid { cause: err.to_string() })?;
                let prefix = prefix.as_deref();
                service.copy_page(watch, &database, prefix, page.after, page.limit).await
            }
            Unit::Account { id, databases } => {
                let account = account(id)?;
                service.copy_account_page(watch, &account, databases, page.after, page.limit).await
            }
            Unit::Numbers { numbers, account: of } => {
                let of = of.as_deref().map(account).transpose()?;
                service.copy_named(watch, numbers, of.as_ref(), self.unchecked).await
            }
            Unit::Whole => Ok(PageOutcome::default()),
        }
    }

    async fn settle(&self, service: &NumberService, written: &[String]) {
        if let Some(watch) = &self.watch {
            service.settle_copies(watch, written).await;
        }
    }
}

/// The account of a unit.
pub(super) fn account(id: &str) -> Result<AccountId, Error> {
    AccountId::parse(id).map_err(|err| Error::Invalid { cause: err.to_string() })
}
