//! What the program takes when there is much of it: one account with many numbers.

use std::time::Instant;

use number_manager::{
    domain::{
        AccountId, Actor, CarrierName, E164, Number, State, account_database, number_database,
    },
    repository::encode,
    store::{DbName, Expect, Write},
};
use serde_json::Value;

use crate::support::process::{A, Home, of};

/// How many numbers the account has.
const NUMBERS: usize = 30_000;
/// How many are stored in one transaction.
const AT_ONCE: usize = 5_000;
/// How many requests are made.
const REQUESTS: usize = 2_000;
/// More than this no process needs for that, in bytes.
const MEMORY: u64 = 200 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_many_numbers_takes_little_memory() {
    let mut home = Home::sqlite();
    home.set("log__filter", "warn");
    let begun = Instant::now();
    fill(&home, NUMBERS).await;
    println!("{NUMBERS} numbers stored in {:?}", begun.elapsed());

    home.set("log__filter", "info");
    let service = home.start().await;
    println!("resident after the start: {} MiB", service.memory() >> 20);
    let begun = Instant::now();
    for request in 0..REQUESTS {
        let number = id(request * (NUMBERS / REQUESTS));
        if request % 10 == 0 {
            let page = format!(
                "accounts/{A}/phone_numbers?page_size=50&ascending=true&start_key={number}"
            );
            let page = service.get(&page).await.expect(200).json;
            assert_eq!(page["data"]["numbers"].as_object().unwrap().len(), 50, "{page}");
        } else {
            let found = service.get(&of(A, &number)).await.expect(200).json;
            assert_eq!(found["data"]["id"], number);
        }
    }
    println!("{REQUESTS} requests in {:?}", begun.elapsed());
    let memory = service.memory();
    println!("resident after them: {} MiB", memory >> 20);
    assert!(memory < MEMORY, "{memory} bytes");
}

fn id(number: usize) -> String {
    format!("+1415{number:07}")
}

/// Stores the numbers with their copies.
pub(super) async fn fill(home: &Home, count: usize) {
    let store = home.prepared_store().await;
    let account = AccountId::parse(A).unwrap();
    let copies = DbName::new(account_database(&account));
    let numbers = DbName::new(number_database(&E164::parse(&id(0)).unwrap()));
    for database in [&copies, &numbers] {
        store.create_database(database).await.unwrap();
    }
    for first in (0..count).step_by(AT_ONCE) {
        let mut set = Vec::with_capacity(2 * AT_ONCE);
        for number in first..count.min(first + AT_ONCE) {
            let id = E164::parse(&id(number)).unwrap();
            let carrier = CarrierName::local();
            let mut number =
                Number::new(id.clone(), State::InService, carrier, &Actor::operator(), 1);
            number.owner = Some(account.clone());
            number.public.insert("note".to_owned(), Value::from("one of many"));
            let body = encode(&number, &serde_json::Map::new(), id.as_str());
            for database in [&numbers, &copies] {
                let write = Write::put(database.clone(), id.as_str(), Expect::Absent, body.clone());
                set.push(write);
            }
        }
        store.commit(set).await.unwrap();
    }
}
