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

use crate::{api, config::Config, telemetry::Metrics};

use super::wire;

/// How often metrics are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// Serves until a signal comes.
pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let metrics = Metrics::install().context("metrics cannot be collected")?;
    let store = wire::open_store(&config).await?;
    let api = wire::build_api(&config, &store, metrics.clone()).await?;
    let listener = listen(config.listen).await?;
    let stop = CancellationToken::new();
    let beside = beside(&config, metrics, stop.clone()).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let patience = Duration::from_millis(config.http.header_timeout_ms);
    let server = serve(listener, api::router(api.clone()), patience, stop.clone());
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
/// send the head of a request within `patience`, the next one of an open connection included, is
/// cut off, so that nobody can hold connections for nothing.
async fn serve(
    listener: TcpListener,
    router: Router,
    patience: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let handle = Handle::new();
    let server = Server::<SocketAddr>::from_listener(listener).handle(handle.clone());
    // Looking for HTTP/2 first would wait for the first bytes without a limit.
    let mut server = server.http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(patience);
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
        let patience = Duration::from_millis(config.http.header_timeout_ms);
        tracker.spawn(serve(listener, router, patience, stop.clone()));
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
async fn stopped() -> anyhow::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be heard")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be heard")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
