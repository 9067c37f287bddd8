//! Commands, and starts that cannot succeed.

use std::{net::TcpListener, path::Path};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, B, Home, of, run},
};

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn what_the_readme_shows_works(#[case] home: Home) {
    let service = home.start_bare().await;
    let reseller = json!({"name": "Reseller", "is_reseller": true});
    service.put(&format!("accounts/{A}"), reseller).await.expect(201);
    let customer = json!({"name": "Customer", "parent_id": A});
    service.put(&format!("accounts/{B}"), customer).await.expect(201);
    for dialled in ["4155550100", "4155550101", "12125550100", "+442079460100"] {
        service.put(&of(B, dialled), json!({"note": "mine"})).await.expect(201);
    }
    let list = service.get(&format!("accounts/{B}/phone_numbers")).await.expect(200).json;
    assert_eq!(list["data"]["numbers"].as_object().unwrap().len(), 4, "{list}");
    let number = of(B, "+14155550100");
    assert_eq!(service.get(&number).await.expect(200).json["data"]["note"], "mine");
    let changed = service.ask(reqwest::Method::PATCH, &number, json!({"note": "changed"})).await;
    assert_eq!(changed.expect(200).json["data"]["note"], "changed");
    service.put(&(of(A, "+14155550100") + "/reserve"), Value::Null).await.expect(201);
    service.put(&(number.clone() + "/activate"), Value::Null).await.expect(201);
    service.ask(reqwest::Method::DELETE, &number, Value::Null).await.expect(200);
    let record = service.get("phone_numbers/+14155550100").await.expect(200).json;
    assert_eq!(record["data"]["assigned_to"], A, "{record}");
    service.get("maintenance/carrier_usage").await.expect(200);
    let conversion = json!({
        "source": "knm_local", "target": "knm_inventory", "scope": {"databases": ["+1415"]},
    });
    service
        .ask(reqwest::Method::POST, "maintenance/convert_carrier?wait=20", conversion)
        .await
        .expect(200);
    assert_eq!(service.status_of("docs/").await, 200);
    assert_eq!(service.status_of("openapi.json").await, 200);
    assert_eq!(service.status_of("metrics").await, 200);

    let mut asked = home.command();
    asked.args(["healthcheck", "--listen", &service.address().to_string()]);
    assert_eq!(run(asked).await.code, Some(0));
    service.stop().await;
    assert_eq!(violations(&*home.store().await).await, []);
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_beside_the_service_and_survives_its_restart(#[case] home: Home) {
    let before = home.run(&["token", "--account", A, "--scope", "read"]).await;
    assert_eq!(before.code, Some(0), "{before:?}");
    let service = home.start().await;
    let token = service.token().to_owned();
    service.stop().await;
    let service = home.start_bare().await;
    for token in [before.stdout.trim(), &token] {
        let path = format!("accounts/{A}/phone_numbers");
        let answer = service.try_ask(reqwest::Method::GET, &path, Value::Null, token).await;
        assert_eq!(answer.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_token_needs_to_know_for_whom() {
    let home = Home::sqlite();
    assert_eq!(home.run(&["token"]).await.code, Some(2));
    let strange = home.run(&["token", "--account", "x"]).await;
    assert!(strange.check_refused(1).contains("--account"), "{strange:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_of_another_process_is_refused() {
    let home = Home::sqlite();
    let _service = home.start_bare().await;
    for command in ["serve", "migrate"] {
        let second = home.run(&[command, "--listen", "127.0.0.1:0"]).await;
        let sentence = last_line(&second.stderr);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(
            sentence.contains("number-manager.sqlite is in use by another process"),
            "{sentence}"
        );
    }
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named(#[case] home: Home) {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let refused = home.run(&["--listen", &address]).await;
    assert!(refused.check_refused(1).starts_with(&format!("cannot listen on {address}: ")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_couchdb_that_cannot_be_reached_is_named_without_its_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut home = Home::couchdb();
    home.through(&closed);
    for command in ["serve", "migrate", "token"] {
        let arguments = if command == "token" { vec![command, "--admin"] } else { vec![command] };
        let refused = home.run(&arguments).await;
        let sentence = refused.check_refused(1);
        assert!(sentence.contains(&format!("cannot connect to {closed}")), "{sentence}");
        assert!(!sentence.contains("secret") && !sentence.contains("http://"), "{sentence}");
    }
    let doctor = home.run(&["doctor"]).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("ok    settings"), "{doctor:?}");
    assert!(doctor.stdout.contains(&format!("cannot connect to {closed}")), "{doctor:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_with_the_address() {
    let server = CouchServer::shared();
    // A user of its own: CouchDB locks out a name after five wrong passwords.
    let user = format!("nobody{}", uuid::Uuid::new_v4().simple());
    let home = Home::couchdb();
    for command in ["serve", "doctor"] {
        let mut refused = home.command();
        refused.arg(command).env("COUCHDB_URL", format!("http://{user}:hunter2@{}", server.host()));
        let refused = run(refused).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let said = refused.stdout + &refused.stderr;
        assert!(said.contains(&server.host()), "{said}");
        assert!(said.contains("401"), "{said}");
        assert!(!said.contains("hunter2") && !said.contains("http://"), "{said}");
    }
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_done_once(#[case] home: Home) {
    let first = home.run(&["migrate"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    for database in ["accounts", "number_manager", "system_config"] {
        assert!(first.stdout.contains(&format!("created database {database}\n")), "{first:?}");
    }
    let state = everything(&home).await;
    let second = home.run(&["migrate"]).await;
    assert_eq!((second.code, &*second.stdout), (Some(0), "nothing to do\n"), "{second:?}");
    assert_eq!(everything(&home).await, state);
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn two_migrations_at_once_end_as_one(#[case] home: Home) {
    let (one, other) = tokio::join!(home.run(&["migrate"]), home.run(&["migrate"]));
    for outcome in [&one, &other] {
        let refused = home.is_sqlite() && outcome.stderr.contains("is in use by another process");
        assert!(outcome.code == Some(0) || refused, "{outcome:?}");
    }
    assert!(one.code == Some(0) || other.code == Some(0), "{one:?} {other:?}");
    let third = home.run(&["migrate"]).await;
    assert_eq!((third.code, &*third.stdout), (Some(0), "nothing to do\n"), "{third:?}");
}

/// The names of all databases.
async fn everything(home: &Home) -> Vec<String> {
    let databases = home.store().await.databases("").await.unwrap();
    databases.iter().map(ToString::to_string).collect()
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_a_line_for_each_check(#[case] home: Home) {
    let doctor = home.run(&["doctor"]).await;
    assert_eq!(doctor.code, Some(0), "{doctor:?}");
    assert!(doctor.stdout.lines().count() >= 9, "{doctor:?}");
    // Nobody has followed yet, which is worth a note.
    let is_well = |line: &str| line.starts_with("ok    ") || line.starts_with("note  ");
    assert!(doctor.stdout.lines().all(is_well), "{doctor:?}");
}

#[tokio::test]
async fn the_health_of_nobody_is_bad() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let asked = Home::sqlite().run(&["healthcheck", "--listen", &closed]).await;
    assert!(asked.check_refused(1).contains(&closed), "{asked:?}");
}

#[tokio::test]
async fn the_printed_document_is_the_committed_one() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let printed = Home::sqlite().run(&["openapi"]).await;
    assert_eq!(printed.code, Some(0));
    assert_eq!(printed.stdout, std::fs::read_to_string(committed).unwrap());
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}
