//! A setting that is unknown or wrong ends the start with one sentence that names it and nothing
//! secret, and with code 2.

use std::fs;

use crate::support::process::{Home, Outcome, run};

/// What the program says with a file of settings.
async fn with_file(text: &str) -> Outcome {
    let home = Home::sqlite();
    let file = home.folder().join("nm.toml");
    fs::write(&file, text).unwrap();
    home.run(&["--config", file.to_str().unwrap()]).await
}

/// What it says with a variable.
async fn with_variable(name: &str, value: &str) -> Outcome {
    let home = Home::sqlite();
    let mut command = home.command();
    command.env(name, value);
    run(command).await
}

async fn check_file(text: &str, sentence: &str) {
    assert_eq!(with_file(text).await.check_refused(2), sentence, "{text}");
}

async fn check_variable(name: &str, value: &str, sentence: &str) {
    assert_eq!(with_variable(name, value).await.check_refused(2), sentence, "{name}={value}");
}

#[tokio::test]
async fn in_a_file() {
    check_file("colour = 1", "setting colour is not known").await;
    check_file("[http]\ncolour = 1", "setting http.colour is not known").await;
    check_file("[http]\npage_size = \"x\"", "setting http.page_size must be usize").await;
    check_file("[sqlite]\nreaders = 0", "setting sqlite.readers must be a nonzero u16").await;
    check_file("[token]\nsecret = \"hunter2\"", {
        "setting token.secret must have at least 32 characters"
    })
    .await;
    // What is broken may be a secret.
    let broken = with_file("[token]\nsecret = \"hunter2").await;
    let sentence = broken.check_refused(2);
    assert!(sentence.contains("nm.toml is no TOML: line 2, column "), "{sentence}");
    assert!(!sentence.contains("hunter2"), "{sentence}");
    let missing = Home::sqlite().run(&["--config", "nowhere.toml"]).await;
    assert!(missing.check_refused(2).starts_with("the file nowhere.toml cannot be read"));
}

#[tokio::test]
async fn in_the_environment() {
    check_variable("NUMBER_MANAGER__COLOUR", "1", "setting colour is not known").await;
    check_variable("NUMBER_MANAGER__HTTP__COLOUR", "1", "setting http.colour is not known").await;
    let sentence = "setting http.header_timeout_ms must be at least 1";
    check_variable("NUMBER_MANAGER__HTTP__HEADER_TIMEOUT_MS", "0", sentence).await;
    let listen = with_variable("NUMBER_MANAGER_LISTEN", "here").await;
    assert!(listen.check_refused(2).starts_with("setting listen "), "{listen:?}");
    let sentence = "setting log.filter `a=b=c` is no filter of log lines";
    check_variable("NUMBER_MANAGER_LOG", "a=b=c", sentence).await;
    let format = with_variable("NUMBER_MANAGER_LOG_FORMAT", "verse").await;
    assert!(format.check_refused(2).starts_with("setting log.format "), "{format:?}");
}

#[tokio::test]
async fn in_a_flag() {
    let flag = Home::sqlite().run(&["--listen", "127.0.0.1:http"]).await;
    assert!(flag.check_refused(2).starts_with("setting listen "), "{flag:?}");
    let unknown = Home::sqlite().run(&["--colour", "red"]).await;
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("--colour"), "{unknown:?}");
}

#[tokio::test]
async fn in_the_address_of_couchdb() {
    for (url, problem) in [
        ("localhost:5984", "must begin with http:// or https://"),
        ("http://admin:hunter2@db:5984/couch", "must not have a path"),
        ("http://admin:hunter2@db:x", "must look like http://user:password@host:5984"),
        ("admin:hunter2@db:5984", "must begin with http:// or https://"),
    ] {
        check_variable("COUCHDB_URL", url, &format!("setting couchdb.url {problem}")).await;
    }
}
