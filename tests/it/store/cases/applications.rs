//! Which documents of an account route which numbers.

use super::*;

const NUMBER: &str = "+14155550100";

fn account() -> DbName {
    DbName::new("account/0f/0f/0f0f0f0f0f0f0f0f0f0f0f0f0f0f")
}

async fn routes(store: &Store, numbers: &[&str]) -> Vec<Vec<(&'static str, String)>> {
    let found = store.applications(&account(), &owned(numbers)).await.unwrap();
    let plain = |Application { app, id }| (app, id);
    found.into_iter().map(|of_number| of_number.into_iter().map(plain).collect()).collect()
}

/// The rule is written twice, for the server's index and for us: this holds them together.
pub(crate) async fn documents_route_what_the_rule_says(store: &Store) {
    let flow = |numbers: Value| json!({"pvt_type": "callflow", "numbers": numbers});
    let trunk = |servers: Value| json!({"pvt_type": "sys_info", "servers": servers});
    let with = |mut document: Value, key: &str, value: Value| {
        document[key] = value;
        document
    };
    let dids = || json!({NUMBER: {}});
    let (callflow, trunkstore) = (Some("callflow"), Some("trunkstore"));
    let cases = [
        (flow(json!([NUMBER])), callflow),
        (flow(json!(["100", NUMBER, NUMBER])), callflow),
        (flow(json!([null, 7, {}, [], [NUMBER], NUMBER])), callflow),
        (
            flow(json!([[NUMBER], {"n": NUMBER}, "4155550100", "+1415555010", "+141555501000"])),
            None,
        ),
        (flow(json!([])), None),
        (flow(json!(NUMBER)), None),
        (flow(dids()), None),
        (flow(json!(null)), None),
        (json!({"pvt_type": "callflow"}), None),
        (with(flow(json!([NUMBER])), "pvt_type", json!("Callflow")), None),
        (with(flow(json!([NUMBER])), "pvt_type", json!(["callflow"])), None),
        (json!({"numbers": [NUMBER]}), None),
        (json!({"pvt_type": "number", "numbers": [NUMBER], "servers": [{"DIDs": dids()}]}), None),
        (with(flow(json!([NUMBER])), "pvt_deleted", json!(true)), None),
        (with(flow(json!([NUMBER])), "pvt_deleted", json!(false)), callflow),
        (with(flow(json!([NUMBER])), "pvt_deleted", json!("true")), callflow),
        (with(flow(json!([NUMBER])), "pvt_deleted", json!(1)), callflow),
        (with(flow(json!([])), "servers", json!([{"DIDs": dids()}])), None),
        (trunk(json!([{"DIDs": dids()}])), trunkstore),
        (trunk(json!([{"DIDs": {NUMBER: null}}])), trunkstore),
        (trunk(json!([{"DIDs": {NUMBER: false}, "options": {}}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": {"enabled": true}}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": {"enabled": null}}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": {"enabled": "false"}}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": {"enabled": 0}}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": null}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": "off"}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": ["enabled"]}])), trunkstore),
        (trunk(json!([{"DIDs": dids(), "options": {"enabled": false}}])), None),
        (
            trunk(json!([{"DIDs": dids(), "options": {"enabled": false}}, {"DIDs": dids()}])),
            trunkstore,
        ),
        (trunk(json!([null, 7, "x", [], {}, {"DIDs": dids()}, {"DIDs": dids()}])), trunkstore),
        (
            trunk(json!([{"DIDs": [NUMBER]}, {"DIDs": NUMBER}, {"DIDs": null}, {"DIDs": true}])),
            None,
        ),
        (trunk(json!([[{"DIDs": dids()}]])), None),
        (trunk(json!({"a": {"DIDs": dids()}})), None),
        (trunk(json!(null)), None),
        (with(trunk(json!([{"DIDs": dids()}])), "pvt_deleted", json!(true)), None),
        (with(trunk(json!([])), "numbers", json!([NUMBER])), None),
    ];
    store.create_database(&account()).await.unwrap();
    let mut expected = Vec::new();
    for (n, (document, app)) in cases.into_iter().enumerate() {
        let id = format!("{n:02}");
        create(store, &account(), &id, document).await;
        expected.extend(app.map(|app| (app, id)));
    }
    expected.sort();
    assert_eq!(routes(store, &[NUMBER]).await, [expected]);
}

pub(crate) async fn a_routed_number_is_found_by_its_exact_text(store: &Store) {
    store.create_database(&account()).await.unwrap();
    // Some of these are equal by a server's own rules.
    let numbers = [
        "+14155550100",
        "+1 4155550100",
        "14155550100",
        "+14155550100\u{200b}",
        "+14155550100\u{1}",
        "a",
        "A",
        "á",
        "a\u{301}",
        "constructor",
        "7",
        "",
    ];
    for (n, number) in numbers.iter().enumerate() {
        let flow = json!({"pvt_type": "callflow", "numbers": [number]});
        create(store, &account(), &format!("flow{n:02}"), flow).await;
        let trunk = json!({"pvt_type": "sys_info", "servers": [{"DIDs": {*number: {}}}]});
        create(store, &account(), &format!("trunk{n:02}"), trunk).await;
    }
    let of = |n: usize| {
        vec![("callflow", format!("flow{n:02}")), ("trunkstore", format!("trunk{n:02}"))]
    };
    let expected: Vec<_> = (0..numbers.len()).map(of).collect();
    assert_eq!(routes(store, &numbers).await, expected);
    // One at a time, in any order, twice, and among those that nobody routes.
    for (n, number) in numbers.iter().enumerate() {
        let asked = ["nobody", number, "+1415", number];
        assert_eq!(routes(store, &asked).await, [vec![], of(n), vec![], of(n)], "{number:?}");
    }
    assert_eq!(routes(store, &[]).await, [] as [Vec<_>; 0]);
}

pub(crate) async fn a_changed_document_routes_what_it_says_now(store: &Store) {
    store.create_database(&account()).await.unwrap();
    let flow = |numbers: &[&str]| json!({"pvt_type": "callflow", "numbers": numbers});
    let design = json!({"language": "javascript", "pvt_type": "callflow", "numbers": ["1"]});
    create(store, &account(), "_design/ours", design).await;
    let asked = ["1", "2"];
    let found = || vec![("callflow", "a".to_owned())];
    let rev = create(store, &account(), "a", flow(&["1"])).await;
    assert_eq!(routes(store, &asked).await, [found(), vec![]]);
    let rev = update(store, &account(), "a", &rev, flow(&["2"])).await;
    assert_eq!(routes(store, &asked).await, [vec![], found()]);
    let trunk = json!({"pvt_type": "sys_info", "servers": [{"DIDs": {"1": {}, "2": {}}}]});
    let rev = update(store, &account(), "a", &rev, trunk).await;
    let of_trunk = vec![("trunkstore", "a".to_owned())];
    assert_eq!(routes(store, &asked).await, [of_trunk.clone(), of_trunk]);
    let rev = update(store, &account(), "a", &rev, json!({})).await;
    assert_eq!(routes(store, &asked).await, [vec![], vec![]]);
    let rev = update(store, &account(), "a", &rev, flow(&["1", "2"])).await;
    assert_eq!(routes(store, &asked).await, [found(), found()]);
    // A tombstone keeps its members and routes nothing.
    let tombstone = body(flow(&["1", "2"]));
    write(store, Write::delete(account(), "a", rev, tombstone)).await.unwrap();
    assert_eq!(routes(store, &asked).await, [vec![], vec![]]);
    create(store, &account(), "a", flow(&["1"])).await;
    assert_eq!(routes(store, &asked).await, [found(), vec![]]);
}

pub(crate) async fn many_routed_numbers_are_looked_up_at_once(store: &Store) {
    store.create_database(&account()).await.unwrap();
    let numbers: Vec<String> = (0..1_200).map(|n| format!("+1415555{n:04}")).collect();
    for (n, some) in numbers.chunks(300).enumerate() {
        let flow = json!({"pvt_type": "callflow", "numbers": some});
        create(store, &account(), &format!("flow{n}"), flow).await;
    }
    let found = store.applications(&account(), &numbers).await.unwrap();
    assert_eq!(found.len(), numbers.len());
    for (n, of_number) in found.into_iter().enumerate() {
        assert_eq!(of_number, [Application { app: "callflow", id: format!("flow{}", n / 300) }]);
    }
}
