//! What every carrier of the registry that can be asked does, whoever it is.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use number_manager::{
    carriers::{
        Ability, CARRIERS, CarrierError, Descriptor, Holdings, Module, Order, Ownership, Returned,
    },
    domain::E164,
};
use serde_json::{Map, Value, json};

use super::{Fake, NUMBER, OTHER, fakes, opened, order, wanted};
use crate::support::vendor::Trouble;

/// Secrets in the tests hold this.
const SECRET: &str = "s3cr3t-of-a-vendor";

fn modules() -> impl Iterator<Item = (&'static Descriptor, &'static Module)> {
    let all = CARRIERS.iter().filter_map(|carrier| Some((carrier, carrier.module?)));
    // One that only says why not is asked nothing.
    all.filter(|(_, module)| !module.abilities.is_empty())
}

#[test]
fn every_carrier_that_can_be_asked_has_a_vendor_to_ask() {
    let named: Vec<&str> = fakes().iter().map(|fake| fake.name).collect();
    for (carrier, module) in modules() {
        assert!(named.contains(&carrier.name), "{} has no fake", carrier.name);
        assert!(!carrier.is_ours && carrier.is_usable);
        for ability in [Ability::Search, Ability::Buy] {
            assert!(module.abilities.contains(&ability), "{}", carrier.name);
        }
    }
}

#[test]
fn nothing_has_to_be_set_and_what_is_wrong_is_named() {
    for (carrier, module) in modules() {
        assert!(module.open(&Map::new()).is_ok(), "{}", carrier.name);
        let wrong = [
            (module.address, json!("ftp://h")),
            (module.address, json!("https://me:hunter2@h")),
            (module.address, json!(7)),
            ("concurrency", json!(0)),
            ("search_timeout_ms", json!("soon")),
            ("enable_provisioning", json!("perhaps")),
        ];
        let secrets = module.secrets.iter().map(|key| (*key, json!({"a": SECRET})));
        for (key, value) in wrong.into_iter().chain(secrets) {
            let members = Map::from_iter([(key.to_owned(), value)]);
            let err = module.open(&members).err().unwrap_or_else(|| {
                panic!("{} takes {members:?}", carrier.name);
            });
            assert_eq!(err.key, key, "{}", carrier.name);
            assert!(!err.to_string().contains(SECRET) && !err.to_string().contains("hunter2"));
        }
    }
}

#[test]
fn secrets_are_not_in_the_debug_form() {
    for (carrier, module) in modules() {
        let secrets = module.secrets.iter().map(|key| ((*key).to_owned(), Value::from(SECRET)));
        let opened = module.open(&secrets.collect()).unwrap();
        let text = format!("{opened:?} {opened:#?}");
        assert!(!text.contains(SECRET), "{}: {text}", carrier.name);
    }
}

#[tokio::test]
async fn what_is_not_set_up_refuses_without_asking() {
    for (carrier, module) in modules() {
        let opened = module.open(&Map::new()).unwrap();
        let wanted = wanted("+1415");
        let found = tokio::time::timeout(Duration::from_secs(1), opened.search(&wanted)).await;
        let err = found.unwrap().unwrap_err();
        assert!(!err.is_doubtful(), "{}: {err}", carrier.name);
        let err = opened.acquire(&order(NUMBER)).await.unwrap_err();
        assert!(!err.is_doubtful(), "{}: {err}", carrier.name);
    }
}

