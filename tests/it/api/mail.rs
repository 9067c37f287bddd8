//! What humans have to do, as e-mail.

use std::io::Read;

use axum::http::Method;
use number_manager::{
    providers::{MailConfig, MailSecurity, Mailer},
    service::NumberService,
};
use serde_json::{Value, json};

use super::{
    features::{about, held, of_carrier},
    operation::run,
    world::{HOLDER, NUMBER, UNLIMITED, World, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, TestApp},
    smtp::{Letter, SmtpServer},
};

over_both_stores! {
    what_is_asked_of_humans_is_written_to_them,
    what_no_server_took_is_sent_later,
    who_is_named_is_written_to,
}

/// A server on this machine at this port.
fn config(port: u16) -> MailConfig {
    MailConfig {
        server: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        from: "Numbers <numbers@example.com>".to_owned(),
        to: vec!["ops@example.com".to_owned(), "Second <more@example.com>".to_owned()],
        ..MailConfig::default()
    }
}

/// A service that hands e-mail over at this port.
async fn writing(world: &World, port: u16) -> TestApp {
    let mailer = Mailer::new(&config(port)).unwrap();
    let change = |service: NumberService| service.with_mailer(mailer);
    TestApp::serving(world.store.clone(), UNLIMITED, change).await
}

/// Waits for letters.
async fn letters(server: &SmtpServer) -> Vec<Letter> {
    for _ in 0..500 {
        let letters = server.letters();
        if !letters.is_empty() {
            return letters;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no letter came")
}

/// What is still to be sent.
async fn waiting(app: &TestApp) -> Value {
    let shown = app.get("/v2/consistency").token(&app.admin()).send().await.data(200);
    shown["letters"].clone()
}

/// Waits until it was tried so often.
async fn tried(app: &TestApp, tries: u64) -> Value {
    for _ in 0..500 {
        let waits = waiting(app).await;
        if waits[0]["tries"] == tries {
            return waits;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} waits", waiting(app).await)
}

fn named(name: &str) -> Value {
    json!({"cnam": {"display_name": name}})
}

async fn what_is_asked_of_humans_is_written_to_them(world: &World) {
    let server = SmtpServer::start().await;
    world.keep(NUMBER, held(&json!({}))).await;
    let app = writing(world, server.port()).await;
    about(&app, HOLDER, Method::PATCH, "", &named("ACME")).await.check_status(200);
    let [letter]: [Letter; 1] = letters(&server).await.try_into().unwrap();
    assert_eq!(letter.from, "numbers@example.com");
    assert_eq!(letter.to, ["ops@example.com", "more@example.com"]);
    for line in [
        format!("Subject: cnam_request: {NUMBER}"),
        format!("Number: {NUMBER}"),
        format!("Account-ID: {ACCOUNT}"),
        "Number-State: in_service".to_owned(),
        "Local-Number: false".to_owned(),
        r#"  "display_name": "ACME""#.to_owned(),
    ] {
        assert!(letter.text.lines().any(|it| it == line), "{line} is not in {}", letter.text);
    }
    // What stays as it is is no news.
    about(&app, HOLDER, Method::PATCH, "", &json!({"a": 1})).await.check_status(200);
    assert_eq!(waiting(&app).await, json!([]));
}

async fn what_no_server_took_is_sent_later(world: &World) {
    let server = SmtpServer::start().await;
    server.busy(true);
    world.keep(NUMBER, held(&json!({}))).await;
    let app = writing(world, server.port()).await;
    about(&app, HOLDER, Method::PATCH, "", &named("ACME")).await.check_status(200);
    let waits = tried(&app, 1).await;
    assert_eq!((&waits[0]["number"], &waits[0]["providers"]), (&json!(NUMBER), &json!(["mail"])));
    assert!(waits[0]["reason"].as_str().unwrap().contains("not now"), "{waits}");
    // Another one comes beside it, and neither is lost.
    about(&app, HOLDER, Method::PATCH, "", &named("OTHER")).await.check_status(200);
    tried(&app, 2).await;
    server.busy(false);
    app.clock().advance(jiff::SignedDuration::from_mins(5));
    run(&app, "settle", &json!({"scope": {"all": true}})).await;
    let sent: Vec<String> = letters(&server).await.into_iter().map(|it| it.text).collect();
    for name in ["ACME", "OTHER"] {
        assert!(sent.iter().any(|text| text.contains(name)), "{name} is not in {sent:?}");
    }
    assert_eq!(waiting(&app).await, json!([]));
}

async fn who_is_named_is_written_to(world: &World) {
    let server = SmtpServer::start().await;
    world.keep(NUMBER, held(&json!({}))).await;
    let notify = ["switch@example.com", "nobody", "a@b\r\nBcc: c@d"];
    let sms = json!({
        "enabled": true, "activation": "manual", "activation_notify_to": notify,
    });
    of_carrier(world, "inventory", json!({ "sms": sms })).await;
    world.configured(json!({"features": {"allow": ["sms"]}})).await;
    let app = writing(world, server.port()).await;
    about(&app, HOLDER, Method::PATCH, "", &json!({"sms": {"enabled": true}}))
        .await
        .check_status(200);
    let [letter]: [Letter; 1] = letters(&server).await.try_into().unwrap();
    assert_eq!(letter.to, ["switch@example.com"]);
    for line in ["Feature: sms", "Provider: knm_sms", "Action: activate"] {
        assert!(letter.text.lines().any(|it| it == line), "{line} is not in {}", letter.text);
    }
}

/// A process that ends with its test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that others wrote: aiosmtpd, as `python3` has it.
#[tokio::test]
#[ignore = "needs Python with aiosmtpd"]
async fn a_server_that_others_wrote_takes_a_letter() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = std::process::Command::new("python3")
        .args(["-u", "-m", "aiosmtpd", "-n", "-l", &free.to_string()])
        .args(["-c", "aiosmtpd.handlers.Debugging", "stdout"])
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut server = Running(server.unwrap());
    for _ in 0..500 {
        if tokio::net::TcpStream::connect(free).await.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let mailer = Mailer::new(&config(free.port())).unwrap().unwrap();
    let letter = json!({
        "to": ["Second <ops@example.com>"], "subject": "Names: +14155550100",
        "text": "one\r\n.\r\ntwo",
    });
    mailer.send(&letter).await.unwrap();
    let mut said = server.0.stdout.take().unwrap();
    drop(server);
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for line in ["Subject: Names: +14155550100", "From: Numbers <numbers@example.com>", ".", "two"]
    {
        assert!(lines.contains(&line), "{line} is not in {text}");
    }
}
