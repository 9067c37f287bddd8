//! `VoIP` Innovations, SOAP service version 3, as its documentation has it.

use std::collections::BTreeSet;

use axum::http::Method;

use super::vendor::{Said, Seen, Vendor, inside};

/// The password that it lets in.
pub(crate) const PASSWORD: &str = "voip-innovations-1";

/// What it has and has sold.
#[derive(Default)]
pub(crate) struct VoipInnovations {
    offers: Vec<String>,
    owned: BTreeSet<String>,
    is_failing: bool,
    wants_whole_exchanges: bool,
    reserves: bool,
}

impl VoipInnovations {
    /// One that wants six digits as the exchange.
    pub(crate) fn wanting_whole_exchanges() -> Self {
        Self { wants_whole_exchanges: true, ..Self::default() }
    }

    /// One that sets a number aside first.
    pub(crate) fn reserving() -> Self {
        Self { reserves: true, ..Self::default() }
    }

    fn search(&self, seen: &Seen) -> Said {
        let (area, exchange) = (inside(&seen.body, "npa"), inside(&seen.body, "nxx"));
        if area.is_empty() && exchange.is_empty() {
            return result("getDIDs", "302490", "No criterion was given", "");
        }
        let is_free = ["800", "888"].contains(&area);
        if is_free != (inside(&seen.body, "state") == "TF") {
            return result("getDIDs", "101", "No records", "");
        }
        let prefix = format!("+1{area}{exchange}");
        let is_readable =
            exchange.is_empty() || self.wants_whole_exchanges == (exchange.len() == 6);
        let found = self.offers.iter().filter(|it| is_readable && it.starts_with(&prefix));
        let row = |number: &String| {
            let digits = &number[2..];
            format!(
                "<DIDLocator><tn>{digits}</tn><rateCenter>SNFC CNTRL</rateCenter><state>CA</state>\
                 <tier>1</tier><lataId>722</lataId><outboundCNAM>true</outboundCNAM>\
                 <t38>true</t38><sms>false</sms></DIDLocator>"
            )
        };
        let rows: Vec<_> = found.map(row).collect();
        let rows = format!("<DIDs/><DIDLocators>{}</DIDLocators>", rows.concat());
        result("getDIDs", "100", "Success", &rows)
    }

    fn assign(&mut self, digits: &str) -> (&'static str, &'static str) {
        let number = format!("+1{digits}");
        if self.owned.contains(&number) {
            return ("104225", "Number already assigned to you");
        }
        if self.is_failing {
            return ("104235", "Number assigned to another company");
        }
        if std::mem::take(&mut self.reserves) {
            return ("104220", "Number already reserved for you");
        }
        if !self.offers.contains(&number) {
            return ("104420", "Number not found");
        }
        self.offers.retain(|it| *it != number);
        self.owned.insert(number);
        ("100", "Assigned to endpoint")
    }
}

impl Vendor for VoipInnovations {
    fn answer(&mut self, seen: &Seen) -> Said {
        assert_eq!(seen.method, Method::POST);
        let action = seen.header("soapaction").unwrap();
        let operation = action.strip_prefix("http://tempuri.org/").unwrap().to_owned();
        let opening = format!("<{operation} xmlns=\"http://tempuri.org/\">");
        assert!(seen.body.contains(&opening), "{}", seen.body);
        if inside(&seen.body, "login") != "acme" || inside(&seen.body, "secret") != PASSWORD {
            let words = format!("Refused: {}", inside(&seen.body, "secret"));
            return result(&operation, "902", &words, "");
        }
        match operation.as_str() {
            "getDIDs" => self.search(seen),
            "assignDID" => {
                let digits = inside(&seen.body, "tn").to_owned();
                if inside(&seen.body, "epg") != "1234" {
                    return of_number("assignDID", &digits, "104258", "Bad endpoint group", "");
                }
                let (code, words) = self.assign(&digits);
                of_number("assignDID", &digits, code, words, "")
            }
            "releaseDID" => {
                let digits = inside(&seen.body, "tn");
                let is_released = self.owned.remove(&format!("+1{digits}"));
                let (code, words) = if is_released {
                    ("100", "Released")
                } else {
                    ("106231", "Number currently available")
                };
                of_number("releaseDID", digits, code, words, "")
            }
            "queryDID" => {
                let digits = inside(&seen.body, "did");
                let number = format!("+1{digits}");
                let word = match (self.owned.contains(&number), self.offers.contains(&number)) {
                    (true, _) => "Assigned",
                    (_, true) => "Available",
                    _ => return of_number("queryDID", digits, "102420", "Number not found", ""),
                };
                of_number("queryDID", digits, "100", "Success", word)
            }
            _ => (500, "<Envelope><Body><Fault><faultstring>no such</faultstring></Fault></Body></Envelope>".to_owned()),
        }
    }

    fn offer(&mut self, number: &str) {
        self.offers.push(number.to_owned());
    }

    fn owns(&self, number: &str) -> bool {
        self.owned.contains(number)
    }

    fn slow(&mut self, _: u32) {}

    fn failing(&mut self) {
        self.is_failing = true;
    }
}

fn of_number(operation: &str, digits: &str, code: &str, words: &str, availability: &str) -> Said {
    let row = format!(
        "<DIDs><DID><tn>{digits}</tn><availability>{availability}</availability><rewrite/>\
         <status>{words}</status><statusCode>{code}</statusCode><tier>1</tier></DID></DIDs>\
         <DIDLocators/>"
    );
    result(operation, "100", "Success", &row)
}

fn result(operation: &str, code: &str, words: &str, inner: &str) -> Said {
    let body = format!(
        "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>\
         <{operation}Response xmlns=\"http://tempuri.org/\"><{operation}Result>\
         <responseCode>{code}</responseCode><responseMessage>{words}</responseMessage>{inner}\
         </{operation}Result></{operation}Response></soap:Body></soap:Envelope>"
    );
    (200, body)
}