/// What was bought is owned, and what was given back is gone.
#[tokio::test]
async fn numbers_come_and_go() {
    for fake in fakes() {
        let (server, carrier) = opened(&fake, json!({})).await;
        let name = fake.name;
        server.vendor(|it| [NUMBER, OTHER].map(|number| it.offer(number)));
        let found = carrier.search(&wanted("+1415")).await.unwrap();
        let found: Vec<&str> = found.iter().map(|it| it.number.as_str()).collect();
        assert_eq!(found, [NUMBER, OTHER], "{name}");
        let offered = carrier.search(&wanted(NUMBER)).await.unwrap().remove(0);
        let order = Order { offered, reference: "0".repeat(32) };
        assert_eq!(carrier.owned(&order).await.unwrap(), Ownership::NotOurs, "{name}");
        let data = carrier.acquire(&order).await.unwrap();
        assert!(server.vendor(|it| it.owns(NUMBER)), "{name}");
        let is_ours = matches!(carrier.owned(&order).await.unwrap(), Ownership::Ours(_));
        assert!(is_ours, "{name}");
        // Asked again, it is ours already.
        carrier.acquire(&order).await.unwrap();
        assert!(!server.vendor(|it| it.owns(OTHER)), "{name}");
        let (number, can) = (E164::parse(NUMBER).unwrap(), fake.can(Ability::Return));
        let returned = carrier.disconnect(&number, data.as_ref()).await.unwrap();
        assert_eq!(returned == Returned::Done, can, "{name}");
        assert_eq!(server.vendor(|it| it.owns(NUMBER)), !can, "{name}");
        if can {
            // What is not there any more was given back.
            let again = carrier.disconnect(&number, data.as_ref()).await.unwrap();
            assert_eq!(again, Returned::Done, "{name}");
            let ours = carrier.owned(&order).await.unwrap();
            assert!(!matches!(ours, Ownership::Ours(_)), "{name}");
        }
    }
}

#[tokio::test]
async fn an_order_that_fails_is_refused() {
    for fake in fakes() {
        let (server, carrier) = opened(&fake, json!({})).await;
        server.vendor(|it| {
            it.offer(NUMBER);
            it.failing();
        });
        let err = carrier.acquire(&order(NUMBER)).await.unwrap_err();
        assert!(!err.is_doubtful(), "{}: {err}", fake.name);
        let err = carrier.acquire(&order(OTHER)).await.unwrap_err();
        assert!(!err.is_doubtful(), "{}: {err}", fake.name);
        assert!(!server.vendor(|it| it.owns(NUMBER)), "{}", fake.name);
    }
}

#[tokio::test]
async fn a_slow_order_is_waited_for_and_then_left_in_doubt() {
    for fake in fakes().into_iter().filter(|fake| fake.has_orders) {
        let (server, carrier) = opened(&fake, json!({})).await;
        server.vendor(|it| {
            it.offer(NUMBER);
            it.offer(OTHER);
            it.slow(2);
        });
        carrier.acquire(&order(NUMBER)).await.unwrap();
        assert!(server.vendor(|it| it.owns(NUMBER)), "{}", fake.name);
        server.vendor(|it| it.slow(1000));
        let hasty = fake.open(&server, json!({"order_poll_timeout_s": 0}));
        let later = order(OTHER);
        let err = hasty.acquire(&later).await.unwrap_err();
        assert!(err.is_doubtful(), "{}: {err}", fake.name);
        assert_eq!(hasty.owned(&later).await.unwrap(), Ownership::Unknown, "{}", fake.name);
    }
}

/// The order was taken, and its answer is lost: it is found out, and nothing is bought twice.
#[tokio::test]
async fn an_order_whose_answer_is_lost_is_found_out() {
    for fake in fakes() {
        for trouble in [Trouble::Swallowed, Trouble::Truncated] {
            let settings = json!({"provisioning_timeout_ms": 400});
            let (server, carrier) = opened(&fake, settings).await;
            server.vendor(|it| it.offer(NUMBER));
            server.next_at(fake.order, trouble.clone());
            let it = order(NUMBER);
            match carrier.acquire(&it).await {
                Ok(_) => (),
                Err(err) => assert!(err.is_doubtful(), "{} {trouble:?}: {err}", fake.name),
            }
            assert!(server.vendor(|it| it.owns(NUMBER)), "{} {trouble:?}", fake.name);
            let ours = carrier.owned(&it).await.unwrap();
            assert!(matches!(ours, Ownership::Ours(_)), "{} {trouble:?} {ours:?}", fake.name);
        }
    }
}

