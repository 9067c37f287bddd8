//! Whatever is kept, and however long the pages are: paging both ways shows each kept row once.

use axum::http::Method;
use number_manager::store::{Expect, Write};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use tokio::{runtime::Handle, task::block_in_place};

use super::world::{HOLDER, World, account_db, number_db, numbers};
use crate::support::app::ACCOUNT;

/// How many worlds are walked through.
const CASES: u32 = 24;

/// A number of a world: its last digits, its state and a member of its own.
type Kept = (u16, &'static str, Option<u8>);

fn world_of_numbers() -> impl Strategy<Value = Vec<Kept>> {
    let state = prop::sample::select(vec!["in_service", "reserved", "port_in"]);
    let kept = (0..9999_u16, state, prop::option::of(0..3_u8));
    prop::collection::vec(kept, 0..40).prop_map(|mut all| {
        all.sort_unstable();
        all.dedup_by_key(|kept| kept.0);
        all
    })
}

/// A filter, and what it means.
#[derive(Clone, Copy, Debug)]
struct Asked {
    query: &'static str,
    keeps: fn(&Kept) -> bool,
}

const FILTERS: &[Asked] = &[
    Asked { query: "", keeps: |_| true },
    Asked { query: "&filter_state=reserved", keeps: |(_, state, _)| *state == "reserved" },
    Asked {
        query: "&filter_state=%5B%22reserved%22%2C%22port_in%22%5D",
        keeps: |(_, state, _)| *state != "in_service",
    },
    Asked { query: "&filter_not_state=reserved", keeps: |(_, state, _)| *state != "reserved" },
    Asked { query: "&has_key=n", keeps: |(_, _, n)| n.is_some() },
    Asked { query: "&key_missing=n", keeps: |(_, _, n)| n.is_none() },
    Asked {
        query: "&filter_n=1&filter_state=in_service",
        keeps: |(_, state, n)| *n == Some(1) && *state == "in_service",
    },
    Asked { query: "&filter_state=aging", keeps: |_| false },
];

#[tokio::test(flavor = "multi_thread")]
async fn each_kept_row_is_shown_once_both_ways() {
    let asked = (world_of_numbers(), prop::sample::select(FILTERS), 1..12_usize, any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(CASES));
    let handle = Handle::current();
    let ran = block_in_place(|| {
        runner.run(&asked, |(kept, filter, size, ascending)| {
            handle.block_on(async {
                let world = World::embedded().await;
                store(&world, &kept).await;
                let mut wanted: Vec<String> =
                    kept.iter().filter(|kept| (filter.keeps)(kept)).map(id).collect();
                if !ascending {
                    wanted.reverse();
                }
                let (seen, lengths) = walk(&world, filter, size, ascending).await;
                prop_assert_eq!(&seen, &wanted);
                // Every page but the last is full, and only an empty list has an empty page.
                let full = wanted.len().saturating_sub(1) / size;
                prop_assert!(lengths[..full].iter().all(|length| *length == size));
                prop_assert_eq!(lengths.len(), full + 1);
                Ok(())
            })
        })
    });
    ran.unwrap();
}

fn id(kept: &Kept) -> String {
    format!("+1415555{:04}", kept.0)
}

async fn store(world: &World, kept: &[Kept]) {
    world.store.create_database(&number_db("+14155550000")).await.unwrap();
    let put = |kept: &Kept| {
        let mut body = json!({
            "pvt_type": "number", "pvt_state": kept.1, "pvt_assigned_to": ACCOUNT,
            "pvt_module_name": "knm_local", "pvt_created": 1, "pvt_modified": 1,
        });
        if let Some(n) = kept.2 {
            body["n"] = json!(n);
        }
        let Value::Object(body) = body else { unreachable!() };
        let dbs = [number_db(&id(kept)), account_db(ACCOUNT)];
        dbs.map(|db| Write::put(db, id(kept), Expect::Absent, body.clone())).to_vec()
    };
    for stored in world.store.commit_many(kept.iter().map(put).collect()).await {
        stored.unwrap();
    }
}

/// All rows in the order of the pages, and how long each page is.
async fn walk(
    world: &World,
    filter: Asked,
    size: usize,
    ascending: bool,
) -> (Vec<String>, Vec<usize>) {
    let (mut seen, mut lengths, mut next) = (Vec::new(), Vec::new(), String::new());
    loop {
        let query = format!("?page_size={size}&ascending={ascending}{}{next}", filter.query);
        let answer = world.ask(HOLDER, Method::GET, &numbers(&query), None).await;
        let data = answer.data(200);
        let rows = data["numbers"].as_object().unwrap();
        lengths.push(rows.len());
        seen.extend(rows.keys().cloned());
        match answer.json()["next_start_key"].as_str() {
            Some(key) => next = format!("&start_key={key}"),
            None => return (seen, lengths),
        }
    }
}
