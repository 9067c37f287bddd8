//! Bandwidth, Numbers API v2 in XML, as its documentation has it.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::json;

use super::vendor::{Said, Seen, Vendor, inside};

/// The account that it knows.
pub(crate) const ACCOUNT: &str = "9900000";
/// The secret that it gives tokens for.
pub(crate) const SECRET: &str = "bandwidth-client-secret";
/// `client:bandwidth-client-secret`, as HTTP has it.
const CLIENT: &str = "Basic Y2xpZW50OmJhbmR3aWR0aC1jbGllbnQtc2VjcmV0";
/// `user:old-password`, as HTTP has it.
const USER: &str = "Basic dXNlcjpvbGQtcGFzc3dvcmQ=";

/// What it has and has sold.
#[derive(Default)]
pub(crate) struct Bandwidth {
    offers: Vec<String>,
    owned: BTreeMap<String, String>,
    orders: Vec<Placed>,
    slow: u32,
    is_failing: bool,
    tokens: u32,
    /// How many requests a token is good for; 0 for all.
    uses: u32,
    used: u32,
    is_brief: bool,
}

struct Placed {
    kind: &'static str,
    id: String,
    reference: String,
    number: String,
    status: &'static str,
    looks: u32,
}

impl Bandwidth {
    /// One whose tokens are good for so many requests, whatever it says.
    pub(crate) fn forgetful(uses: u32) -> Self {
        Self { uses, ..Self::default() }
    }

    /// One whose numbers come without details.
    pub(crate) fn brief() -> Self {
        Self { is_brief: true, ..Self::default() }
    }

    fn is_let_in(&mut self, seen: &Seen) -> bool {
        let given = seen.header("authorization").unwrap_or_default();
        self.used += 1;
        let is_good = self.uses == 0 || self.used <= self.uses;
        given == USER || given == format!("Bearer bw-token-{}", self.tokens) && is_good
    }

    fn search(&self, seen: &Seen) -> Said {
        let is = |name: &str| seen.asked(name);
        let most: usize = is("quantity").unwrap().parse().unwrap();
        assert!((1..=5000).contains(&most));
        let prefix = match seen.query.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()[..]
        {
            ["areaCode", ..] => format!("+1{}", is("areaCode").unwrap()),
            ["npaNxx", "LCA", ..] => format!("+1{}", is("npaNxx").unwrap()),
            ["npaNxxx", "LCA", ..] => format!("+1{}", is("npaNxxx").unwrap()),
            ["tollFreeWildCardPattern", ..] => {
                format!("+1{}", is("tollFreeWildCardPattern").unwrap())
            }
            ["countryCodeA3", "phoneNumberType", "areaCode", ..] => {
                assert_eq!(is("countryCodeA3"), Some("GBR"));
                format!("+44{}", is("areaCode").unwrap())
            }
            _ => return search_error("4010", "No query parameters were specified"),
        };
        let found = self.offers.iter().filter(|it| it.starts_with(&prefix)).take(most);
        let (count, list) = if self.is_brief || is("enableTNDetail") != Some("true") {
            let rows: Vec<_> = found
                .map(|it| format!("<TelephoneNumber>{}</TelephoneNumber>", &it[2..]))
                .collect();
            (rows.len(), format!("<TelephoneNumberList>{}</TelephoneNumberList>", rows.concat()))
        } else {
            let rows: Vec<_> = found.map(|number| detail(number)).collect();
            let list = rows.concat();
            (rows.len(), format!("<TelephoneNumberDetailList>{list}</TelephoneNumberDetailList>"))
        };
        if count == 0 {
            return xml(200, "<SearchResult/>");
        }
        xml(200, &format!("<SearchResult><ResultCount>{count}</ResultCount>{list}</SearchResult>"))
    }

