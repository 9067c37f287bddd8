//! Who we are there, and what is said when that fails.

use super::*;

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let server = CouchServer::shared();
    let proxy = Proxy::start(server.host()).await;
    // A user of its own: CouchDB locks out a name after five wrong passwords.
    let user = format!("nobody{}", uuid::Uuid::new_v4().simple());
    let url = format!("http://{user}:wr0ngpw@{}", proxy.host());
    let config = CouchConfig { url: url.into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert_eq!(proxy.seen().len(), 1);
    assert!(!chain(&error).contains("wr0ngpw"));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://admin:hunter2@{closed}");
    let config = CouchConfig { url: url.into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unavailable);
    assert!(chain(&error).contains(&format!("cannot connect to {closed}")), "{}", chain(&error));
    assert!(!chain(&error).contains("hunter2"));
}

#[tokio::test]
async fn errors_and_debug_show_no_secret_and_no_url() {
    let (namespace, _direct, store, proxy) = ready_with_faults().await;
    for _ in 0..9 {
        proxy.fail("GET", "5550100", Fault::LoseRequest);
    }
    let error = store.get(&numbers(), ID).await.unwrap_err();
    let shown = format!("{store:?} {:?} {}", namespace.config(), chain(&error));
    for secret in ["secret", "YWRtaW4", "http://", "Basic"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn an_unusable_setting_is_named() {
    let config = CouchConfig { url: "localhost:5984".into(), ..CouchConfig::default() };
    let error = CouchStore::connect(config).await.unwrap_err();
    assert!(chain(&error).contains("couchdb.url must begin with http://"), "{}", chain(&error));
}