/// Whatever a vendor says: an error comes in time, holds no secret, and is in doubt only where the
/// vendor may have sold.
#[tokio::test]
async fn whatever_a_vendor_says_is_an_error_and_tells_no_secret() {
    let echo = |fake: &Fake| json!({"error": format!("bad key {}", fake.secret)}).to_string();
    let xml_echo = |fake: &Fake| {
        let words = format!("bad key {}", fake.secret.replace('&', "&amp;"));
        format!("<content><status>fail</status><error>{words}</error></content>")
    };
    let laughs = r#"<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><content>&c;</content>"#;
    for fake in fakes() {
        let statuses = [401, 403, 404, 409, 422, 429, 500, 502, 503];
        let said = statuses.map(|status| Trouble::Say(status, echo(&fake)));
        let bodies = ["", "null", "[]", "{", "<html>", "\"x\"", "7", "[[[[", "{\"data\": 7}"];
        let odd = bodies.map(|body| Trouble::Say(200, body.to_owned()));
        let rest = [
            Trouble::Later(429, 3600),
            Trouble::Truncated,
            Trouble::Hangup,
            Trouble::Flood(50_000_000),
            Trouble::Say(200, "[".repeat(1_000_000)),
            Trouble::Say(302, String::new()),
            Trouble::Say(200, xml_echo(&fake)),
            Trouble::Say(400, xml_echo(&fake)),
            Trouble::Say(200, laughs.to_owned()),
            Trouble::Say(200, "<a>".repeat(300_000)),
            Trouble::Say(200, format!("<content>{}</content>", "<a/>".repeat(20_000))),
        ];
        let settings = json!({
            "search_timeout_ms": 200, "provisioning_timeout_ms": 200, "answer_bytes": 1_000_000,
        });
        let (server, carrier) = opened(&fake, settings).await;
        server.vendor(|it| it.offer(NUMBER));
        for trouble in said.into_iter().chain(odd).chain(rest) {
            // Whoever is let in for a while is.
            server.always(None);
            carrier.search(&wanted("+1415")).await.unwrap();
            server.always(Some(trouble.clone()));
            let told = |err: &CarrierError| {
                let text = format!("{err} {err:?}");
                assert!(!text.contains(fake.secret), "{} tells {text}", fake.name);
                assert!(text.len() < 2000, "{} tells too much", fake.name);
            };
            match carrier.search(&wanted("+1415")).await {
                Ok(found) => assert_eq!(found, [], "{} {trouble:?}", fake.name),
                Err(err) => told(&err),
            }
            let numbers = [E164::parse(NUMBER).unwrap()];
            if let Err(err) = carrier.check(&numbers).await {
                told(&err);
            }
            let it = order(NUMBER);
            told(&carrier.acquire(&it).await.expect_err(fake.name));
            match carrier.owned(&it).await {
                Ok(ours) => assert!(!matches!(ours, Ownership::Ours(_)), "{}", fake.name),
                Err(err) => told(&err),
            }
            if let Err(err) = carrier.disconnect(&numbers[0], None).await {
                told(&err);
            }
            // Half a list is none: what it lacks would be called missing.
            told(&carrier.list(None).await.expect_err(fake.name));
        }
    }
}

