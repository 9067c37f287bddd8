//! Long lists: what they take, and what becomes of them when somebody gives up.

use std::time::Duration;

use reqwest::{Client, Response};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::{Instant, sleep, timeout},
};

use super::load::fill;
use crate::support::{
    couch::CouchServer,
    process::{A, Home, OFTEN, PATIENCE, Service},
    proxy::{Fault, Proxy},
};

/// How many numbers are listed.
const NUMBERS: usize = 30_000;
/// A list needs no more than this, in bytes, however long it is.
const MEMORY: u64 = 32 << 20;
/// How many are in a list of a few pages.
const SOME: usize = 1_800;
/// How a chunked body ends.
const END: &[u8] = b"\r\n0\r\n\r\n";

async fn ask(service: &Service, query: &str, encoding: &str) -> Response {
    try_ask(service, query, encoding).await.unwrap()
}

async fn try_ask(service: &Service, query: &str, encoding: &str) -> reqwest::Result<Response> {
    let url = format!("http://{}/v2/accounts/{A}/phone_numbers{query}", service.address());
    let client = Client::builder().timeout(Duration::from_mins(2)).build().unwrap();
    let request = client.get(url).header("x-auth-token", service.token());
    request.header("accept-encoding", encoding).send().await
}

/// Reads a body without keeping it, and returns how long it was and how it ends.
async fn read(mut response: Response) -> reqwest::Result<(usize, Vec<u8>)> {
    let (mut length, mut end) = (0, Vec::new());
    while let Some(chunk) = response.chunk().await? {
        length += chunk.len();
        end = chunk.to_vec();
    }
    Ok((length, end))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_takes_little_memory_and_waits_for_nobody() {
    let mut home = Home::sqlite();
    home.set("http__stream_timeout_ms", "500");
    fill(&home, NUMBERS).await;
    let service = home.start().await;
    read(ask(&service, "?page_size=1000", "identity").await).await.unwrap();
    let before = service.memory();
    for (query, encoding) in
        [("?paginate=false", "identity"), ("?paginate=false", "gzip"), ("?accept=csv", "identity")]
    {
        let begun = Instant::now();
        let response = ask(&service, query, encoding).await;
        assert_eq!(response.status(), 200);
        let (length, end) = read(response).await.unwrap();
        println!("{query} {encoding}: {length} bytes in {:?}", begun.elapsed());
        assert!(encoding == "gzip" || length > NUMBERS * 50, "{length} bytes");
        assert!(query != "?paginate=false" || encoding == "gzip" || end.ends_with(b"}"));
    }
    let growth = service.most_memory().saturating_sub(before);
    println!("{NUMBERS} numbers: from {} MiB by {} KiB", before >> 20, growth >> 10);
    assert!(growth < MEMORY, "{growth} bytes more than {before}");
    whoever_does_not_read_is_cut_off(&service).await;
    // The others were answered all the time, and are now.
    service.get(&format!("accounts/{A}/phone_numbers?page_size=1")).await.expect(200);
}

async fn whoever_does_not_read_is_cut_off(service: &Service) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut client = socket.connect(service.address()).await.unwrap();
    let head = format!(
        "GET /v2/accounts/{A}/phone_numbers?paginate=false HTTP/1.1\r\nHost: nm\r\n\
         X-Auth-Token: {}\r\n\r\n",
        service.token(),
    );
    client.write_all(head.as_bytes()).await.unwrap();
    // Until the other side has given up, nothing is taken.
    let (server, client_port) = (service.address().port(), client.local_addr().unwrap().port());
    let begun = Instant::now();
    while is_open(server, client_port) {
        assert!(begun.elapsed() < PATIENCE, "the client is not cut off");
        sleep(OFTEN * 10).await;
    }
    let mut body = Vec::new();
    let read = timeout(Duration::from_secs(20), client.read_to_end(&mut body)).await;
    // A reset is an end, too.
    drop(read.expect("the client is not cut off"));
    assert!(body.starts_with(b"HTTP/1.1 200"));
    assert!(!body.ends_with(END), "the list was sent whole");
}

/// Whether a connection is open at the server's end, as the system sees it.
fn is_open(server: u16, client: u16) -> bool {
    const OPEN: &str = "01";
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let mut ends_with =
            |port: u16| fields.next().is_some_and(|it| it.ends_with(&format!(":{port:04X}")));
        ends_with(server) && ends_with(client) && fields.next() == Some(OPEN)
    })
}

/// A service whose store is behind a proxy, over an account with some numbers.
async fn behind_proxy(settings: &[(&str, &str)]) -> (Home, Proxy, Service) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    fill(&home, SOME).await;
    home.through(proxy.host());
    for (name, value) in settings {
        home.set(name, value);
    }
    let service = home.start().await;
    (home, proxy, service)
}

/// Does `fault` to every page of documents but the first.
fn on_later_pages(proxy: &Proxy, fault: Fault) {
    let first = std::sync::atomic::AtomicBool::new(true);
    proxy.rule(move |line| {
        let is_page =
            line.starts_with("GET") && line.contains("account%2F") && line.contains("/_all_docs");
        let is_later = is_page && !first.swap(false, std::sync::atomic::Ordering::SeqCst);
        is_later.then(|| fault.clone())
    });
}

#[rstest]
#[case::refused(Fault::Answer(500, r#"{"error":"unknown","reason":"x"}"#))]
#[case::nonsense(Fault::AnswerInstead(200, "nonsense"))]
#[case::silent(Fault::Hang)]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_in_its_middle_is_broken(
    #[case] fault: Fault,
    #[values("identity", "gzip")] encoding: &str,
    #[values("?paginate=false", "?accept=csv")] query: &str,
) {
    let settings = [("http__stream_timeout_ms", "700"), ("couchdb__read_retries", "0")];
    let (_home, proxy, service) = behind_proxy(&settings).await;
    on_later_pages(&proxy, fault);
    // The connection may be lost before the head of the answer has gone out.
    if let Ok(response) = try_ask(&service, query, encoding).await {
        assert_eq!(response.status(), 200);
        read(response).await.unwrap_err();
    }
    proxy.end_rule();
    let (length, _) = read(ask(&service, query, "identity").await).await.unwrap();
    assert!(length > SOME * 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_goes_on_is_not_cut_off() {
    let settings = [
        ("http__request_timeout_ms", "600"),
        ("http__stream_timeout_ms", "5000"),
        // Nobody may wait for changes for longer than a request may take.
        ("changes__wait_max_s", "0"),
    ];
    let (_home, proxy, service) = behind_proxy(&settings).await;
    on_later_pages(&proxy, Fault::DelayAnswer(Duration::from_millis(400)));
    let begun = Instant::now();
    let (length, end) = read(ask(&service, "?paginate=false", "identity").await).await.unwrap();
    assert!(length > SOME * 50 && end.ends_with(b"}"));
    assert!(begun.elapsed() > Duration::from_millis(600), "it was not slow");
}
