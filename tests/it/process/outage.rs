//! CouchDB is away, or answers badly: nothing is taken for done that is not, and nobody has to
//! restart the service when it is back.

use std::{net::TcpListener, time::Duration};

use number_manager::store::DbName;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, Answer, B, Home, OFTEN, Service, of},
    proxy::{Fault, Proxy},
};

const NUMBER: &str = "+14155550100";
const OTHER: &str = "+14155550101";
/// What CouchDB says when too many databases are open.
const ALL_ACTIVE: &str = r#"{"error":"error","reason":"all_dbs_active"}"#;
/// For how long settings and accounts are remembered.
const REMEMBERED: Duration = Duration::from_secs(5);

/// A service behind a proxy, with one number, whose calls do not wait long.
async fn service() -> (Home, Proxy, Service) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    home.set("couchdb__call_timeout_ms", "300");
    home.set("couchdb__bulk_timeout_ms", "900");
    let service = home.start().await;
    service.put(&of(A, NUMBER), json!({"note": "before"})).await.expect(201);
    (home, proxy, service)
}

fn check_unreachable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json["message"], "datastore_unreachable", "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

/// Reads and writes, all of which must fail.
async fn check_outage(service: &Service) {
    let number = of(A, NUMBER);
    let other = of(A, OTHER);
    let (read, write, creation, listing, ready) = tokio::join!(
        service.get(&number),
        service.ask(Method::PATCH, &number, json!({"note": "lost"})),
        service.put(&other, json!({})),
        service.get("accounts/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/phone_numbers"),
        service.status_of("readyz"),
    );
    for answer in [read, write, creation, listing] {
        check_unreachable(&answer);
    }
    assert_eq!(ready, 503);
    assert_eq!(service.status_of("livez").await, 200);
}

/// Reads and writes, all of which must succeed.
async fn check_service(home: &Home, service: &Service) {
    service.wait_ready().await;
    assert_eq!(service.get(&of(A, NUMBER)).await.expect(200).json["data"]["note"], "before");
    let patch = service.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "after"})).await;
    patch.expect(200);
    service.put(&of(A, OTHER), json!({})).await.expect(201);
    assert_eq!(violations(&*home.store().await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_couchdb_that_is_down() {
    let (home, proxy, service) = service().await;
    let host = proxy.stop().await;
    check_outage(&service).await;
    let _proxy = Proxy::start_at(&host, CouchServer::shared().host()).await;
    check_service(&home, &service).await;
}

#[rstest]
#[case::an_error(Fault::Answer(500, r#"{"error":"unknown_error","reason":"badmatch"}"#))]
#[case::a_proxy_without_a_server(Fault::Answer(503, "<html>no server</html>"))]
#[case::too_many_databases(Fault::Answer(500, ALL_ACTIVE))]
#[case::no_answer(Fault::Hang)]
#[case::broken_connections(Fault::LoseRequest)]
#[tokio::test(flavor = "multi_thread")]
async fn a_couchdb_that_fails(#[case] fault: Fault) {
    let (home, proxy, service) = service().await;
    proxy.rule(move |_| Some(fault.clone()));
    check_outage(&service).await;
    proxy.end_rule();
    check_service(&home, &service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_whose_answers_are_lost_are_done_or_in_doubt() {
    let (home, proxy, service) = service().await;
    proxy.rule(|line| line.starts_with("PUT").then_some(Fault::LoseAnswer));
    let answer = service.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "after"})).await;
    proxy.end_rule();
    // It is found by reading back.
    answer.expect(200);
    assert_eq!(service.get(&of(A, NUMBER)).await.expect(200).json["data"]["note"], "after");
    assert_eq!(violations(&*home.store().await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_takes_no_writes_gets_its_copy_later() {
    let (home, proxy, service) = service().await;
    proxy.rule(|line| {
        let is_write = !line.starts_with("GET");
        (is_write && is_account(line, "aa")).then_some(Fault::Answer(503, ""))
    });
    let created = service.put(&of(A, OTHER), json!({"note": "made"})).await.expect(202);
    assert_eq!(created.json["metadata"]["mirror"], "pending", "{created:?}");
    let patch = service.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "after"})).await;
    assert_eq!(patch.expect(202).json["metadata"]["mirror"], "pending");
    let moved = service.put(&(of(B, OTHER) + "/activate"), Value::Null).await;
    assert!(moved.is_good(), "{moved:?}");
    assert_eq!(service.status_of("readyz").await, 200);
    let read = service.get(&of(A, NUMBER)).await.expect(200);
    assert_eq!(read.json["data"]["note"], "after");

    proxy.end_rule();
    service.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "after"})).await.expect(200);
    service.ask(Method::PATCH, &of(B, OTHER), json!({"note": "moved"})).await.expect(200);
    assert_eq!(violations(&*home.store().await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_cannot_be_read_is_no_reason_to_write_by_half() {
    let (home, proxy, service) = service().await;
    service.put(&of(B, OTHER), json!({})).await.expect(201);
    proxy.rule(|line| is_account(line, "aa").then_some(Fault::Answer(503, "")));
    check_unreachable(&service.put(&of(A, "+14155550102"), json!({})).await);
    let patch = service.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "after"})).await;
    check_unreachable(&patch);
    // Others do not notice.
    service.ask(Method::PATCH, &of(B, OTHER), json!({"note": "b"})).await.expect(200);
    assert_eq!(service.status_of("readyz").await, 200);
    proxy.end_rule();
    assert_eq!(violations(&*home.store().await).await, []);
    let store = home.store().await;
    let number = store.get(&DbName::new("numbers/+1415"), NUMBER).await.unwrap().live().unwrap();
    assert_eq!(number.body["note"], "before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_couchdb_is_refused_and_one_with_it_works() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut home = Home::couchdb();
    home.through(&closed);
    assert_eq!(home.run(&["serve"]).await.code, Some(1));
    home.directly();
    home.start().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_of_settings_and_accounts_does_not_hide_an_outage() {
    let (home, proxy, service) = service().await;
    let begun = Instant::now();
    let host = proxy.stop().await;
    while begun.elapsed() < REMEMBERED + Duration::from_millis(100) {
        sleep(OFTEN * 20).await;
        check_unreachable(&service.get(&of(A, NUMBER)).await);
    }
    check_outage(&service).await;
    let _proxy = Proxy::start_at(&host, CouchServer::shared().host()).await;
    check_service(&home, &service).await;
}

/// Whether a request is about the database of the account that begins with these letters.
fn is_account(line: &str, letters: &str) -> bool {
    line.to_lowercase().contains(&format!("account%2f{letters}%2f"))
}
