//! DASH, as its documentation has it: addresses of numbers, known and in force.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::http::Method;

use super::vendor::{Said, Seen, Vendor, inside};

/// Who it lets in.
pub(crate) const USER: &str = "acme";
pub(crate) const PASSWORD: &str = "dash-s3cret<&>";

/// What it knows; every clone is the same vendor.
#[derive(Clone, Default)]
pub(crate) struct Dash(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The addresses of each number, by their ids, and the one in force.
    numbers: BTreeMap<String, Held>,
    last_id: u32,
}

#[derive(Default)]
struct Held {
    streets: BTreeMap<String, String>,
    in_force: Option<String>,
    caller: String,
}

impl Dash {
    /// The street that is in force for a number, and who is said to call.
    pub(crate) fn in_force(&self, number: &str) -> Option<(String, String)> {
        let state = self.0.lock().unwrap();
        let held = state.numbers.get(&format!("tel:{}", number.trim_start_matches('+')))?;
        let street = held.streets.get(held.in_force.as_ref()?)?;
        Some((street.clone(), held.caller.clone()))
    }
}

impl Vendor for Dash {
    fn answer(&mut self, seen: &Seen) -> Said {
        if seen.header("authorization") != Some("Basic YWNtZTpkYXNoLXMzY3JldDwmPg==") {
            let words = seen.header("authorization").unwrap_or("nobody");
            return (401, format!("<html>no such user: {words} {PASSWORD}</html>"));
        }
        assert_eq!((&seen.method, seen.header("content-type")), (&Method::POST, Some("text/xml")));
        let body = unescaped(&seen.body);
        let mut state = self.0.lock().unwrap();
        match seen.path.as_str() {
            "/validatelocation" => validate(&body),
            "/addlocation" => state.add(&body),
            "/provisionlocation" => state.provision(&body),
            "/removeuri" => state.remove(&body),
            other => (404, format!("no such path: {other}")),
        }
    }
}

impl State {
    fn add(&mut self, body: &str) -> Said {
        self.last_id += 1;
        let id = (10_000_000 + self.last_id).to_string();
        let uri = inside(body, "uri").trim_start_matches("<uri>").to_owned();
        let held = self.numbers.entry(uri).or_default();
        let street = inside(body, "address1").to_uppercase();
        held.streets.insert(id.clone(), street);
        inside(body, "callername").clone_into(&mut held.caller);
        let more = format!(
            "<activatedtime xsi:nil=\"true\"/><callername>{}</callername>\
             <locationid>{id}</locationid>",
            escaped(&held.caller)
        );
        answer("addLocation", &location(body, "GEOCODED", &more))
    }

    fn provision(&mut self, body: &str) -> Said {
        let id = inside(body, "locationid");
        let held = self.numbers.values_mut().find(|held| held.streets.contains_key(id));
        let Some(held) = held else { return (404, "<fault>NotFound</fault>".to_owned()) };
        let code = if held.streets[id].contains("UNREACHABLE") {
            "ERROR"
        } else {
            held.in_force = Some(id.to_owned());
            "PROVISIONED"
        };
        answer(
            "provisionLocation",
            &format!("<LocationStatus><code>{code}</code></LocationStatus>"),
        )
    }

    fn remove(&mut self, body: &str) -> Said {
        match self.numbers.remove(inside(body, "uri")) {
            Some(_) => answer("removeURI", "<URIStatus><code>REMOVED</code></URIStatus>"),
            None => (500, "<fault>NotFound: no such URI</fault>".to_owned()),
        }
    }
}

fn validate(body: &str) -> Said {
    let street = inside(body, "address1");
    let found = match street {
        it if it.starts_with("Nowhere") => location(body, "INVALID", ""),
        it if it.starts_with("Broken") => location(body, "ERROR", ""),
        it if it.starts_with("Twice") => {
            ["1", "2"].map(|zip| location(&body.replace("94105", zip), "GEOCODED", "")).concat()
        }
        _ => location(body, "GEOCODED", ""),
    };
    answer("validateLocation", &found)
}

fn location(body: &str, code: &str, more: &str) -> String {
    let upper = |name| escaped(&inside(body, name).to_uppercase());
    format!(
        "<Location><address1>{}</address1><community>{}</community><latitude>37.791</latitude>\
         <longitude>-122.394</longitude><legacydata><housenumber>100</housenumber><predirectional/>\
         <streetname>MAIN ST</streetname></legacydata>{more}<plusfour>1801</plusfour>\
         <postalcode>{}</postalcode><state>{}</state><status><code>{code}</code>\
         <description>Location is {}</description></status></Location>",
        upper("address1"),
        upper("community"),
        upper("postalcode"),
        upper("state"),
        code.to_lowercase(),
    )
}

fn answer(word: &str, inner: &str) -> Said {
    let words = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ns1:{word}Response \
         xmlns:ns1=\"http://dashcs.com/api/v1/emergency\">{inner}</ns1:{word}Response>"
    );
    (200, words)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&amp;", "&")
}
