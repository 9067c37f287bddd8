//! Getting hold of numbers that are not free for everybody: from the stock of the carriers that keep
//! one with us, and from outside carriers.
//!
//! A claim comes first and the number's write second; that write alone decides who has the number.
//! A claim that leads to nothing is given back, or is void after a while.

use super::{Error, NumberService, outside::ask, settling::order_of};
use crate::{
    carriers::{self, CarrierError},
    domain::{AccountId, Actor, CarrierName, E164, Lineage, Number, State},
    repository::{Offer, Purchase, RepositoryError, Saved, Settings, StockItem},
};

/// How often a claim is tried again because somebody else wrote.
const TRIES: u32 = 5;

/// Who gets hold of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acquiring<'a> {
    /// The settings in force.
    pub(super) settings: &'a Settings,
    /// Who asks.
    pub(super) actor: &'a Actor,
    /// The account that is to have the number.
    pub(super) taker: &'a Lineage,
}

impl NumberService {
    /// The number that was offered under this id to whoever asks, as it was found.
    pub(super) async fn offered(
        &self,
        acquiring: &Acquiring<'_>,
        id: &E164,
    ) -> Result<Number, Error> {
        let offers = self.numbers.offers(id, acquiring.settings.search.offer_ttl).await?;
        let offer = offers.into_iter().find(|offer| acquiring.may_take(offer));
        let offer = offer.ok_or_else(|| Error::NotFound(id.clone()))?;
        let (actor, now) = (acquiring.actor, self.numbers.now());
        let mut number = Number::new(id.clone(), State::Discovery, offer.carrier, actor, now);
        number.carrier_data = offer.data;
        Ok(number)
    }

    /// Gets hold of a number that was just decided to be taken; `is_stored` when it was before. What
    /// is nobody's but has a carrier that keeps stock for accounts is theirs alone.
    pub(super) async fn acquire(
        &self,
        acquiring: &Acquiring<'_>,
        number: &mut Number,
        is_stored: bool,
    ) -> Result<(), Error> {
        if number.carrier.stock().is_some() {
            return self.claim(acquiring, number, is_stored).await;
        }
        let is_ours = carriers::find(&number.carrier).is_some_and(|carrier| carrier.is_ours);
        if is_ours { Ok(()) } else { self.buy(acquiring, number).await }
    }

