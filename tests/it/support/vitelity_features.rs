//! What Vitelity does for a number that is ours, as its documentation has it: emergency addresses and
//! caller names.

use std::sync::{Arc, Mutex};

use super::{
    vendor::{Said, Seen, Vendor},
    vitelity::{PASS, argument},
};

/// What it knows; every clone is the same vendor.
#[derive(Clone)]
pub(crate) struct VitelityFeatures(Arc<Mutex<State>>);

/// A number and what there is for it.
#[derive(Default)]
pub(crate) struct State {
    /// The digits of the number; none when it is not ours.
    pub number: Option<String>,
    /// What was sent as its address.
    pub address: Option<Vec<(String, String)>>,
    /// The name that callees see, and whether callers' names are looked up.
    pub name: Option<String>,
    pub looks_up: bool,
}

impl VitelityFeatures {
    /// One that has this number.
    pub(crate) fn with(number: &str) -> Self {
        let number = Some(number.trim_start_matches("+1").to_owned());
        Self(Arc::new(Mutex::new(State { number, ..State::default() })))
    }

    /// What it knows, to be changed or looked at.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// What was sent under a name with the address in force.
    pub(crate) fn sent(&self, name: &str) -> Option<String> {
        self.look(|it| {
            let found = it.address.as_ref()?.iter().find(|(key, _)| key == name)?;
            Some(found.1.clone())
        })
    }
}

impl Vendor for VitelityFeatures {
    fn answer(&mut self, seen: &Seen) -> Said {
        let argument = |name| argument(seen, name);
        if argument("login").as_deref() != Some("acme") || argument("pass").as_deref() != Some(PASS)
        {
            return fail("invalidauth");
        }
        let mut state = self.0.lock().unwrap();
        let is_ours = argument("did").is_none() || argument("did") == state.number;
        match argument("cmd").unwrap().as_str() {
            "listdids" => {
                let rows = state.number.iter().map(|number| format!("<did>{number}</did>"));
                content(&format!(
                    "<status>ok</status><numbers>{}</numbers>",
                    rows.collect::<String>()
                ))
            }
            _ if !is_ours => fail("invaliddid"),
            "e911checkaddress" if argument("address").unwrap().starts_with("Nowhere") => {
                fail("no such address")
            }
            "e911checkaddress" => done("<response>valid</response>"),
            "e911send" => {
                state.address = Some(seen.form());
                done("<response>success</response><info><msag>YES</msag></info>")
            }
            "e911getinfo" if state.address.is_some() => done("<info><address>x</address></info>"),
            "e911delete" if state.address.take().is_some() => done("<response>success</response>"),
            "lidb" => {
                state.name = argument("name");
                done("<response>ok</response>")
            }
            "cnamenable" => {
                state.looks_up = true;
                done("<response>ok</response>")
            }
            "cnamdisable" => {
                state.looks_up = false;
                done("<response>ok</response>")
            }
            _ => fail("invalid"),
        }
    }
}

fn content(inner: &str) -> Said {
    (200, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<content>{inner}</content>"))
}

fn done(inner: &str) -> Said {
    content(&format!("<status>ok</status>{inner}"))
}

fn fail(error: &str) -> Said {
    content(&format!("<status>fail</status><error>{error}</error>"))
}