    fn place(&mut self, kind: &'static str, seen: &Seen) -> Said {
        let body = &seen.body;
        assert_eq!(seen.header("content-type"), Some("application/xml"));
        let number = inside(body, "TelephoneNumber").to_owned();
        let reference = inside(body, "CustomerOrderId").to_owned();
        assert!(reference.len() <= 40, "{reference}");
        if kind == "orders" {
            if !body.contains("<ExistingTelephoneNumberOrderType><TelephoneNumberList>") {
                return xml(500, "<OrderResponse/>");
            }
            if inside(body, "SiteId") != "1001" {
                return refused("OrderResponse", "5022", "No SiteId");
            }
            if !self.offers.contains(&number) {
                return refused("OrderResponse", "5005", "The telephone number is not available");
            }
            self.offers.retain(|it| *it != number);
        } else if !body.contains("<DisconnectTelephoneNumberOrderType>") {
            return refused("DisconnectTelephoneNumberOrderResponse", "5001", "Invalid list");
        }
        let id = format!("11111111-2222-4333-8444-{:012}", self.orders.len());
        let status = "RECEIVED";
        self.orders.push(Placed { kind, id: id.clone(), reference, number, status, looks: 0 });
        let order = body.split_once("?>").map_or(&**body, |(_, order)| order);
        if kind == "disconnects" {
            return xml(
                201,
                &format!(
                    "<DisconnectTelephoneNumberOrderResponse><orderRequest><id>{id}</id>\
                 </orderRequest><OrderStatus>RECEIVED</OrderStatus>\
                 </DisconnectTelephoneNumberOrderResponse>"
                ),
            );
        }
        let order = order.replace("</Order>", &format!("<id>{id}</id></Order>"));
        xml(201, &format!("<OrderResponse>{order}</OrderResponse>"))
    }

    fn look(&mut self, kind: &str, id: &str) -> Said {
        let Some(order) = self.orders.iter_mut().find(|it| it.id == id && it.kind == kind) else {
            return xml(404, "");
        };
        order.looks += 1;
        if order.status == "RECEIVED" && order.looks > self.slow {
            order.status = if self.is_failing { "FAILED" } else { "COMPLETE" };
            if order.status == "COMPLETE" && order.kind == "orders" {
                self.owned.insert(order.number.clone(), order.id.clone());
            } else if order.status == "COMPLETE" {
                self.owned.remove(&order.number);
            }
        }
        let (status, number, reference) = (order.status, &order.number, &order.reference);
        let numbers = match status {
            "COMPLETE" => format!(
                "<CompletedNumbers><TelephoneNumber><FullNumber>{number}</FullNumber>\
                 </TelephoneNumber></CompletedNumbers>"
            ),
            "FAILED" => error("5005", "The telephone number is not available"),
            _ => String::new(),
        };
        let order = format!(
            "<Order><CustomerOrderId>{reference}</CustomerOrderId><Name>Kazoo-1</Name></Order>"
        );
        let status = format!("<OrderStatus>{status}</OrderStatus>");
        if kind == "disconnects" {
            let root = "DisconnectTelephoneNumberOrderResponse";
            return xml(200, &format!("<{root}>{status}{numbers}</{root}>"));
        }
        xml(200, &format!("<OrderResponse>{order}{status}{numbers}</OrderResponse>"))
    }

    fn list(&self, reference: &str) -> Said {
        let found =
            self.orders.iter().filter(|it| it.kind == "orders" && it.reference == reference);
        let row = |it: &Placed| {
            format!(
                "<OrderIdUserIdDate><CustomerOrderId>{}</CustomerOrderId><userId>api</userId>\
                 <orderId>{}</orderId><OrderStatus>{}</OrderStatus></OrderIdUserIdDate>",
                it.reference, it.id, it.status
            )
        };
        let rows: Vec<_> = found.map(row).collect();
        let (count, rows) = (rows.len(), rows.concat());
        xml(
            200,
            &format!(
                "<ResponseSelectWrapper><ListOrderIdUserIdDate><TotalCount>{count}</TotalCount>{rows}\
             </ListOrderIdUserIdDate></ResponseSelectWrapper>"
            ),
        )
    }

