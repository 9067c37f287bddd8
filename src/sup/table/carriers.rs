//! Counting, converting and making numbers.

use serde_json::{Value, json};

use super::{NUMBERS, Row, databases, job_with, numbers, row};
use crate::sup::{
    Command, Question,
    arguments::{Parameter, many, one},
};

const PREFIXES: Parameter = many("PREFIX");

pub(super) const ROWS: &[Row] = &[
    row("carrier_module_usage", &[PREFIXES.or_none()], |it| {
        Command::Question(Question::Usage { prefixes: it.list(0).map(<[String]>::to_vec) })
    }),
    row("convert_carrier_module", &[one("SOURCE"), one("TARGET"), PREFIXES.or_none()], |it| {
        let members = json!({ "source": it.text(0), "target": it.text(1) });
        job_with("convert_carrier", databases(it, 2), members)
    }),
    row("convert_carrier_module_number", &[NUMBERS, one("TARGET")], |it| {
        job_with("convert_carrier", numbers(it, 0), json!({ "target": it.text(1) }))
    }),
    row("generate_numbers", &[one("TYPE"), one("ACCOUNT"), one("START"), one("QUANTITY")], |it| {
        let members = json!({
            "type": it.text(0), "account": it.text(1), "start": it.text(2), "quantity": it.text(3),
        });
        job_with("generate_numbers", Value::Null, members)
    }),
];
