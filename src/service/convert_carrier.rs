//! Giving numbers another carrier. The carriers themselves are not told.

use futures::{StreamExt, stream};

use super::{
    Error, NumberService, PageOutcome, Terms,
    change::{Operation, Target, must_exist},
    features::strip_lost,
};
use crate::{
    carriers,
    domain::{Actor, CarrierName, E164, LOCAL_FEATURE, Number, NumberDatabase},
    repository::{Decision, Opened, Saved, Settings, Stored},
};

/// How many named numbers are worked on at once.
const PARALLEL_NUMBERS: usize = 16;

/// A conversion whose words were checked.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// Only numbers that are stored under exactly this name; any when they are named.
    pub source: Option<String>,
    /// The carrier that they get.
    target: CarrierName,
    /// The same as it was given.
    given: String,
    /// Whether numbers are converted that lose features by it, or that the target cannot have.
    force: bool,
}

/// A conversion by the settings of now.
struct Converting<'a> {
    conversion: &'a Conversion,
    settings: &'a Settings,
}

/// What became of one number.
enum Outcome {
    Converted,
    Unchanged,
    /// It was no longer stored under the name that was asked for.
    Skipped,
}

impl Conversion {
    /// A conversion to a carrier. `force`: numbers that lose features by it, and those that the carrier
    /// cannot have, are converted, too.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCarrier`] for the target.
    pub fn new(source: Option<&str>, target: &str, force: bool) -> Result<Self, Error> {
        let name = carriers::named(target);
        let name = name.ok_or_else(|| Error::UnknownCarrier(target.to_owned()))?;
        let (source, given) = (source.map(str::to_owned), target.to_owned());
        Ok(Self { source, target: name, given, force })
    }

    /// The target as it was given.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.given
    }
}

impl NumberService {
    /// Converts a page of the numbers of a database that are stored under the source's name.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one number is in the outcome.
    pub async fn convert_page(
        &self,
        conversion: &Conversion,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let settings = &*self.settings.get().await?;
        let converting = Converting { conversion, settings };
        let source = conversion.source.as_deref().unwrap_or_default();
        let after = after.map(str::to_owned);
        let page = self.numbers.with_carrier(database, source, prefix, after, limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        let mut changed = Vec::with_capacity(page.numbers.len());
        for stored in page.numbers {
            match stored {
                Err((id, err)) => outcome.count(id, Err(err.into())),
                Ok(mut stored) => match converting.apply(self, &mut stored).await {
                    Ok(Outcome::Converted) => changed.push(stored),
                    other => outcome.count(stored.number.id.to_string(), other),
                },
            }
        }
        let ids: Vec<String> = changed.iter().map(|stored| stored.number.id.to_string()).collect();
        for (id, saved) in ids.into_iter().zip(self.numbers.save_many(changed).await) {
            outcome.count(id, saved.map(|_| Outcome::Converted).map_err(Error::from));
        }
        Ok(outcome)
    }

    /// Converts numbers, as they were given, whatever their carrier.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn convert_numbers(
        &self,
        actor: &Actor,
        conversion: &Conversion,
        numbers: &[String],
    ) -> Result<PageOutcome, Error> {
        let settings = &*self.settings.get().await?;
        let converting = &Converting { conversion, settings };
        let outcomes = numbers.iter().cloned().map(|given| async move {
            let outcome = self.convert_one(actor, converting, &given).await;
            (given, outcome)
        });
        let outcomes: Vec<_> = outcomes.collect();
        let mut outcomes = stream::iter(outcomes).buffered(PARALLEL_NUMBERS);
        let mut all = PageOutcome::default();
        while let Some((given, outcome)) = outcomes.next().await {
            all.count(given, outcome);
        }
        Ok(all)
    }

    async fn convert_one(
        &self,
        actor: &Actor,
        converting: &Converting<'_>,
        given: &str,
    ) -> Result<Outcome, Error> {
        let number = self.parse(given).await?;
        let settings = converting.settings;
        let target = Target { actor, account: None, settings, terms: Terms::default() };
        let saved: Saved = self.change(&target, &number, converting).await?;
        Ok(if saved.written { Outcome::Converted } else { Outcome::Unchanged })
    }
}

impl Operation for Converting<'_> {
    const IS_CHARGED: bool = false;
    const CONCERNS_FEATURES: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        _target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        self.apply(service, &mut stored).await?;
        Ok(Decision::save(stored))
    }
}

impl Converting<'_> {
    /// Gives a number that was read the carrier, unless that one cannot have it, or it would lose a
    /// feature by that.
    async fn apply(&self, service: &NumberService, stored: &mut Stored) -> Result<Outcome, Error> {
        let spelt = stored.stored_carrier();
        if self.conversion.source.is_some() && spelt != self.conversion.source.as_deref() {
            return Ok(Outcome::Skipped);
        }
        if spelt == Some(self.conversion.target.as_str()) {
            return Ok(Outcome::Unchanged);
        }
        self.check_plan(&stored.number.id)?;
        let mut converted = stored.number.clone();
        converted.set_carrier(self.conversion.target.clone());
        self.check_features(service, &stored.number, &mut converted).await?;
        stored.number = converted;
        stored.rewrite();
        Ok(Outcome::Converted)
    }

    /// Refuses a number that the carrier has none like.
    fn check_plan(&self, number: &E164) -> Result<(), Error> {
        let target = &self.conversion.target;
        if self.conversion.force || carriers::find(target).is_none_or(|it| it.can_have(number)) {
            return Ok(());
        }
        let cause = format!("numbers like {number} are not available with {target}");
        Err(Error::Forbidden { cause: Some(cause) })
    }

    /// Refuses when a feature in force would be denied by the change of carrier, or takes it off.
    async fn check_features(
        &self,
        service: &NumberService,
        before: &Number,
        after: &mut Number,
    ) -> Result<(), Error> {
        let in_force = before.features.keys().filter(|feature| *feature != LOCAL_FEATURE);
        if in_force.clone().next().is_none() {
            return Ok(());
        }
        let old = service.feature_terms(before, self.settings).await?;
        let new = service.feature_terms(after, self.settings).await?;
        let is_lost = |feature: &&String| {
            old.denial(before, feature, true).is_none()
                && new.denial(after, feature, true).is_some()
        };
        let lost: Vec<&str> = in_force.filter(is_lost).map(String::as_str).collect();
        if lost.is_empty() {
            return Ok(());
        }
        if self.conversion.force {
            strip_lost(&old, before, &new, after);
            return Ok(());
        }
        let cause =
            format!("feature {} is not available with {}", lost.join(", "), self.conversion.target);
        Err(Error::Forbidden { cause: Some(cause) })
    }
}

impl PageOutcome {
    fn count(&mut self, number: String, outcome: Result<Outcome, Error>) {
        match outcome {
            Ok(Outcome::Skipped) => return,
            // What is written is counted by the job.
            Ok(Outcome::Converted) => (),
            Ok(Outcome::Unchanged) => {
                self.unchanged += 1;
                self.right.push(number);
            }
            Err(err) => self.fail(number, &err),
        }
        self.read += 1;
    }
}
