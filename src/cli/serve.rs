//! `serve`: listen, and stop without cutting anybody off.

use std::{io, net::SocketAddr, time::Duration};

use anyhow::Context;
use axum::Router;
use axum_server::{Handle, Server};
use hyper_util::rt::TokioTimer;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{self, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{api, config::Config, store::WatchedStore, telemetry::Metrics};

use super::{connections::Door, wire};

/// How often metrics are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until a signal comes.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let metrics = Metrics::install().context("metrics cannot be collected")?;
    let (store, writes) = WatchedStore::over(wire::open_store(&config).await?);
    let stop = CancellationToken::new();
    let follower = wire::build_follower(&config, &store, writes, stop.clone());
    let watch = follower.watch();
    let courier = wire::build_courier(&config, &store, watch.clone(), stop.clone())?;
    let api = wire::build_api(&config, &store, metrics.clone(), watch, stop.clone()).await?;
    let listener = listen(config.listen).await?;
    let beside = beside(&config, metrics, stop.clone()).await?;
    let jobs = api.jobs.clone();
    if !config.uses_couchdb() {
        jobs.inherit().await.context("the jobs cannot be read")?;
    }
    let watching = tokio::spawn(async move { jobs.watch().await });
    // A file belongs to one process.
    let is_alone = !config.uses_couchdb();
    let following = tokio::spawn(async move { follower.run(is_alone).await });
    let telling = tokio::spawn(async move { courier.run().await });
    tracing::info!(address = %listener.local_addr()?, "listening");
    let door = Door::of(&config.http);
    let server = serve(listener, api::router(api.clone()), door, stop.clone());
    let mut server = std::pin::pin!(server);
    tokio::select! {
        ended = &mut server => ended.context("serving failed")?,
        signal = stopped() => {
            tracing::info!(signal = signal?, "stopping: no new requests");
            stop.cancel();
            let patience = Duration::from_secs(config.http.shutdown_timeout_s);
            let finish = async {
                // What failed now has nobody to answer.
                let _ = server.await;
                api.tracker.close();
                api.tracker.wait().await;
                // A job stops at its next page; another process goes on with it, or the next one.
                api.jobs.stopped().await;
                // What it found last was about to stop, too.
                let _ = watching.await;
                let _ = following.await;
                let _ = telling.await;
            };
            if timeout(patience, finish).await.is_err() {
                tracing::warn!(writes = api.tracker.len(), "stopped before everything was finished");
            }
        }
    }
    stop.cancel();
    beside.await;
    Ok(())
}

/// Serves until the stop, and then until every request that had begun is answered. Whoever does not
/// send the head of a request in time, the next one of an open connection included, or does not
/// take the answer, is cut off, so that nobody can hold connections for nothing.
async fn serve(
    listener: TcpListener,
    router: Router,
    door: Door,
    stop: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let server = Server::<SocketAddr>::from_listener(listener).handle(handle.clone());
    // Looking for HTTP/2 first would wait for the first bytes without a limit.
    let head = door.head;
    let mut server = server.acceptor(door).http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(head);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = std::pin::pin!(server.serve(service));
    tokio::select! {
        ended = &mut server => ended,
        () = stop.cancelled() => {
            handle.graceful_shutdown(None);
            server.await
        }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// What runs beside the API until the stop: folding metrics, and showing them on their own address.
async fn beside(
    config: &Config,
    metrics: Metrics,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()>> {
    let own = match config.metrics_listen()? {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let tracker = tokio_util::task::TaskTracker::new();
    if let Some(listener) = own {
        let router: Router = api::metrics_router(metrics.clone());
        tracker.spawn(serve(listener, router, Door::of(&config.http), stop.clone()));
    }
    tracker.spawn(async move {
        let mut tick = time::interval(UPKEEP);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            metrics.upkeep();
        }
    });
    tracker.close();
    Ok(async move {
        // A scraper that holds its connection must not hold us.
        let _ = timeout(Duration::from_secs(1), tracker.wait()).await;
    })
}

/// Ends when the process is asked to stop; says by what.
pub(super) async fn stopped() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
