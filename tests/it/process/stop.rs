//! A stop finishes what is under way, and a client that hangs up stops nothing.

use std::{net::TcpStream as Blocking, time::Duration};

use number_manager::store::DbName;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::sleep};

use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, Home, OFTEN, Service, of},
    proxy::{Fault, Proxy},
};

const NUMBER: &str = "+14155550100";
/// How late the store's answer is.
const LATE: Duration = Duration::from_secs(1);

/// A service whose next write of the number is answered late.
async fn slow_service() -> (Home, Proxy, Service) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    let service = home.start().await;
    service.put(&of(A, NUMBER), json!({"note": "before"})).await.expect(201);
    proxy.seen();
    proxy.fail("PUT", "numbers", Fault::DelayAnswer(LATE));
    (home, proxy, service)
}

/// Waits until the store was asked to write.
async fn until_writing(proxy: &Proxy) {
    while !proxy.seen().iter().any(|line| line.starts_with("PUT")) {
        sleep(OFTEN).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_and_no_new_one_is_taken() {
    let (home, proxy, mut service) = slow_service().await;
    let idle = TcpStream::connect(service.address()).await.unwrap();
    let path = of(A, NUMBER);
    let asked = service.ask(reqwest::Method::PATCH, &path, json!({"note": "after"}));
    let stopping = async {
        until_writing(&proxy).await;
        service.terminate();
        while Blocking::connect(service.address()).is_ok() {
            sleep(OFTEN).await;
        }
    };
    let (answer, ()) = tokio::join!(asked, stopping);
    assert_eq!(answer.expect(200).json["data"]["note"], "after");
    assert_eq!(service.ended().await.code(), Some(0), "{service:?}");
    drop(idle);
    assert_eq!(violations(&*home.store().await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_goes_on_when_its_client_hangs_up() {
    let (home, proxy, service) = slow_service().await;
    let body = json!({"data": {"note": "after"}}).to_string();
    let mut client = TcpStream::connect(service.address()).await.unwrap();
    let head = format!(
        "PATCH /v2/{} HTTP/1.1\r\nHost: nm\r\nX-Auth-Token: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        of(A, NUMBER).replace('+', "%2B"),
        service.token(),
        body.len(),
    );
    client.write_all(head.as_bytes()).await.unwrap();
    until_writing(&proxy).await;
    drop(client);
    // The stop waits for writes whose client is gone, too.
    service.stop().await;
    let store = home.store().await;
    assert_eq!(violations(&*store).await, []);
    let stored = store.get(&DbName::new("numbers/+1415"), NUMBER).await.unwrap().live().unwrap();
    assert_eq!(stored.body["note"], "after");
}
