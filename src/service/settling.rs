//! What is open between us and others: numbers that are to be given back to their carriers, purchases
//! of which nobody knows how they ended, and what providers are still to be told. The clock sees to it.

use futures::{StreamExt, stream};
use metrics::gauge;

use super::{
    Error, NumberService, PageOutcome, Terms,
    change::{Operation, Target},
    giving_back::{Outcome, pause},
    outside::ask,
    planning::Failure,
};
use crate::{
    carriers::{Offered, Order, Ownership},
    domain::{Actor, E164, Lineage, Number, State, Taking},
    repository::{
        Decision, Disconnect, Leftover, Matter, Opened, Purchase, RepositoryError, Settings,
    },
};

/// The kind of finding of a number that was given back, or of which its carrier has nothing any more.
pub const GIVEN_BACK: &str = "given_back";
/// The kind of finding of a number that is ours and is not given back.
pub const NOT_GIVEN_BACK: &str = "not_given_back";
/// The kind of finding of a number that waits for being given back.
pub const TO_BE_GIVEN_BACK: &str = "to_be_given_back";
/// The kind of finding of a number that turned out to be bought, and is stored.
pub const BOUGHT: &str = "bought";
/// The kind of finding of a number that turned out not to be bought.
pub const NOT_BOUGHT: &str = "not_bought";
/// The kind of finding of a number whose purchase is in doubt.
pub const IN_DOUBT: &str = "in_doubt";
/// The kind of finding of a number whose providers were told what was left.
pub const PROVIDERS_TOLD: &str = "providers_told";
/// The kind of finding of a number whose providers are still to be told something.
pub const PROVIDERS_TO_BE_TOLD: &str = "providers_to_be_told";
/// The kind of finding of a number about which humans were written to.
pub const LETTERS_SENT: &str = "letters_sent";
/// The kind of finding of a number about which humans are still to be written to.
pub const LETTERS_TO_BE_SENT: &str = "letters_to_be_sent";

/// How many numbers are seen to at once.
const PARALLEL: usize = 8;
/// How many of each are counted for the metrics, at most, and how many are listed.
const COUNTED: usize = 1000;
/// What a place begins with that is among the purchases.
const OF_PURCHASES: &str = "purchase ";
/// What a place begins with that is among what is left for providers.
const OF_PROVIDERS: &str = "provider ";
/// What a place begins with that is among the letters.
const OF_LETTERS: &str = "letter ";

/// What is open between us and others.
#[derive(Clone, Debug, Default)]
pub struct Unsettled {
    /// Numbers that are to be given back, the first of them.
    pub disconnects: Vec<Disconnect>,
    /// Purchases that are under way or were not finished, the first of them.
    pub purchases: Vec<Purchase>,
    /// What providers are still to be told, the first of it.
    pub leftovers: Vec<Leftover>,
    /// Letters that humans are still to get, the first of them.
    pub letters: Vec<Leftover>,
}

/// The storing of a number that was bought and not stored.
struct Settlement<'a> {
    purchase: &'a Purchase,
    /// The account that it was bought for; none when it is gone.
    taker: Option<Lineage>,
}

impl NumberService {
    /// Sees to a page of what is open. Without the service itself (`live`) it is only said what that
    /// is.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one number is in the outcome.
    pub async fn settle_page(
        &self,
        live: Option<&Self>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let number = |text: &str| E164::parse(text).ok();
        let after = after.unwrap_or_default();
        if let Some(after) = after.strip_prefix(OF_PURCHASES) {
            return self.settle_purchases(live, number(after), limit).await;
        }
        if let Some(after) = after.strip_prefix(OF_LETTERS) {
            return self.settle_leftovers(live, Matter::Letters, number(after), limit).await;
        }
        match after.strip_prefix(OF_PROVIDERS) {
            Some(after) => {
                self.settle_leftovers(live, Matter::Features, number(after), limit).await
            }
            None => self.settle_disconnects(live, number(after), limit).await,
        }
    }