#[tokio::test]
async fn what_it_lists_is_what_we_have() {
    for fake in fakes().into_iter().filter(|fake| fake.can(Ability::List)) {
        let (server, carrier) = opened(&fake, json!({})).await;
        let nothing = carrier.list(None).await.unwrap();
        assert_eq!(nothing, Holdings::default(), "{}", fake.name);
        for number in [NUMBER, OTHER] {
            server.vendor(|it| it.offer(number));
            carrier.acquire(&order(number)).await.unwrap();
        }
        let (mut listed, mut after) = (Vec::new(), None);
        for _ in 0..3 {
            let part = carrier.list(after.as_deref()).await.unwrap();
            listed.extend(part.numbers.iter().map(ToString::to_string));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        listed.sort_unstable();
        assert_eq!((listed, after), (vec![NUMBER.to_owned(), OTHER.to_owned()], None));
    }
}

#[tokio::test]
async fn no_more_is_read_than_is_allowed() {
    for fake in fakes() {
        let settings = json!({"answer_bytes": 1_000_000, "search_timeout_ms": 60_000});
        let (server, carrier) = opened(&fake, settings).await;
        carrier.search(&wanted("+1415")).await.unwrap();
        server.always(Some(Trouble::Flood(50_000_000)));
        let err = carrier.search(&wanted("+1415")).await.unwrap_err();
        assert_eq!(err.reason(), "its answer is too long", "{}", fake.name);
    }
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "current_thread")]
async fn secrets_are_not_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    tracing::trace!("the log is open");
    for fake in fakes() {
        let (server, carrier) = opened(&fake, json!({})).await;
        server.vendor(|it| it.offer(NUMBER));
        let bought = carrier.acquire(&order(NUMBER)).await;
        tracing::info!(?bought, ?carrier, "bought");
        let echo = json!({"error": format!("bad key {}", fake.secret)}).to_string();
        server.always(Some(Trouble::Say(403, echo)));
        if let Err(err) = carrier.search(&wanted("+1415")).await {
            tracing::warn!(error = %err, ?err, "not found");
        }
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("the log is open") && text.contains("not found"));
    for fake in fakes() {
        assert!(!text.contains(fake.secret), "{}", fake.name);
    }
}

#[tokio::test]
async fn a_search_is_asked_again_when_that_may_help_and_there_is_time() {
    for fake in fakes() {
        let (server, carrier) = opened(&fake, json!({})).await;
        server.vendor(|it| it.offer(NUMBER));
        for trouble in [Trouble::Later(429, 0), Trouble::Say(503, String::new())] {
            server.taken();
            server.next(None, trouble.clone());
            let found = carrier.search(&wanted("+1415")).await.unwrap();
            assert_eq!(found.len(), 1, "{} {trouble:?}", fake.name);
        }
        // An hour is more than there is.
        server.always(Some(Trouble::Later(429, 3600)));
        server.taken();
        let err = carrier.search(&wanted("+1415")).await.unwrap_err();
        assert_eq!(err.status(), Some(429), "{}", fake.name);
        assert_eq!(server.taken().len(), 1, "{}", fake.name);
    }
}

#[tokio::test]
async fn buying_can_be_pretended_or_switched_off() {
    for fake in fakes() {
        let off = json!({"enable_provisioning": false, "sandbox_provisioning": false});
        let pretended = json!({"enable_provisioning": false, "sandbox_provisioning": true});
        for (settings, is_done) in [(off, false), (pretended, true)] {
            let (server, carrier) = opened(&fake, settings).await;
            server.vendor(|it| it.offer(NUMBER));
            let bought = carrier.acquire(&order(NUMBER)).await;
            assert_eq!(bought.is_ok(), is_done, "{}", fake.name);
            if let Err(err) = bought {
                assert_eq!((err.reason(), err.is_doubtful()), ("provisioning_disabled", false));
            }
            let number = E164::parse(NUMBER).unwrap();
            if fake.can(Ability::Return) {
                let returned = carrier.disconnect(&number, None).await;
                assert_eq!(returned.is_ok(), is_done, "{}", fake.name);
            }
            assert_eq!(server.taken(), Vec::<String>::new(), "{} was asked", fake.name);
        }
        let (server, carrier) = opened(&fake, json!({"release_on_disconnect": false})).await;
        let number = E164::parse(NUMBER).unwrap();
        let returned = carrier.disconnect(&number, None).await.unwrap();
        assert_eq!(returned, Returned::Unsupported, "{}", fake.name);
        assert_eq!(server.taken(), Vec::<String>::new(), "{} was asked", fake.name);
    }
}