    fn standing(&self, number: &str) -> Said {
        let (status, account) =
            match (self.owned.get(number), self.offers.iter().any(|it| it == number)) {
                (Some(_), _) => ("Inservice", format!("<AccountId>{ACCOUNT}</AccountId>")),
                (None, true) => ("Available", String::new()),
                (None, false) => return xml(404, ""),
            };
        xml(
            200,
            &format!(
                "<TelephoneNumberResponse><TelephoneNumber>{number}</TelephoneNumber>\
             <Status>{status}</Status>{account}</TelephoneNumberResponse>"
            ),
        )
    }
}

impl Vendor for Bandwidth {
    fn answer(&mut self, seen: &Seen) -> Said {
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        if parts == ["api", "v1", "oauth2", "token"] {
            if seen.header("authorization") != Some(CLIENT) {
                let words = format!("who is {:?}?", seen.header("authorization"));
                return (
                    401,
                    json!({"error": "invalid_client", "error_description": words}).to_string(),
                );
            }
            assert_eq!(seen.body, "grant_type=client_credentials");
            self.tokens += 1;
            self.used = 0;
            let token = format!("bw-token-{}", self.tokens);
            let said = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
            return (200, said.to_string());
        }
        if !self.is_let_in(seen) {
            let words = format!("no entry: {}", seen.header("authorization").unwrap_or_default());
            return xml(401, &format!("<Response>{}</Response>", error("401", &words)));
        }
        match (&seen.method, parts.as_slice()) {
            (&Method::GET, ["accounts", ACCOUNT, "availableNumbers"]) => self.search(seen),
            (&Method::POST, ["accounts", ACCOUNT, "orders"]) => self.place("orders", seen),
            (&Method::POST, ["accounts", ACCOUNT, "disconnects"]) => {
                self.place("disconnects", seen)
            }
            (&Method::GET, ["accounts", ACCOUNT, "orders"]) => {
                self.list(seen.asked("customerOrderId").unwrap())
            }
            (&Method::GET, ["accounts", ACCOUNT, kind, id]) => self.look(kind, id),
            (&Method::GET, ["tns", number]) => self.standing(number),
            _ => xml(404, ""),
        }
    }

    fn offer(&mut self, number: &str) {
        self.offers.push(number.to_owned());
    }

    fn owns(&self, number: &str) -> bool {
        self.owned.contains_key(number)
    }

    fn slow(&mut self, looks: u32) {
        self.slow = looks;
    }

    fn failing(&mut self) {
        self.is_failing = true;
    }
}

fn detail(number: &str) -> String {
    format!(
        "<TelephoneNumberDetail><CountryCodeA3>USA</CountryCodeA3><City>SAN FRANCISCO</City>\
         <LATA>722</LATA><RateCenter>SNFC CNTRL</RateCenter><State>CA</State>\
         <FullNumber>{number}</FullNumber><Tier>0</Tier><VendorId>49</VendorId>\
         <VendorName>Bandwidth CLEC</VendorName></TelephoneNumberDetail>"
    )
}

fn error(code: &str, words: &str) -> String {
    format!(
        "<ErrorList><Error><Code>{code}</Code><Description>{words}</Description></Error></ErrorList>"
    )
}

fn refused(root: &str, code: &str, words: &str) -> Said {
    xml(400, &format!("<{root}>{}</{root}>", error(code, words)))
}

fn search_error(code: &str, words: &str) -> Said {
    xml(
        400,
        &format!(
            "<SearchResult><Error><Code>{code}</Code><Description>{words}</Description></Error>\
         </SearchResult>"
        ),
    )
}

fn xml(status: u16, root: &str) -> Said {
    (status, format!("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>{root}"))
}