    async fn settle_leftovers(
        &self,
        live: Option<&Self>,
        matter: Matter,
        after: Option<E164>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let settings = &*self.settings.get().await?;
        let (page, next) = self.numbers.leftovers(matter, after.as_ref(), limit).await?;
        let (place, told, waits, follows) = match matter {
            Matter::Features => {
                (OF_PROVIDERS, PROVIDERS_TOLD, PROVIDERS_TO_BE_TOLD, Some(OF_LETTERS.to_owned()))
            }
            Matter::Letters => (OF_LETTERS, LETTERS_SENT, LETTERS_TO_BE_SENT, None),
        };
        let next = next.map(|next| format!("{place}{next}")).or(follows);
        let seen = async |leftover| {
            let Some(live) = live else { return Ok(Seen::Waits(waits)) };
            Ok(match Box::pin(live.settle_leftover(settings, leftover)).await? {
                Outcome::Done | Outcome::Kept => Seen::Changed(told),
                Outcome::Waiting => Seen::Waits(waits),
                Outcome::Failed(reason) => Seen::Failed(waits, reason),
            })
        };
        Ok(see_to(page, next, |leftover| leftover.number.clone(), seen).await)
    }

    async fn settle_disconnects(
        &self,
        live: Option<&Self>,
        after: Option<E164>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let settings = &*self.settings.get().await?;
        let (page, next) = self.numbers.waiting_disconnects(after.as_ref(), limit).await?;
        let next = next.map_or_else(|| OF_PURCHASES.to_owned(), |next| next.to_string());
        let seen = async |wish| {
            let Some(live) = live else { return Ok(Seen::Waits(TO_BE_GIVEN_BACK)) };
            Ok(match live.carry_out_wish(settings, wish).await? {
                Outcome::Done => Seen::Changed(GIVEN_BACK),
                Outcome::Kept => Seen::Changed(NOT_GIVEN_BACK),
                Outcome::Waiting => Seen::Waits(TO_BE_GIVEN_BACK),
                Outcome::Failed(reason) => Seen::Failed(TO_BE_GIVEN_BACK, reason),
            })
        };
        Ok(see_to(page, Some(next), |wish| wish.number.clone(), seen).await)
    }

    async fn settle_purchases(
        &self,
        live: Option<&Self>,
        after: Option<E164>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let settings = &*self.settings.get().await?;
        let (page, next) = self.numbers.open_purchases(after.as_ref(), limit).await?;
        let next =
            next.map_or_else(|| OF_PROVIDERS.to_owned(), |next| format!("{OF_PURCHASES}{next}"));
        let seen = async |purchase| {
            let Some(live) = live else { return Ok(Seen::Waits(IN_DOUBT)) };
            Ok(match live.settle_purchase(settings, purchase).await? {
                Settled::Stored => Seen::Changed(BOUGHT),
                Settled::StruckOut => Seen::Changed(NOT_BOUGHT),
                Settled::Waiting => Seen::Waits(IN_DOUBT),
                Settled::Unknown(reason) => Seen::Failed(IN_DOUBT, reason),
            })
        };
        Ok(see_to(page, Some(next), |purchase| purchase.number.clone(), seen).await)
    }

