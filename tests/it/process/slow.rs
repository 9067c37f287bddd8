//! Clients that are slow, or that hold connections for nothing.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::support::process::{A, Home, Service, of};

/// The limit for heads and bodies.
const LIMIT: Duration = Duration::from_millis(400);
/// Between two bytes of a slow client.
const PAUSE: Duration = Duration::from_millis(50);
/// How many connections are held for nothing, where the system lets us.
const IDLE: usize = 1_000;

async fn service(home: &mut Home) -> Service {
    home.set("http__header_timeout_ms", &LIMIT.as_millis().to_string());
    home.set("http__body_timeout_ms", &LIMIT.as_millis().to_string());
    home.start().await
}

/// Sends text byte by byte, until it is cut off, and returns what came back and after which time.
async fn dribble(service: &Service, at_once: &str, slowly: &str) -> (String, Duration) {
    let mut client = TcpStream::connect(service.address()).await.unwrap();
    client.write_all(at_once.as_bytes()).await.unwrap();
    let begun = Instant::now();
    let (mut reader, mut writer) = client.split();
    let mut answer = Vec::new();
    let write = async {
        for byte in slowly.bytes() {
            sleep(PAUSE).await;
            if writer.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        // Until it is cut off by the other side.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = write => (),
        read = timeout(LIMIT * 20, reader.read_to_end(&mut answer)) => {
            // A reset is an end, too.
            drop(read.expect("the client is not cut off"));
        }
    }
    (String::from_utf8(answer).unwrap(), begun.elapsed())
}

fn check_time(took: Duration) {
    assert!((LIMIT / 2..LIMIT * 5).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_byte_by_byte_is_cut_off() {
    let mut home = Home::sqlite();
    let service = service(&mut home).await;
    let head = "GET /livez HTTP/1.1\r\nHost: nm\r\nX-Long: ".to_owned() + &"x".repeat(100);
    let (answer, took) = dribble(&service, "", &head).await;
    assert!(!answer.contains("200"), "{answer}");
    check_time(took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed() {
    let mut home = Home::sqlite();
    let service = service(&mut home).await;
    let (answer, took) = dribble(&service, "", "").await;
    assert_eq!(answer, "");
    check_time(took);
    let (answer, took) = dribble(&service, "GET /livez HTTP/1.1\r\nHost: nm\r\n\r\n", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    check_time(took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_byte_by_byte_is_answered_with_408() {
    let mut home = Home::sqlite();
    let service = service(&mut home).await;
    let body = json!({"data": {"note": "x".repeat(100)}}).to_string();
    let head = format!(
        "PUT /v2/{} HTTP/1.1\r\nHost: nm\r\nX-Auth-Token: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        of(A, "%2B14155550100"),
        service.token(),
        body.len(),
    );
    let (answer, took) = dribble(&service, &head, &body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    check_time(took);
    service.get(&of(A, "+14155550100")).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_stop_nobody() {
    let home = Home::sqlite();
    let service = home.start().await;
    let mut idle = Vec::new();
    for _ in 0..IDLE.min(open_files() / 2) {
        let mut client = TcpStream::connect(service.address()).await.unwrap();
        client.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        idle.push(client);
    }
    let begun = Instant::now();
    for number in 0..20 {
        let path = of(A, &format!("+1415555{number:04}"));
        service.put(&path, json!({})).await.expect(201);
        service.ask(Method::GET, &path, Value::Null).await.expect(200);
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(idle.iter().all(|client| client.peer_addr().is_ok()));
}

/// How many files this process may have open; the program that it starts may have as many.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX)
}
