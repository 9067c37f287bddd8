//! Telling others of changes by calls to them.
//!
//! Read in this order: `rules` (whom one may call), `signature` (how a call is signed), `desk` (receivers
//! as administrators keep them), `courier` (who calls them).
//!
//! A receiver's queue is a cursor of the feed of changes: nothing is stored twice, one that is slow or
//! away holds up nobody else, and it can be told everything again from any place that is kept.

mod config;
mod courier;
mod desk;
mod rules;
mod signature;

pub use self::{
    config::WebhooksConfig,
    courier::Courier,
    desk::{ReceiverChange, ReceiverView, WebhookError, Webhooks},
    signature::signature,
};
