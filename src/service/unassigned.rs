//! Numbers that nobody owns: no application routes them, and they have no feature that only an
//! owner may have.

use super::{
    Error, NumberService, PageOutcome,
    change::{Operation, Target, must_exist},
    purge::must_hold_numbers,
};
use crate::{
    domain::{Actor, E164, FeatureTerms, KNOWN_FEATURES, Number, NumberDatabase, strip},
    providers,
    repository::{Decision, Opened, Pick, Settings},
};

struct FixUnassigned;

impl NumberService {
    /// Fixes the numbers of nobody in a page of a database.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a database of stock, and those of every read. What goes wrong with one
    /// number is in the outcome.
    pub async fn fix_unassigned_page(
        &self,
        actor: &Actor,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        must_hold_numbers(database)?;
        let settings = self.settings.get().await?;
        let after = after.map(str::to_owned);
        let page = self.numbers.pick(database, Pick::OfNobody, prefix, after, limit).await?;
        let mut outcome =
            PageOutcome { read: page.read, next: page.next, ..PageOutcome::default() };
        for (id, err) in page.unreadable {
            outcome.fail(id, &err.into());
        }
        let mut wrong = Vec::new();
        for number in page.numbers {
            if self.unassigned(&number, &settings).await? == number {
                outcome.unchanged += 1;
            } else {
                wrong.push(number.id);
            }
        }
        self.change_each(actor, wrong, &FixUnassigned, &mut outcome).await?;
        Ok(outcome)
    }

    /// Fixes those of these numbers, as they were given, that nobody owns.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn fix_unassigned(
        &self,
        actor: &Actor,
        numbers: &[String],
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let numbers = self.parse_each(numbers, &mut outcome).await?;
        self.change_each(actor, numbers, &FixUnassigned, &mut outcome).await?;
        Ok(outcome)
    }

    /// What a number of nobody should be.
    pub(super) async fn unassigned(
        &self,
        number: &Number,
        settings: &Settings,
    ) -> Result<Number, Error> {
        let terms = self.feature_terms(number, settings).await?;
        let mut after = number.clone();
        providers::clean(&mut after);
        make_unassigned(&mut after, &terms);
        for provider in self.providers_on(&terms, &[Some(number)]).await? {
            let denial = |number: &Number, feature: &str| terms.denial(number, feature, true);
            providers::plan(&*provider, Some(number), &mut after, denial)?;
        }
        Ok(after)
    }
}

fn make_unassigned(number: &mut Number, terms: &FeatureTerms<'_>) {
    number.used_by = None;
    for feature in KNOWN_FEATURES {
        if terms.denial(number, feature, true).is_some() {
            strip(number, feature);
        }
    }
}

impl Operation for FixUnassigned {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        if stored.number.owner.is_some() {
            return Err(Error::NoChange);
        }
        let terms = service.feature_terms(&stored.number, target.settings).await?;
        make_unassigned(&mut stored.number, &terms);
        Ok(Decision::save(stored))
    }
}
