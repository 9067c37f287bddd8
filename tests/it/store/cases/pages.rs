//! Questions whose answer comes in pages, and counts.

use super::*;

pub(crate) async fn pages_lose_and_repeat_nothing(store: &Store) {
    let db = with_numbers(store).await;
    let ids: Vec<String> = (100..112).map(|n| format!("+14155550{n}")).collect();
    let mut kept = Vec::new();
    for (n, id) in ids.iter().enumerate() {
        let rev = create(store, &db, id, json!({"n": n})).await;
        if n % 4 == 3 {
            delete(store, &db, id, &rev).await.unwrap();
        } else {
            kept.push(id.clone());
        }
    }
    for limit in 1..=ids.len() {
        for question in [Question::All, Question::Carrier(None), Question::Owner(None)] {
            let up = Query { question, limit, ..all() };
            assert_eq!(pages(store, &db, up.clone()).await, kept, "up by {limit}");
            let mut down = pages(store, &db, Query { order: Order::Descending, ..up }).await;
            down.reverse();
            assert_eq!(down, kept, "down by {limit}");
        }
    }
}

pub(crate) async fn a_page_keeps_to_its_range(store: &Store) {
    let db = with_numbers(store).await;
    for id in ["+1", "+10", "+11", "+110", "+119", "+12", "a"] {
        create(store, &db, id, json!({})).await;
    }
    let ids = async |range: IdRange, order, limit| {
        pages(store, &db, Query { range, order, limit, ..all() }).await
    };
    let range = |from: &str, before: &str| IdRange { from: from.into(), before: before.into() };
    for limit in [1, 2, 10] {
        let up = ids(range("+10", "+12"), Order::Ascending, limit).await;
        assert_eq!(up, ["+10", "+11", "+110", "+119"]);
        let down = ids(range("+10", "+12"), Order::Descending, limit).await;
        assert_eq!(down, ["+119", "+110", "+11", "+10"]);
        let prefixed = ids(IdRange::starting_with("+11"), Order::Ascending, limit).await;
        assert_eq!(prefixed, ["+11", "+110", "+119"]);
        assert_eq!(ids(range("+13", "+2"), Order::Ascending, limit).await, [""; 0]);
    }
}

pub(crate) async fn design_documents_are_in_no_answer(store: &Store) {
    let db = with_numbers(store).await;
    let before = store.changes(&db, None, 10).await.unwrap();
    assert_eq!(before.rows, []);
    create(store, &db, "_design/ours", json!({"language": "javascript"})).await;
    let rev = create(store, &db, "a", json!({})).await;
    let expected = [Changed { id: "a".to_owned(), rev, deleted: false }];
    for limit in [1, 10] {
        assert_eq!(feed(store, &db, None, limit).await.0, expected);
        assert_eq!(feed(store, &db, Some(before.last.clone()), limit).await.0, expected);
    }
    let range = IdRange { from: "+".to_owned(), before: "~".to_owned() };
    for query in [all(), of_carrier(None), of_owner(None)] {
        let query = Query { range: range.clone(), ..query };
        assert_eq!(pages(store, &db, query.clone()).await, ["a"]);
        let down = Query { order: Order::Descending, limit: 1, ..query };
        assert_eq!(pages(store, &db, down).await, ["a"]);
    }
    assert_eq!(store.carrier_counts(&db, &range).await.unwrap(), BTreeMap::from([(None, 1)]));
}

pub(crate) async fn a_carrier_is_found_by_its_exact_name(store: &Store) {
    let db = with_numbers(store).await;
    let names = [
        "knm_a",
        "knm_A",
        "knm-a",
        "knma",
        "knm_a ",
        "knm a",
        "Knm_a",
        "wnm_a",
        "knm_ä",
        "a\"b'c",
        "a/b+c%20&d",
        "日本",
        "[1]",
        "null",
    ];
    for (n, name) in names.iter().enumerate() {
        create(store, &db, &format!("new{n:02}"), json!({"pvt_module_name": name})).await;
        create(store, &db, &format!("old{n:02}"), json!({"pvt_carrier_module": name})).await;
    }
    let both = json!({"pvt_carrier_module": "knm_a", "pvt_module_name": "knm_b"});
    create(store, &db, "both", both).await;
    create(store, &db, "none", json!({"module_name": "knm_a"})).await;

    for (n, name) in names.iter().enumerate() {
        let found = pages(store, &db, of_carrier(Some(name))).await;
        assert_eq!(found, [format!("new{n:02}"), format!("old{n:02}")], "{name}");
    }
    assert_eq!(pages(store, &db, of_carrier(Some("knm_b"))).await, ["both"]);
    assert_eq!(pages(store, &db, of_carrier(None)).await, ["none"]);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_"))).await, [""; 0]);
}

