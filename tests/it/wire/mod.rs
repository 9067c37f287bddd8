//! What clients see, over both kinds of stores.

mod console;
mod documents;
mod races;
mod vectors;
