//! KAZOO's answers about the carriers that an account buys from, what they find, and numbers that
//! are made.

use std::{future::Future, sync::Arc};

use number_manager::{
    domain::{AccountId, Actor, Prefix, State, SystemClock, account_database, calling_code},
    repository::{
        AccountRepository, FeatureSettingsRepository, NumberRepository, SettingsRepository,
    },
    service::{AccountRule, Found, NewAccount, NumberService, SearchQuery, Searcher},
    store::{DbName, Expect, SharedStore, Write, sqlite::SqliteStore},
};
use serde_json::{Map, Value, json};

use crate::support::{
    carriers::{Mood, ScriptedCarrier, registry},
    invariants::numbers_in,
    people::{account, actor},
    vectors::{Deviation, Vector, vector_tests},
};

/// The account with a carrier of its own.
const CHILD: &str = "account0000000000000000000000003";

const DEVIATIONS: &[Deviation] = &[Deviation {
    area: "search/results",
    given: r#"{"carrier":"knm_telnyx","country":"GB","prefix":"1","quantity":2}"#,
    reason: "a prefix has at least three digits, so that it lies in one database",
}];

vector_tests! {
    calling_codes: "country_prefix" => |vector| json!(calling_code(vector.text()));
    carriers_of_accounts: "carriers/info" => |vector| wait(carriers_info(vector));
    one_carrier: "carriers/find" => |vector| wait(find(vector));
    what_a_carrier_finds: "search/results" => |vector| wait(results(vector));
    numbers_that_are_made: "maintenance/generate_numbers" => |vector| wait(generate(vector));
}

fn wait(answer: impl Future<Output = Value>) -> Value {
    tokio::runtime::Runtime::new().unwrap().block_on(answer)
}

fn service(store: &SharedStore) -> NumberService {
    let settings = SettingsRepository::new(store.clone());
    let numbers = NumberRepository::new(store.clone(), Arc::new(SystemClock), settings.clone());
    let accounts = AccountRepository::new(store.clone());
    let features = FeatureSettingsRepository::new(store.clone());
    NumberService::new(numbers, accounts, settings, AccountRule::Ours, features)
}

async fn configure(store: &SharedStore, db: &str, id: &str, members: Value) {
    let Value::Object(body) = members else { unreachable!() };
    let db = DbName::new(db);
    store.create_database(&db).await.unwrap();
    store.commit(vec![Write::put(db, id, Expect::Absent, body)]).await.unwrap();
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

async fn carriers_info(vector: &Vector) -> Value {
    let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
    let db = account_database(&AccountId::parse(CHILD).unwrap());
    let own = json!({"carrier_modules": ["knm_bandwidth2"]});
    configure(&store, &db, "configs_number_manager", own).await;
    let given = &vector.given;
    let actor = actor(&given["auth_account"]);
    let searcher = Searcher {
        account: account(given, "account"),
        reseller: account(given, "reseller"),
        caller: actor.name().to_owned(),
    };
    let info = service(&store).carriers_info(&actor, &searcher).await.unwrap();
    let states: Vec<&str> = info.usable_creation_states.iter().map(|it| it.as_str()).collect();
    // What an answer must only contain is given back when it does.
    let mut answer = Map::new();
    for (key, wanted) in vector.expect.as_object().unwrap() {
        let holds = |all: &[&str]| texts(wanted).iter().all(|it| all.contains(it));
        let carriers: Vec<&str> = info.usable_carriers.iter().map(String::as_str).collect();
        let said = match key.as_str() {
            "maximal_prefix_length" => json!(info.maximal_prefix_length),
            "usable_creation_states" => json!(states),
            "usable_creation_states_superset" if holds(&states) => wanted.clone(),
            "usable_carriers_contains" if holds(&carriers) => wanted.clone(),
            _ => Value::Null,
        };
        answer.insert(key.clone(), said);
    }
    Value::Object(answer)
}

/// What is found where one carrier is searched: the local one, or one that has `numbers`.
async fn search(
    carrier: &str,
    code: &str,
    prefix: &str,
    quantity: &Value,
    numbers: &[String],
) -> Option<Vec<Found>> {
    let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
    let members = json!({"default": {"carrier_modules": [carrier]}});
    configure(&store, "system_config", "number_manager", members).await;
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let scripted = ScriptedCarrier::new(Mood::Willing, &numbers);
    let service = service(&store).with_carriers(registry(&[(carrier, &scripted)]));
    let query = SearchQuery {
        prefix: Prefix::parse(&format!("{code}{prefix}")).ok()?,
        country: "US".to_owned(),
        quantity: usize::try_from(quantity.as_u64().unwrap()).unwrap(),
        offset: 0,
    };
    let searcher = Searcher { account: None, reseller: None, caller: "system".to_owned() };
    Some(service.search(&searcher, &query).await.unwrap())
}

async fn find(vector: &Vector) -> Value {
    let given = &vector.given;
    let numbers: Vec<String> = if given["module"] == "knm_local" {
        Vec::new()
    } else {
        (7900..7930).map(|n| format!("+1415886{n}")).collect()
    };
    let (carrier, prefix) = (given["module"].as_str().unwrap(), given["prefix"].as_str().unwrap());
    let found = search(carrier, "+1", prefix, &given["quantity"], &numbers).await.unwrap();
    if found.is_empty() {
        return json!({"error": "not_available"});
    }
    assert!(found.iter().all(|it| it.state == State::Discovery));
    let numbers: Vec<&str> = found.iter().map(|it| it.number.as_str()).collect();
    json!({"count": numbers.len(), "numbers": numbers})
}

/// The carrier has numbers on both sides of what is asked for.
async fn results(vector: &Vector) -> Value {
    let given = &vector.given;
    let text = |key: &str| given[key].as_str().unwrap();
    let numbers: Vec<String> = (0..30)
        .map(|n| format!("+{}550{n:04}", [1_301_358, 1_301_359, 1_301_360][n % 3]))
        .collect();
    let code = calling_code(text("country")).unwrap();
    let found = search(text("carrier"), &code, text("prefix"), &given["quantity"], &numbers).await;
    let Some(found) = found else {
        return Value::Null;
    };
    let start = format!("{code}{}", text("prefix"));
    assert!(found.iter().all(|it| it.number.as_str().starts_with(&start)));
    json!({"count": found.len(), "all_start_with": start})
}

async fn generate(vector: &Vector) -> Value {
    let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
    let service = service(&store);
    let id = AccountId::parse(CHILD).unwrap();
    let new = NewAccount {
        name: "child".to_owned(),
        parent: None,
        is_reseller: false,
        may_add_numbers: false,
        enabled: true,
    };
    service.create_account(&Actor::operator(), &id, new).await.unwrap();
    let text = |key: &str| vector.given[key].as_str().unwrap().to_owned();
    let (kind, quantity) = (text("type"), vector.given["quantity"].as_i64().unwrap());
    let wanted = service.generation(&kind, CHILD, &text("start"), quantity).await.unwrap();
    let outcome = service.generate_page(&wanted, None, 1000).await.unwrap();
    assert_eq!((outcome.failed, outcome.next), (Vec::new(), None));
    if quantity == 0 {
        assert_eq!(store.databases("numbers/").await.unwrap(), []);
        return json!([]);
    }
    let documents = numbers_in(&*store, &DbName::new(wanted.database())).await;
    let made: Vec<String> = documents.into_iter().map(|document| document.id).collect();
    json!(made)
}
