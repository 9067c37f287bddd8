//! Documents by their owners.

use super::*;

const OWNER: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const OTHER: &str = "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";

pub(crate) async fn an_owner_is_found_by_the_exact_text(store: &Store) {
    let db = with_numbers(store).await;
    let names = [
        OWNER,
        "A",
        "a",
        "a ",
        " a",
        "a-",
        "ä",
        "account/0f/0f/0f",
        "a\"b'c",
        "日本",
        "[1]",
        "null",
    ];
    for (n, name) in names.iter().enumerate() {
        create(store, &db, &format!("one{n:02}"), json!({"pvt_assigned_to": name})).await;
        create(store, &db, &format!("two{n:02}"), json!({"pvt_assigned_to": name})).await;
    }
    let none = [
        ("none0", json!({"assigned_to": OWNER, "pvt_previously_assigned_to": OWNER})),
        ("none1", json!({"pvt_assigned_to": null})),
        ("none2", json!({"pvt_assigned_to": ""})),
        ("none3", json!({"pvt_assigned_to": 7})),
        ("none4", json!({"pvt_assigned_to": {"a": OWNER}})),
        ("none5", json!({"pvt_assigned_to": [OWNER]})),
    ];
    for (id, members) in none {
        create(store, &db, id, members).await;
    }
    for (n, name) in names.iter().enumerate() {
        let found = pages(store, &db, of_owner(Some(name))).await;
        assert_eq!(found, [format!("one{n:02}"), format!("two{n:02}")], "{name}");
    }
    let found = pages(store, &db, of_owner(None)).await;
    assert_eq!(found, ["none0", "none1", "none2", "none3", "none4", "none5"]);
    for nobody in [OTHER, "", "7", "0f0f"] {
        assert_eq!(pages(store, &db, of_owner(Some(nobody))).await, [""; 0], "{nobody:?}");
    }
}

pub(crate) async fn pages_of_an_owner_lose_and_repeat_nothing(store: &Store) {
    let db = with_numbers(store).await;
    let mut ids = Vec::new();
    // In the order of bytes, which is not that of words.
    for id in ["+1", "+10", "+2", ",", "A", "B", "a", "b", "é"] {
        create(store, &db, id, json!({"pvt_assigned_to": OWNER})).await;
        create(store, &db, &format!("{id}x"), json!({"pvt_assigned_to": OTHER})).await;
        ids.push(id.to_owned());
    }
    let range = IdRange { from: "!".to_owned(), before: "\u{10ffff}".to_owned() };
    for limit in 1..=ids.len() + 1 {
        let up = Query { range: range.clone(), limit, ..of_owner(Some(OWNER)) };
        assert_eq!(pages(store, &db, up.clone()).await, ids, "up by {limit}");
        let mut down = pages(store, &db, Query { order: Order::Descending, ..up }).await;
        down.reverse();
        assert_eq!(down, ids, "down by {limit}");
    }
    let some = IdRange { from: "+10".to_owned(), before: "B".to_owned() };
    let some = Query { range: some, limit: 2, ..of_owner(Some(OWNER)) };
    assert_eq!(pages(store, &db, some).await, ["+10", "+2", ",", "A"]);
}

pub(crate) async fn a_change_of_owner_is_seen_at_once(store: &Store) {
    let db = with_numbers(store).await;
    let of = async |owner| pages(store, &db, of_owner(owner)).await;
    let rev = create(store, &db, "a", json!({"pvt_assigned_to": OWNER})).await;
    assert_eq!(of(Some(OWNER)).await, ["a"]);
    let rev = update(store, &db, "a", &rev, json!({"pvt_assigned_to": OTHER})).await;
    assert_eq!((of(Some(OWNER)).await, of(Some(OTHER)).await), (vec![], owned(&["a"])));
    let found = store.query(&db, &of_owner(Some(OTHER))).await.unwrap().documents;
    assert_eq!(found, [document("a", &rev, json!({"pvt_assigned_to": OTHER}))]);
    let rev = update(store, &db, "a", &rev, json!({})).await;
    assert_eq!((of(Some(OTHER)).await, of(None).await), (vec![], owned(&["a"])));
    delete(store, &db, "a", &rev).await.unwrap();
    assert_eq!(of(None).await, [""; 0]);
}
