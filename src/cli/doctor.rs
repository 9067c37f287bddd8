//! `doctor`: check what the service needs, a line each.

use crate::{config::Config, telemetry};

use super::wire;

/// Checks settings, store, key and stored configuration.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let mut failed = 0;
    let mut say = |what: &str, outcome: Result<(), String>| match outcome {
        Ok(()) => println!("ok    {what}"),
        Err(why) => {
            failed += 1;
            println!("FAIL  {what}: {why}");
        }
    };
    say("settings can be used", Ok(()));
    let store = wire::open_store(config).await;
    say("the store can be opened", store.as_ref().map(|_| ()).map_err(|why| format!("{why:#}")));
    if let Ok(store) = &store {
        let reached = store.ping().await;
        say("the store answers and lets us in", reached.map_err(|why| telemetry::chain(&why)));
        let service = wire::build_service(config, store, &wire::clock());
        let read = service.classifiers().await;
        let read = read.map(|_| ()).map_err(|why| telemetry::chain(&why));
        say("the stored configuration can be used", read);
    }
    let store = store.ok();
    if store.is_some() || !config.uses_couchdb() {
        let keys = wire::authenticator(config, store.as_ref()).await;
        say("tokens can be checked", keys.map(|_| ()).map_err(|why| format!("{why:#}")));
    }
    match failed {
        0 => Ok(()),
        1 => anyhow::bail!("one check failed"),
        _ => anyhow::bail!("{failed} checks failed"),
    }
}
