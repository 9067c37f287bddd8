//! `healthcheck`: ask the running service whether it lives; for containers, which have no curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(3);

/// Succeeds when the service at the configured address lives.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let address = reachable(config.listen);
    let status = timeout(PATIENCE, ask(address)).await.context("no answer in time")?;
    let status = status.with_context(|| format!("{address} cannot be asked"))?;
    anyhow::ensure!(status.starts_with("HTTP/1.1 200"), "{address} answers {status}");
    Ok(())
}

/// An address that says "everywhere" is asked here.
fn reachable(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    listen
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