pub(crate) async fn a_carrier_is_found_right_after_it_was_written(store: &Store) {
    let db = with_numbers(store).await;
    let rev = create(store, &db, "a", json!({"pvt_module_name": "knm_a"})).await;
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, ["a"]);
    let rev = update(store, &db, "a", &rev, json!({"pvt_module_name": "knm_b"})).await;
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, [""; 0]);
    let found = store.query(&db, &of_carrier(Some("knm_b"))).await.unwrap().documents;
    assert_eq!(found, [document("a", &rev, json!({"pvt_module_name": "knm_b"}))]);
    delete(store, &db, "a", &rev).await.unwrap();
    assert_eq!(pages(store, &db, of_carrier(Some("knm_b"))).await, [""; 0]);
}

pub(crate) async fn pages_lose_nothing_while_the_carrier_changes(store: &Store) {
    let db = with_numbers(store).await;
    let ids: Vec<String> = (100..120).map(|n| format!("+14155550{n}")).collect();
    for id in &ids {
        create(store, &db, id, json!({"pvt_module_name": "knm_a"})).await;
    }
    let mut query = Query { limit: 3, ..of_carrier(Some("knm_a")) };
    let mut converted = BTreeSet::new();
    loop {
        let page = store.query(&db, &query).await.unwrap();
        for found in page.documents {
            // A page of an index may be behind; the document itself is not.
            let now = live(store, &db, &found.id).await;
            update(store, &db, &found.id, &now.rev, json!({"pvt_module_name": "knm_b"})).await;
            assert!(converted.insert(found.id), "seen twice");
        }
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    assert_eq!(converted.into_iter().collect::<Vec<_>>(), ids);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_a"))).await, [""; 0]);
}

pub(crate) async fn what_is_no_string_is_no_carrier(store: &Store) {
    let db = with_numbers(store).await;
    for (id, name) in [("a", json!(7)), ("b", json!({"x": 1})), ("c", json!(null))] {
        create(store, &db, id, json!({"pvt_module_name": name})).await;
    }
    create(store, &db, "d", json!({"pvt_module_name": null, "pvt_carrier_module": "knm_d"})).await;
    assert_eq!(pages(store, &db, of_carrier(None)).await, ["a", "b", "c"]);
    assert_eq!(pages(store, &db, of_carrier(Some("7"))).await, [""; 0]);
    assert_eq!(pages(store, &db, of_carrier(Some("knm_d"))).await, ["d"]);
    let counts = store.carrier_counts(&db, &everything()).await.unwrap();
    assert_eq!(counts, BTreeMap::from([(None, 3), (Some("knm_d".to_owned()), 1)]));
}

pub(crate) async fn carriers_are_counted_within_a_range(store: &Store) {
    let db = with_numbers(store).await;
    assert_eq!(store.carrier_counts(&db, &everything()).await.unwrap(), BTreeMap::new());
    for n in 100..110 {
        let carrier = if n % 2 == 0 { "knm_a" } else { "knm_A" };
        create(store, &db, &format!("+14155550{n}"), json!({"pvt_module_name": carrier})).await;
    }
    let rev = create(store, &db, "+14155550200", json!({"pvt_module_name": "knm_c"})).await;
    create(store, &db, "+14155550201", json!({})).await;

    let count = async |range: &IdRange| store.carrier_counts(&db, range).await.unwrap();
    let named = |name: &str| Some(name.to_owned());
    let mut expected =
        BTreeMap::from([(None, 1), (named("knm_a"), 5), (named("knm_A"), 5), (named("knm_c"), 1)]);
    assert_eq!(count(&everything()).await, expected);
    let some = IdRange { from: "+14155550104".to_owned(), before: "+14155550107".to_owned() };
    assert_eq!(count(&some).await, BTreeMap::from([(named("knm_a"), 2), (named("knm_A"), 1)]));

    delete(store, &db, "+14155550200", &rev).await.unwrap();
    expected.remove(&named("knm_c"));
    assert_eq!(count(&everything()).await, expected);
}