    /// Whether anything is open whose turn it is. Counts what is open for the metrics.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn is_to_be_settled(&self) -> Result<bool, Error> {
        let (settings, now) = (self.settings.get().await?, self.numbers.now());
        let (disconnects, more) = self.numbers.waiting_disconnects(None, COUNTED).await?;
        let (purchases, more_purchases) = self.numbers.open_purchases(None, COUNTED).await?;
        let (leftovers, more_leftovers) =
            self.numbers.leftovers(Matter::Features, None, COUNTED).await?;
        let (letters, more_letters) =
            self.numbers.leftovers(Matter::Letters, None, COUNTED).await?;
        for (name, count) in [
            ("carrier_disconnects_waiting", disconnects.len()),
            ("carrier_purchases_open", purchases.len()),
            ("provider_leftovers", leftovers.len()),
            ("letters_waiting", letters.len()),
        ] {
            let count = u32::try_from(count).map_or(f64::MAX, f64::from);
            gauge!(format!("number_manager_{name}")).set(count);
        }
        let is_left = |it: &Leftover| it.due <= now && !it.is_under_way(now);
        let is_due = |wish: &Disconnect| wish.due <= now && !wish.is_under_way(now);
        Ok(more.is_some()
            || more_purchases.is_some()
            || more_leftovers.is_some()
            || more_letters.is_some()
            || leftovers.iter().chain(&letters).flatten().any(is_left)
            || disconnects.iter().flatten().any(is_due)
            || purchases.iter().flatten().any(|it| self.is_in_doubt(&settings, it)))
    }

    /// What is open, the first of each kind.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn unsettled(&self) -> Result<Unsettled, Error> {
        let (disconnects, _) = self.numbers.waiting_disconnects(None, COUNTED).await?;
        let (purchases, _) = self.numbers.open_purchases(None, COUNTED).await?;
        let (leftovers, _) = self.numbers.leftovers(Matter::Features, None, COUNTED).await?;
        let (letters, _) = self.numbers.leftovers(Matter::Letters, None, COUNTED).await?;
        Ok(Unsettled {
            leftovers: leftovers.into_iter().flatten().collect(),
            letters: letters.into_iter().flatten().collect(),
            disconnects: disconnects.into_iter().flatten().collect(),
            purchases: purchases.into_iter().flatten().collect(),
        })
    }

    /// Whether nobody works on a purchase any more that was not finished, and it is its turn.
    fn is_in_doubt(&self, settings: &Settings, purchase: &Purchase) -> bool {
        let pause = if purchase.tries == 0 { 0 } else { pause(settings, purchase.tries - 1) };
        !self.is_under_way(settings, purchase) && purchase.modified + pause <= self.numbers.now()
    }

    /// Finds out how a purchase ended, and stores the number or strikes the purchase out.
    async fn settle_purchase(
        &self,
        settings: &Settings,
        mut purchase: Purchase,
    ) -> Result<Settled, Error> {
        if !self.is_in_doubt(settings, &purchase) {
            return Ok(Settled::Waiting);
        }
        if !purchase.is_bought {
            purchase = match self.outcome_of(settings, &purchase).await {
                Ok(Ownership::Ours(data)) => {
                    let data = data.or_else(|| purchase.data.clone());
                    self.numbers.keep_purchase(purchase.bought(data)).await?
                }
                Ok(Ownership::NotOurs) => {
                    self.numbers.end_purchase(purchase).await?;
                    return Ok(Settled::StruckOut);
                }
                Ok(Ownership::Unknown) => {
                    let reason = "the carrier does not say whether it was sold".to_owned();
                    return self.ask_later(purchase, reason).await;
                }
                Err(reason) => return self.ask_later(purchase, reason).await,
            };
        }
        let taker = match self.lineage(&purchase.account).await {
            Err(Error::NoAccount(_)) => None,
            taker => Some(taker?),
        };
        let settlement = Settlement { purchase: &purchase, taker };
        let actor = settlement.actor();
        // Whoever bought it accepted what it costs.
        let terms = Terms { if_match: None, accepts_charges: true };
        let account = settlement.taker.as_ref().map(|taker| &taker.account);
        let target = Target { actor: &actor, account, settings, terms };
        match self.change(&target, &purchase.number, &settlement).await {
            Ok(_) | Err(Error::NoChange) => (),
            Err(err) => return Err(err),
        }
        let number = purchase.number.clone();
        self.numbers.end_purchase(purchase).await?;
        tracing::info!(%number, "a number is stored that was bought before");
        Ok(Settled::Stored)
    }

    async fn outcome_of(
        &self,
        settings: &Settings,
        purchase: &Purchase,
    ) -> Result<Ownership, String> {
        let name = purchase.carrier.clone();
        let Some(carrier) = self.carrier(&name).await else {
            return Err(format!("carrier {name} cannot be asked"));
        };
        let order = order_of(purchase);
        let question = async move { carrier.owned(&order).await };
        let answer = ask(&name, settings.search.purchase_timeout, question).await;
        answer.map_err(|unanswered| unanswered.to_string())
    }

    async fn ask_later(&self, purchase: Purchase, reason: String) -> Result<Settled, Error> {
        self.numbers.keep_purchase(purchase.in_doubt(reason.clone())).await?;
        Ok(Settled::Unknown(reason))
    }
}

