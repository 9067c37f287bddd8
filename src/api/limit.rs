//! How often a client may ask, per address and account.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
};

use governor::{
    DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter,
    clock::{Clock, DefaultClock, QuantaInstant},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use serde::Deserialize;

use crate::domain::AccountId;

use super::{envelope::Tokens, fault::Fault};

/// Every how many requests the buckets that are full again are forgotten.
const SWEEP_EVERY: u64 = 8192;
/// From how many accounts on the full buckets of activations are forgotten.
const ACTIVATING: usize = 4096;

/// How often a client may ask.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitConfig {
    /// How many requests at once; 0 for no limit.
    pub burst: u32,
    /// How many more each second; 0 for no limit.
    pub per_second: u32,
}

type Key = (IpAddr, Option<AccountId>);
type Buckets =
    RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;
type Activations = DefaultKeyedRateLimiter<AccountId>;

/// The buckets of every client, and those of every account for activations, which no change of
/// address fills again.
#[derive(Debug)]
pub struct Limiter {
    buckets: Option<Buckets>,
    activations: Option<Activations>,
    asked: AtomicU64,
}

impl Limiter {
    /// No client has asked yet.
    pub fn new(config: LimitConfig) -> Self {
        let quota = NonZeroU32::new(config.per_second)
            .zip(NonZeroU32::new(config.burst))
            .map(|(per_second, burst)| Quota::per_second(per_second).allow_burst(burst));
        let buckets = quota
            .map(|quota| RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>());
        let activations = quota.map(RateLimiter::keyed);
        Self { buckets, activations, asked: AtomicU64::new(0) }
    }

    /// Takes one token out of a client's bucket. `None` when there is no limit.
    pub(crate) fn take(
        &self,
        client: IpAddr,
        account: Option<&AccountId>,
    ) -> Result<Option<Tokens>, Fault> {
        let Some(buckets) = &self.buckets else {
            return Ok(None);
        };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            buckets.retain_recent();
        }
        match buckets.check_key(&(client, account.cloned())) {
            Ok(state) => {
                Ok(Some(Tokens { consumed: 1, remaining: state.remaining_burst_capacity() }))
            }
            Err(until) => Err(too_many(&until)),
        }
    }

    /// Takes one token out of the account's bucket for activations, from whichever client.
    pub(crate) fn take_activation(&self, account: &AccountId) -> Result<(), Fault> {
        let Some(activations) = &self.activations else {
            return Ok(());
        };
        if activations.len() > ACTIVATING {
            activations.retain_recent();
        }
        activations.check_key(account).map_err(|until| too_many(&until))
    }
}

fn too_many(until: &NotUntil<QuantaInstant>) -> Fault {
    let wait = until.wait_time_from(DefaultClock::default().now());
    Fault::too_many_requests(wait.as_secs() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn an_empty_bucket_refuses_and_says_when_to_come_back() {
        let limiter = Limiter::new(LimitConfig { burst: 2, per_second: 1 });
        assert_eq!(limiter.take(CLIENT, None).unwrap().unwrap().remaining, 1);
        assert_eq!(limiter.take(CLIENT, None).unwrap().unwrap().remaining, 0);
        let fault = limiter.take(CLIENT, None).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (429, "too_many_requests"));
        assert_eq!(fault.data, serde_json::json!({ "message": "too many requests" }));
        assert_eq!(fault.headers[0].1, "1");
        let account = AccountId::parse("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f").unwrap();
        assert!(limiter.take(CLIENT, Some(&account)).is_ok(), "another bucket");
    }

    #[test]
    fn activations_have_a_bucket_of_the_account() {
        let limiter = Limiter::new(LimitConfig { burst: 2, per_second: 1 });
        let account = |c: char| AccountId::parse(&c.to_string().repeat(32)).unwrap();
        for _ in 0..2 {
            limiter.take_activation(&account('a')).unwrap();
        }
        let fault = limiter.take_activation(&account('a')).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (429, "too_many_requests"));
        assert!(limiter.take_activation(&account('b')).is_ok(), "another account");
        assert!(limiter.take(CLIENT, Some(&account('a'))).is_ok(), "another bucket");
    }

    #[test]
    fn nought_is_no_limit() {
        let limiter = Limiter::new(LimitConfig { burst: 0, per_second: 0 });
        assert!((0..100).all(|_| limiter.take(CLIENT, None).unwrap().is_none()));
        let account = AccountId::parse("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f").unwrap();
        assert!((0..100).all(|_| limiter.take_activation(&account).is_ok()));
    }
}
