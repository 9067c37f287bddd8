use std::os::unix::fs::PermissionsExt;

use crate::domain::clock::FixedClock;

use super::*;

const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const NOW: i64 = 1_700_000_000;

fn clock() -> Arc<FixedClock> {
    Arc::new(FixedClock::at(jiff::Timestamp::from_second(NOW).unwrap()))
}

async fn authenticator(source: KeySource, clock: Arc<FixedClock>) -> Authenticator {
    Authenticator::open(source, &[], clock).await.unwrap()
}

fn secret(text: &str) -> KeySource {
    KeySource::Secret(SecretString::from(text))
}

fn claims() -> Claims {
    Claims { account_id: Some(ACCOUNT.to_owned()), exp: NOW + 60, ..Claims::default() }
}

#[tokio::test]
async fn a_token_speaks_for_its_account_until_it_ends() {
    let clock = clock();
    let auth = authenticator(secret("a"), clock.clone()).await;
    let token = auth.mint(&claims()).unwrap();
    let seen = auth.verify(&token).await.unwrap();
    assert_eq!(seen.account, Some(AccountId::parse(ACCOUNT).unwrap()));
    assert!(!seen.admin);
    assert!(seen.scopes.allow("write"));
    clock.advance(jiff::SignedDuration::from_secs(60));
    assert!(matches!(auth.verify(&token).await, Err(Denied::Unknown)), "also when remembered");
}

#[tokio::test]
async fn scopes_allow_what_they_list() {
    let auth = authenticator(secret("a"), clock()).await;
    let scope = Some(serde_json::json!("read,maintenance"));
    let token = auth.mint(&Claims { scope, ..claims() }).unwrap();
    let scopes = auth.verify(&token).await.unwrap().scopes.clone();
    assert!(scopes.allow("read") && scopes.allow("maintenance") && !scopes.allow("write"));
}

#[tokio::test]
async fn what_others_signed_is_refused() {
    let auth = authenticator(secret("a"), clock()).await;
    let other = authenticator(secret("b"), clock()).await;
    let token = other.mint(&claims()).unwrap();
    assert!(matches!(auth.verify(&token).await, Err(Denied::Unknown)));
    assert!(matches!(auth.verify("junk").await, Err(Denied::Unusable)));
    assert!(matches!(auth.verify("").await, Err(Denied::Unusable)));
}

#[tokio::test]
async fn a_token_needs_an_account_or_the_operators_mark() {
    let auth = authenticator(secret("a"), clock()).await;
    let nobody = auth.mint(&Claims { account_id: None, ..claims() }).unwrap();
    assert!(matches!(auth.verify(&nobody).await, Err(Denied::Unknown)));
    let admin = auth.mint(&Claims { account_id: None, admin: true, ..claims() }).unwrap();
    assert!(auth.verify(&admin).await.unwrap().admin);
    let strange = Claims { account_id: Some("x".to_owned()), admin: true, ..claims() };
    let strange = auth.mint(&strange).unwrap();
    assert!(matches!(auth.verify(&strange).await, Err(Denied::Unknown)));
}

#[tokio::test]
async fn two_that_share_a_key_file_accept_each_others_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data").join("token.key");
    let first = authenticator(KeySource::File(path.clone()), clock()).await;
    let second = authenticator(KeySource::File(path.clone()), clock()).await;
    let token = first.mint(&claims()).unwrap();
    assert!(second.verify(&token).await.is_ok());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_new_key_is_seen_when_a_token_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token.key");
    let first = authenticator(KeySource::File(path.clone()), clock()).await;
    std::fs::remove_file(&path).unwrap();
    let second = authenticator(KeySource::File(path), clock()).await;
    let token = second.mint(&claims()).unwrap();
    assert!(first.verify(&token).await.is_ok());
}

const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEALC7w193slQ1XINA9qcRQ2z9QCYfcxLB21qlb1jFyxXY=
-----END PUBLIC KEY-----
";
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIONCa+NrPaqPIGy0uVc7WyNRIbrrpV6IPcAFThR96hub
-----END PRIVATE KEY-----
";

#[derive(serde::Serialize)]
struct Foreign<'a> {
    iss: &'a str,
    account_id: &'a str,
    admin: bool,
    exp: i64,
}

async fn with_issuer(dir: &tempfile::TempDir, public: &str) -> Authenticator {
    let keys_file = dir.path().join("issuer.pem");
    std::fs::write(&keys_file, public).unwrap();
    let issuer = IssuerConfig { iss: "https://id.example".to_owned(), aud: None, keys_file };
    Authenticator::open(secret("a"), &[issuer], clock()).await.unwrap()
}

fn foreign(iss: &'static str) -> Foreign<'static> {
    Foreign { iss, account_id: ACCOUNT, admin: true, exp: NOW - 30 }
}

#[tokio::test]
async fn an_issuer_is_believed_for_the_account_and_not_for_admin() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let dir = tempfile::tempdir().unwrap();
    let auth = with_issuer(&dir, PUBLIC).await;
    let key = EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap();
    let sign = |claims| encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
    let seen = auth.verify(&sign(foreign("https://id.example"))).await.unwrap();
    assert_eq!(seen.account, Some(AccountId::parse(ACCOUNT).unwrap()));
    assert!(!seen.admin);
    let other = auth.verify(&sign(foreign("https://other.example"))).await;
    assert!(matches!(other, Err(Denied::Unknown)));
}

#[tokio::test]
async fn a_public_key_does_not_pass_for_a_secret() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let dir = tempfile::tempdir().unwrap();
    let auth = with_issuer(&dir, PUBLIC).await;
    for kid in [None, Some("configured".to_owned())] {
        let header = Header { kid, ..Header::new(Algorithm::HS256) };
        let key = EncodingKey::from_secret(PUBLIC.as_bytes());
        let token = encode(&header, &foreign("https://id.example"), &key).unwrap();
        assert!(matches!(auth.verify(&token).await, Err(Denied::Unknown)));
    }
}
