//! Rows that put features on numbers: who provides them is asked before they are written, and humans are
//! told afterwards.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use number_manager::{
    providers::{Registry, Subject},
    service::NumberService,
    store::DbName,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{NUMBER, UNLIMITED, World, over_both_stores};
use crate::support::{
    app::{ACCOUNT, TestApp},
    providers::{Recorder, SCRIPTED, Script, Scripted},
};

over_both_stores! {
    who_provides_is_asked_for_each_row,
    a_row_that_nobody_provides_for_is_not_written,
}

const OTHER: &str = "+14155550101";

/// A process with a provider of emergency addresses that does as it is told.
async fn scripted(world: &World, script: Script) -> (TestApp, Scripted, Recorder) {
    let settings = json!({"default": {"e911_provider": SCRIPTED}});
    let settings = serde_json::from_value(settings).unwrap();
    world.put(DbName::new("system_config"), "number_manager", settings).await;
    let (provider, recorder) = (Scripted::new(script), Recorder::default());
    let registry = Registry::with(provider.clone());
    let notifier = Arc::new(recorder.clone());
    let change = |service: NumberService| service.with_providers(registry).with_notifier(notifier);
    (TestApp::serving(world.store.clone(), UNLIMITED, change).await, provider, recorder)
}

/// Does all of it; returns the task, and what became of the rows.
pub(super) async fn run(
    app: &TestApp,
    action: &str,
    options: &str,
    table: &str,
) -> (Value, String) {
    let admin = app.admin();
    let query = format!("category=number_management&action={action}{options}");
    let path = format!("/v2/accounts/{ACCOUNT}/tasks?{query}");
    let ask = app.ask(Method::PUT, &path).header("content-type", "text/csv").token(&admin);
    let task = ask.body(table).send().await.data(201)["_read_only"].clone();
    done(app, &admin, &task).await
}

/// Starts a task and waits for its end; returns it, and what became of the rows.
pub(super) async fn done(app: &TestApp, token: &str, task: &Value) -> (Value, String) {
    let path = format!("/v2/accounts/{ACCOUNT}/tasks/{}", task["id"].as_str().unwrap());
    app.ask(Method::PATCH, &path).token(token).send().await.check_status(200);
    for _ in 0..1000 {
        let task = app.get(&path).token(token).send().await.data(200)["_read_only"].clone();
        if task["status"] != "executing" {
            let output = app.get(&format!("{path}/output")).token(token).send().await;
            return (task, output.text);
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{path} does not end");
}

fn table() -> String {
    format!(
        "e164,carrier_module,e911.street_address,e911.locality,e911.region,e911.postal_code,\
         cnam.outbound\n\
         {NUMBER},knm_inventory,1 Main St,SF,CA,94105,ACME\n{OTHER},knm_inventory,,,,,\n"
    )
}

async fn who_provides_is_asked_for_each_row(world: &World) {
    let (app, provider, recorder) = scripted(world, Script::Obey).await;
    let (task, _) = run(&app, "import", "&dry_run=true", &table()).await;
    assert_eq!(task["status"], "success");
    assert_eq!((provider.calls(), recorder.notices().len()), (Vec::new(), 0), "a plan asks nobody");
    let (task, output) = run(&app, "import", "", &table()).await;
    assert_eq!(task["status"], "success", "{output}");
    assert_eq!(provider.calls(), ["provide none -> \"1 Main St\""]);
    let subjects: Vec<Subject> = recorder.notices().into_iter().map(|it| it.subject).collect();
    assert_eq!(subjects, [Subject::Cnam(json!({"display_name": "ACME"}))]);
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!(stored["pvt_features"]["e911"]["street_address"], "1 Main St");
    // What stays as it is asks nobody; what is taken off does.
    let merge = format!("e164,force_outbound\n{NUMBER},true\n");
    let (task, output) = run(&app, "update_merge", "", &merge).await;
    assert_eq!(task["status"], "success", "{output}");
    assert_eq!((provider.calls(), recorder.notices().len()), (Vec::new(), 0));
    let (task, _) = run(&app, "delete", "", &format!("e164\n{NUMBER}\n{OTHER}\n")).await;
    assert_eq!(task["status"], "success");
    provider.called(&["settle none"]).await;
}

async fn a_row_that_nobody_provides_for_is_not_written(world: &World) {
    let (app, provider, recorder) = scripted(world, Script::Fail).await;
    let (task, output) = run(&app, "import", "", &table()).await;
    let counts = ["status", "success_count", "failure_count"].map(|key| task[key].clone());
    assert_eq!(counts, [json!("partial"), json!(1), json!(1)], "{output}");
    assert_eq!(provider.calls(), ["provide none -> \"1 Main St\""]);
    assert!(recorder.notices().is_empty());
    assert_eq!(world.document(NUMBER).await, None);
    assert!(world.document(OTHER).await.is_some());
    // The row is given back as it came.
    let mut reader = csv::Reader::from_reader(output.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
    assert_eq!((cell("e164"), cell("e911.locality"), cell("state")), (NUMBER, "SF", ""));
    assert_eq!(cell("error"), format!("fault by provider '{SCRIPTED}'"));
}
