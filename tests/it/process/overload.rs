//! More than can be done: it is refused in good time, memory stays below the cap that the manual names,
//! and whoever was let in is served.

use std::time::Duration;

use futures::future::join_all;
use number_manager::store::{Body, DbName, Expect, Write};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    couch::CouchServer,
    process::{A, Answer, Home, Service, of},
    proxy::{Fault, Proxy},
};

/// More than this no process needs with the limits as they come, in bytes.
const CAP: u64 = 512 << 20;
/// How many clients send the worst that there is at once.
const ATTACKERS: usize = 24;
/// How many requests are made at once where four are worked on and four may wait.
const REQUESTS: usize = 80;
/// How long the store takes for each.
const SLOW: Duration = Duration::from_millis(250);
const NUMBER: &str = "+14155550100";

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_what_can_be_served_is_refused_and_the_rest_is_served() {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    for (name, value) in [("requests", "4"), ("waiting", "4"), ("wait_ms", "2000")] {
        home.set(&format!("http__admission__{name}"), value);
    }
    let service = home.start().await;
    service.put(&of(A, NUMBER), json!({})).await.expect(201);
    proxy.rule(|line| line.starts_with("GET").then_some(Fault::DelayAnswer(SLOW)));
    let path = of(A, NUMBER);
    let asks = (0..REQUESTS).map(|_| service.get(&path));
    let (answers, alive) = tokio::join!(join_all(asks), service.status_of("livez"));
    proxy.end_rule();
    assert_eq!(alive, 200, "health is told all the same");
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(served >= 8, "{served} were served");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        check_overloaded(answer);
    }
    assert!(served < REQUESTS, "all were served");
    service.get(&path).await.expect(200);
    service.stop().await;
}

fn check_overloaded(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json["message"], "overloaded", "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

/// A request with this body, whose length is announced or not; answers the status.
async fn send(service: &Service, client: &Client, rest: &str, body: &[u8]) -> u16 {
    let url = format!("http://{}/v2/accounts/{A}/phone_numbers/{rest}", service.address());
    let request = client.post(url).header("x-auth-token", service.token());
    let request = request.header("content-type", "application/json").body(body.to_vec());
    match request.send().await {
        Ok(answer) => answer.status().as_u16(),
        // It was answered while it was still being sent.
        Err(error) if error.is_request() => 413,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worst_bodies_take_no_more_memory_than_the_manual_says() {
    let home = Home::sqlite();
    let service = home.start().await;
    let client = Client::new();
    let eight = 7_900_000;
    let filled = |open: &str, unit: &str, close: &str| {
        let mut body = open.to_owned();
        while body.len() + unit.len() + close.len() < eight {
            body.push_str(unit);
        }
        body + close
    };
    // What is sent, where, and the statuses that it may have.
    let cases: [(&str, String, &[u16]); 6] = [
        ("collection", filled("{\"data\":{\"numbers\":[1", ",1", "]}}"), &[413]),
        (
            "collection",
            filled("{\"data\":{\"numbers\":[\"+14155550100\"", ",\"+14155550100\"", "]}}"),
            &[413],
        ),
        ("collection", filled("{\"data\":{\"a\":[{}", ",{}", "]}}"), &[413]),
        (
            "%2B14155550100",
            filled("{\"data\":{\"note\":\"", "xxxxxxxxxxxxxxxx", "\"}}"),
            &[404, 413],
        ),
        ("collection", filled("{\"data\":{\"a\":", "[", "}}"), &[400, 413]),
        ("collection", "x".repeat(8_000_001), &[413]),
    ];
    for (rest, body, wanted) in &cases {
        let sends = (0..ATTACKERS).map(|_| send(&service, &client, rest, body.as_bytes()));
        for status in join_all(sends).await {
            let is_right = wanted.contains(&status) || status == 503;
            assert!(is_right, "{status} for {}…", &body[..30]);
        }
    }
    let most = service.most_memory();
    println!("at most {} MiB resident", most >> 20);
    assert!(most < CAP, "{most} bytes");
    service.put(&of(A, NUMBER), json!({})).await.expect(201);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_an_end_is_cut_off_where_it_is_too_long() {
    let home = Home::sqlite();
    let service = home.start().await;
    let before = service.memory();
    for head in ["Content-Length: 104857600", "Transfer-Encoding: chunked"] {
        let mut client = TcpStream::connect(service.address()).await.unwrap();
        let path = format!("/v2/accounts/{A}/phone_numbers/collection");
        let token = service.token();
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: nm\r\nX-Auth-Token: {token}\r\n{head}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = client.split();
        let part = "x".repeat(1 << 20);
        let send = async {
            for _ in 0..100 {
                let chunk = format!("{:x}\r\n{part}\r\n", part.len());
                if writer.write_all(chunk.as_bytes()).await.is_err() {
                    break;
                }
            }
            // Until it is cut off by the other side.
            std::future::pending::<()>().await;
        };
        let mut answer = vec![0; 1024];
        tokio::select! {
            () = send => (),
            // A reset is an end, too.
            read = reader.read(&mut answer) => {
                let length = read.unwrap_or(0);
                let text = String::from_utf8_lossy(&answer[..length]).into_owned();
                assert!(text.is_empty() || text.starts_with("HTTP/1.1 413"), "{text}");
            }
        }
    }
    let grown = service.most_memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
    service.get(&format!("accounts/{A}/phone_numbers")).await.expect(200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_that_nobody_can_hold_are_refused_by_name() {
    let home = Home::sqlite();
    let service = home.start().await;
    let path = "system_configs/number_manager";
    let with = |regex: &str| json!({"default": {"classifiers": {"odd": {"regex": regex}}}});
    for regex in [
        "(a{1000}){1000}".to_owned(),
        "(?:\\pL{100}){100}{100}".to_owned(),
        "(".repeat(10_000) + &")".repeat(10_000),
        "((((a{99}){99}){99}){99}){99}".to_owned(),
        "(?=a)b".to_owned(),
        "(a)\\1".to_owned(),
        "[".to_owned(),
    ] {
        let answer = service.ask(Method::PATCH, path, with(&regex)).await;
        assert_eq!(answer.status, 400, "{}: {answer:?}", &regex[..regex.len().min(40)]);
        assert!(answer.json["data"].to_string().contains("odd"), "{answer:?}");
    }
    // What takes others for ever takes as long as its text here.
    service.ask(Method::PATCH, path, with("^((a*)*)*\\+(1+)+(1+)+(4+)+x$")).await.expect(200);
    let classified = service.get(&format!("accounts/{A}/phone_numbers/classifiers/{NUMBER}")).await;
    classified.expect(200);
    let most = service.most_memory();
    assert!(most < CAP, "{most} bytes");
    service.stop().await;
    // One that is in the store already is not used, and the last one that was is.
    let store = home.store().await;
    let db = DbName::new("system_config");
    let found = store.get(&db, "number_manager").await.unwrap().live().unwrap();
    let mut body: Body = found.body;
    body["default"]["classifiers"]["odd"]["regex"] = json!("(a{1000}){1000}");
    let write = Write::put(db, "number_manager", Expect::At(found.rev), body);
    store.commit(vec![write]).await.unwrap();
    drop(store);
    let service = home.start_bare().await;
    service.put(&of(A, NUMBER), Value::Null).await.expect(201);
    service.stop().await;
}