    /// Ends what [`NumberService::acquire`] began, once the number's write is over.
    pub(super) async fn conclude(
        &self,
        taker: &AccountId,
        id: &E164,
        carrier: &CarrierName,
        is_saved: bool,
    ) {
        let done = match (carrier.stock(), is_saved) {
            (Some(_), false) => self.give_back(taker, id, carrier).await,
            (None, true) => self.end_purchase(taker, id).await,
            (Some(_), true) | (None, false) => Ok(()),
        };
        if let Err(err) = done {
            let cause: &(dyn std::error::Error + 'static) = &err;
            tracing::warn!(number = %id, %carrier, error = cause, "a claim is left to lapse");
        }
    }

    /// Puts a number that nobody has any more back into the stock that it came from. That it could
    /// not be is no harm: the number document says that nobody has it, and the follower sees it.
    pub(super) async fn restock(&self, saved: &Saved) {
        let number = &saved.number;
        if number.carrier.stock().is_none() {
            return;
        }
        if let Err(err) = self.numbers.settle_stock(&number.id).await {
            let cause: &(dyn std::error::Error + 'static) = &err;
            tracing::warn!(number = %number.id, error = cause, "stock still names the last owner");
        }
    }

    async fn claim(
        &self,
        acquiring: &Acquiring<'_>,
        number: &Number,
        is_stored: bool,
    ) -> Result<(), Error> {
        let (carrier, taker) = (&number.carrier, &acquiring.taker.account);
        for _ in 0..TRIES {
            let Some(item) = self.numbers.in_stock(carrier, &number.id).await? else {
                // Made by hand, or older than the stock.
                let is_admin = acquiring.actor.is_admin;
                return if is_admin { Ok(()) } else { Err(Error::forbidden()) };
            };
            if !self.has_right(acquiring, &item).await? {
                return Err(Error::forbidden());
            }
            let is_another = item.holder.as_ref() != Some(taker);
            let claim_ttl = acquiring.settings.search.claim_ttl;
            if !is_stored && is_another && item.is_claimed(self.numbers.now(), claim_ttl) {
                return Err(Error::Conflict);
            }
            match self.numbers.claim_stock(&item, carrier, taker, number.state).await {
                Err(RepositoryError::Conflict { .. }) => {}
                done => return Ok(done?),
            }
        }
        Err(Error::Conflict)
    }

    /// Stock is for the account that it was made for, and for that one's customers.
    async fn has_right(&self, by: &Acquiring<'_>, item: &StockItem) -> Result<bool, Error> {
        let Some(right) = &item.right else {
            return Ok(by.actor.is_admin);
        };
        let is_own = by.actor.is_admin
            || by.taker.account == *right
            || by.actor.account.as_ref() == Some(right);
        Ok(is_own || self.reseller_of(&by.taker.account).await?.as_ref() == Some(right))
    }

    async fn give_back(
        &self,
        taker: &AccountId,
        id: &E164,
        carrier: &CarrierName,
    ) -> Result<(), Error> {
        // The write may have happened although we were not told.
        if self.numbers.get(id).await?.is_some_and(|(number, _)| number.owner.is_some()) {
            return Ok(());
        }
        match self.numbers.in_stock(carrier, id).await? {
            Some(item) if item.holder.as_ref() == Some(taker) => {
                Ok(self.numbers.return_stock(&item).await?)
            }
            _ => Ok(()),
        }
    }

    /// Buys a number at its carrier, unless that was done before and the number was not stored.
    async fn buy(&self, by: &Acquiring<'_>, number: &mut Number) -> Result<(), Error> {
        let account = &by.taker.account;
        let name = number.carrier.clone();
        let id = number.id.clone();
        // Why is for who runs the platform; it is in the log as well.
        let fault = |reason: CarrierError| Error::Carrier {
            number: id.clone(),
            carrier: name.clone(),
            reason: by.actor.is_admin.then_some(reason),
        };
        // In a rehearsal nobody outside is asked, and nothing would say that it was bought.
        let Some(carrier) = self.carrier(&name).await.filter(|_| !self.rehearses) else {
            return Err(fault(CarrierError::refused("this build cannot ask it")));
        };
        let (id, data) = (number.id.clone(), number.carrier_data.clone());
        let new = Purchase::begin(id, name.clone(), account.clone(), number.state, data);
        let earlier = self.numbers.purchase(&number.id).await?;
        let was_in_doubt = earlier.is_some();
        let purchase = match earlier {
            None => new,
            Some(it) if it.is_bought && it.account == *account && it.carrier == name => {
                number.carrier_data = it.data;
                return Ok(());
            }
            Some(it) if it.is_bought || self.is_under_way(by.settings, &it) => {
                return Err(Error::Conflict);
            }
            // Nobody knows how it ended. Asked again, a carrier says so.
            Some(it) => new.in_place_of(it),
        };
        let purchase = self.numbers.keep_purchase(purchase).await?;
        let (order, limit) = (order_of(&purchase), by.settings.search.purchase_timeout);
        let question = async move { carrier.acquire(&order).await };
        match ask(&name, limit, question).await {
            Ok(data) => {
                let data = data.or_else(|| number.carrier_data.take());
                number.carrier_data.clone_from(&data);
                self.numbers.keep_purchase(purchase.bought(data)).await?;
                Ok(())
            }
            // What is in doubt is found out later (`settling`). So is what is refused, perhaps, since it is ours.
            Err(unanswered) if was_in_doubt || unanswered.is_doubtful() => {
                Err(fault(unanswered.told()))
            }
            Err(unanswered) => {
                self.numbers.end_purchase(purchase).await?;
                Err(fault(unanswered.told()))
            }
        }
    }

    pub(super) fn is_under_way(&self, settings: &Settings, purchase: &Purchase) -> bool {
        let longest = settings.search.purchase_timeout.as_secs().cast_signed();
        purchase.modified > self.numbers.now() - longest.max(settings.search.claim_ttl)
    }

    async fn end_purchase(&self, taker: &AccountId, id: &E164) -> Result<(), Error> {
        match self.numbers.purchase(id).await? {
            Some(it) if it.account == *taker => Ok(self.numbers.end_purchase(it).await?),
            _ => Ok(()),
        }
    }
}

impl Acquiring<'_> {
    /// Whether an offer was made to whoever asks or to whom the number is for.
    fn may_take(&self, offer: &Offer) -> bool {
        let is_named = |account: &AccountId| {
            [&offer.account, &offer.reseller].into_iter().flatten().any(|named| named == account)
        };
        self.actor.is_admin
            || is_named(&self.taker.account)
            || self.actor.account.as_ref().is_some_and(is_named)
    }
}