/// What became of a purchase.
enum Settled {
    /// The number is ours.
    Stored,
    /// It was never sold.
    StruckOut,
    /// It is not its turn.
    Waiting,
    /// Nobody can say yet.
    Unknown(String),
}

/// What a carrier is asked about a purchase.
pub(super) fn order_of(purchase: &Purchase) -> Order {
    let offered = Offered { number: purchase.number.clone(), data: purchase.data.clone() };
    Order { offered, reference: purchase.reference.clone() }
}

impl Settlement<'_> {
    /// The account itself, with the right to do what was begun on its behalf.
    fn actor(&self) -> Actor {
        let account = self.taker.as_ref().map(|taker| taker.account.clone());
        Actor { account, is_admin: true, may_add_numbers: true, ancestors: Vec::new() }
    }
}

impl Operation for Settlement<'_> {
    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let now = service.numbers.now();
        let new = |state| {
            let carrier = self.purchase.carrier.clone();
            Number::new(number.clone(), state, carrier, target.actor, now)
        };
        let mut bought = match &opened {
            // It is in our stock already: as it was to be, or as somebody else wanted it.
            Opened::Found(stored) if stored.number.state != State::Discovery => {
                return Err(Error::NoChange);
            }
            Opened::Found(stored) => stored.number.clone(),
            Opened::Vacant(_) if self.taker.is_none() => new(State::Available),
            Opened::Vacant(_) => new(State::Discovery),
        };
        bought.carrier_data.clone_from(&self.purchase.data);
        match &self.taker {
            Some(_) => {
                let taker = self.taker.as_ref();
                let taking =
                    Taking { actor: target.actor, taker, owner: None, open_purchase: true };
                bought.take(self.purchase.state, &taking, now)?;
            }
            None => bought.enter(State::Available, now),
        }
        Ok(Decision::save(match opened {
            Opened::Found(mut stored) => {
                stored.number = bought;
                *stored
            }
            Opened::Vacant(vacancy) => vacancy.fill(bought),
        }))
    }
}

/// What became of something that was open, and the kind of finding that it is.
enum Seen {
    Changed(&'static str),
    Waits(&'static str),
    Failed(&'static str, String),
}

/// Sees to each of a page, several at once. What cannot be read has failed.
async fn see_to<T, F>(
    page: Vec<Result<T, RepositoryError>>,
    next: Option<String>,
    number: fn(&T) -> E164,
    seen: impl Fn(T) -> F,
) -> PageOutcome
where
    F: Future<Output = Result<Seen, Error>>,
{
    let mut outcome = PageOutcome { read: page.len() as u64, next, ..PageOutcome::default() };
    let mut open = Vec::with_capacity(page.len());
    for found in page {
        match found {
            Ok(found) => {
                let (number, seen) = (number(&found), seen(found));
                open.push(async move { (number, seen.await) });
            }
            Err(err) => {
                let message = err.to_string();
                outcome.failed.push((message.clone(), of_carrier(message)));
            }
        }
    }
    let mut done = stream::iter(open).buffered(PARALLEL);
    while let Some((number, seen)) = done.next().await {
        let mut found = |kind| outcome.found.push((kind, number.to_string()));
        match seen {
            Ok(Seen::Changed(kind)) => {
                found(kind);
                outcome.changed += 1;
            }
            Ok(Seen::Waits(kind)) => {
                found(kind);
                outcome.skipped += 1;
            }
            Ok(Seen::Failed(kind, reason)) => {
                found(kind);
                outcome.failed.push((number.to_string(), of_carrier(reason)));
            }
            // Somebody else saw to it.
            Err(Error::Conflict) => outcome.skipped += 1,
            Err(err) => outcome.fail(number.as_str(), &err),
        }
    }
    outcome
}

fn of_carrier(message: String) -> Failure {
    Failure { error: "unspecified_fault".to_owned(), message }
}
