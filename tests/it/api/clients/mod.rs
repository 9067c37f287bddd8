//! The calls of the clients that exist, as they send them, with what each of them needs from the
//! answer. One file per client; what is asserted is what its source reads.

mod go;
mod monster_ui;
mod old_ui;
mod php;
mod python;
mod ruby;
mod scripts;

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{NUMBER, Who, World, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, Answer};

/// A number that an account holds at a carrier that is not local, so that it may have features.
async fn hold(world: &World, number: &str, state: &str) {
    world.keep(number, json!({"pvt_state": state, "pvt_assigned_to": ACCOUNT})).await;
}

/// A number in stock.
async fn stock(world: &World, number: &str) {
    world.keep(number, json!({"pvt_state": "available", "pvt_module_name": "knm_inventory"})).await;
}

/// The names of an object's members.
fn names(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}
