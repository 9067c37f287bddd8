//! Operations over many numbers, under their own names and under the old commands'.

use axum::extract::State;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::service::{CarrierUsage, ConversionScope, Error, Generation};

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    generate, job,
    openapi::{
        CommandRequest, ConversionRequest, JobBody, OperationsBody, UsageBody, UsageParameters,
        UsageRequest,
    },
    request, sup,
    sup_features::{self, FeatureCommand},
    text,
    words::{Answer, Faults},
};

/// What can be run, with arguments and meaning.
const OPERATIONS: &[(&str, &str, &str)] = &[
    (
        "carrier_usage",
        "prefix, or scope: all | databases | prefix",
        "Counts numbers by carrier, in each database and in total.",
    ),
    (
        "convert_carrier",
        "source, target, dry_run, scope: all | databases | prefix | numbers",
        "Gives numbers another carrier: those of one carrier, or those that are named.",
    ),
    (
        "generate_numbers",
        "type: managed | inum, account, start, quantity, dry_run",
        "Makes consecutive numbers that an account and its customers may take.",
    ),
    (
        "sup",
        "command, args",
        "Runs an old command: carrier_module_usage, convert_carrier_module, \
         convert_carrier_module_number, generate_numbers, all_features, app_using, and those of \
         feature permissions.",
    ),
];

/// An operation with its arguments.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// Counts numbers by carrier; everywhere when there are no prefixes.
    Usage {
        /// The databases or prefixes.
        prefixes: Option<Vec<String>>,
    },
    /// Gives numbers another carrier.
    Convert {
        /// The carrier that they have, unless they are named.
        source: Option<String>,
        /// The carrier that they get.
        target: String,
        /// Which ones.
        scope: ConversionScope,
        /// Whether nothing is to be written.
        dry_run: bool,
    },
    /// Makes numbers for the stock of a carrier.
    Generate(Generation),
    /// Shows or changes which features are allowed.
    Features(FeatureCommand),
}

impl Operation {
    /// A generation that writes.
    pub(super) fn generate(kind: String, account: String, start: String, quantity: i64) -> Self {
        Self::Generate(Generation { kind, account, start, quantity, dry_run: false })
    }

    /// A conversion that writes.
    pub(super) fn convert(source: Option<String>, target: String, scope: ConversionScope) -> Self {
        Self::Convert { source, target, scope, dry_run: false }
    }
}

/// List the operations.
#[utoipa::path(
    get,
    path = "/v2/maintenance",
    tag = "maintenance",
    responses((status = 200, description = "The operations", body = Answer<OperationsBody>), Faults),
)]
pub(super) async fn list_operations(_: AdminCall) -> Reply {
    let operation = |(name, arguments, meaning): &(&str, &str, &str)| {
        json!({
            "operation": name, "arguments": arguments, "meaning": meaning,
        })
    };
    Reply::ok(OPERATIONS.iter().map(operation).collect::<Vec<_>>())
}

/// Count numbers by carrier.
#[utoipa::path(
    get,
    path = "/v2/maintenance/carrier_usage",
    tag = "maintenance",
    params(UsageParameters),
    responses(
        (status = 200, description = "The counts", content(
            (Answer<UsageBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn get_carrier_usage(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let prefix = call.query.get("prefix").filter(|prefix| !prefix.is_empty());
    let prefixes = prefix.map(|prefix| vec![prefix.to_owned()]);
    run(&api, &call, Operation::Usage { prefixes }).await
}

/// Count numbers by carrier.
#[utoipa::path(
    post,
    path = "/v2/maintenance/carrier_usage",
    tag = "maintenance",
    request_body = UsageRequest,
    responses(
        (status = 200, description = "The counts", content(
            (Answer<UsageBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn count_carriers(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let data = call.object()?;
    let prefixes = match (request::text(data, "prefix")?, data.get("scope")) {
        (Some(prefix), None) => Some(vec![prefix]),
        (None, None | Some(Value::Null)) => None,
        (None, Some(_)) => match scope(data)? {
            ConversionScope::All => None,
            ConversionScope::Prefixes(list) => Some(list),
            ConversionScope::Numbers(_) => return Err(bad_scope(data)),
        },
        (Some(_), Some(_)) => return Err(bad_scope(data)),
    };
    run(&api, &call, Operation::Usage { prefixes }).await
}

/// Give numbers another carrier.
#[utoipa::path(
    post,
    path = "/v2/maintenance/convert_carrier",
    tag = "maintenance",
    request_body = ConversionRequest,
    responses(
        (status = 200, description = "The finished job", content(
            (Answer<JobBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn convert_carrier(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let data = call.object()?;
    let source = request::text(data, "source")?;
    let target = request::text(data, "target")?.ok_or_else(|| Fault::required("target"))?;
    let scope = scope(data)?;
    if source.is_none() && !matches!(scope, ConversionScope::Numbers(_)) {
        return Err(Fault::required("source"));
    }
    let dry_run = request::flag(data, "dry_run")?.unwrap_or(false);
    run(&api, &call, Operation::Convert { source, target, scope, dry_run }).await
}

/// Run an old command.
#[utoipa::path(
    post,
    path = "/v2/maintenance/sup",
    tag = "maintenance",
    request_body = CommandRequest,
    responses(
        (status = 200, description = "What the command found or did", content(
            (Answer<JobBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn run_command(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let operation = sup::read(call.object()?)?;
    run(&api, &call, operation).await
}

/// Runs an operation and answers in the form that the client wants.
pub(super) async fn run(api: &Api, call: &AdminCall, operation: Operation) -> Result<Reply, Fault> {
    match operation {
        Operation::Generate(wanted) => generate::run(api, call, &wanted).await,
        Operation::Usage { prefixes } => {
            let usage = count(api, call, prefixes.as_deref()).await?;
            if call.wants_text {
                return Ok(Reply::text(text::usage(&usage)));
            }
            Ok(Reply::ok(usage_body(&usage)))
        }
        Operation::Features(command) => sup_features::run(api, call, command).await,
        Operation::Convert { source, target, scope, dry_run } => {
            let started = api.clock.now();
            let asked = scope_body(&scope);
            let converted = api.service.convert_carrier(
                &call.actor,
                source.as_deref(),
                &target,
                scope,
                dry_run,
            );
            let results = converted.await.map_err(|error| refused(error, call.wants_text))?;
            if call.wants_text {
                let text = text::conversion(source.as_deref(), &target, &results);
                return Ok(Reply::text(text));
            }
            let finished = api.clock.now();
            let operation = "convert_carrier";
            let run = job::Record { name: operation, scope: asked, dry_run, started, finished };
            Ok(Reply::ok(job::conversion(&run, &results)))
        }
    }
}

async fn count(
    api: &Api,
    call: &AdminCall,
    prefixes: Option<&[String]>,
) -> Result<CarrierUsage, Fault> {
    let prefixes: Option<Vec<String>> =
        prefixes.map(|given| given.iter().map(|text| prefix(text)).collect());
    Ok(api.service.carrier_usage(&call.actor, prefixes.as_deref()).await?)
}

/// The prefix that a database is for, or the prefix itself.
fn prefix(given: &str) -> String {
    let name = percent_decode_str(given).decode_utf8_lossy();
    name.strip_prefix("numbers/").unwrap_or(&name).to_owned()
}

/// In words an unknown carrier is the one line that the old command printed.
pub(super) fn refused(error: Error, in_words: bool) -> Fault {
    let line = match &error {
        Error::UnknownCarrier(_) if in_words => Some(error.to_string()),
        _ => None,
    };
    let fault = Fault::from(error);
    match line {
        Some(line) => fault.in_words(&line),
        None => fault,
    }
}

/// Reads which numbers an operation is about: exactly one form.
fn scope(data: &Map<String, Value>) -> Result<ConversionScope, Fault> {
    let Some(Value::Object(scope)) = data.get("scope") else {
        return Err(if data.contains_key("scope") {
            bad_scope(data)
        } else {
            Fault::required("scope")
        });
    };
    let mut members = scope.iter();
    let (Some((form, value)), None) = (members.next(), members.next()) else {
        return Err(bad_scope(data));
    };
    let read = match (form.as_str(), value) {
        ("all", Value::Bool(true)) => Some(ConversionScope::All),
        ("databases", Value::Array(list)) => texts(list).map(ConversionScope::Prefixes),
        ("prefix", Value::String(prefix)) => Some(ConversionScope::Prefixes(vec![prefix.clone()])),
        ("numbers", Value::Array(list)) => texts(list).map(ConversionScope::Numbers),
        _ => None,
    };
    read.ok_or_else(|| bad_scope(data))
}

fn texts(list: &[Value]) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> =
        list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    texts.filter(|texts| !texts.is_empty())
}

fn bad_scope(data: &Map<String, Value>) -> Fault {
    let what = json!({
        "message": "scope must be one of all, databases, prefix, numbers",
        "value": data.get("scope"),
    });
    Fault::validation("scope", "invalid", what)
}

fn scope_body(scope: &ConversionScope) -> Value {
    match scope {
        ConversionScope::All => json!({ "all": true }),
        ConversionScope::Prefixes(list) => json!({ "databases": list }),
        ConversionScope::Numbers(list) => json!({ "numbers": list }),
    }
}

fn usage_body(usage: &CarrierUsage) -> Value {
    let mut databases = Map::new();
    for (name, carriers) in &usage.databases {
        databases.insert(text::database(name), json!(carriers));
    }
    json!({ "databases": databases, "totals": text::totals(usage) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn read(value: Value) -> Result<Value, Fault> {
        scope(value.as_object().unwrap()).map(|scope| scope_body(&scope))
    }

    #[test]
    fn a_scope_has_exactly_one_form() {
        let check =
            |given: Value, seen: Value| assert_eq!(read(json!({ "scope": given })).unwrap(), seen);
        check(json!({"all": true}), json!({"all": true}));
        check(json!({"databases": ["+1415"]}), json!({"databases": ["+1415"]}));
        check(json!({"prefix": "+14155"}), json!({"databases": ["+14155"]}));
        check(json!({"numbers": ["4152266659"]}), json!({"numbers": ["4152266659"]}));
        for bad in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "prefix": "+1415"}),
            json!({"databases": []}),
            json!({"databases": [1]}),
            json!({"accounts": ["x"]}),
            json!("all"),
        ] {
            let fault = read(json!({ "scope": bad })).unwrap_err();
            assert_eq!(fault.status.as_u16(), 400, "{bad}");
        }
        assert!(read(json!({})).unwrap_err().data["scope"]["required"].is_object());
    }

    #[test]
    fn a_database_is_the_prefix_that_it_is_for() {
        for given in ["+1415", "numbers/+1415", "numbers%2F%2B1415", "numbers%2f%2b1415"] {
            assert_eq!(prefix(given), "+1415");
        }
    }

    #[test]
    fn an_unknown_carrier_is_one_line_in_words() {
        let fault = refused(Error::UnknownCarrier("knm_bandwid".to_owned()), true);
        assert_eq!(fault.status.as_u16(), 400);
        assert_eq!(fault.text.as_deref(), Some("Bad carrier module: knm_bandwid\n"));
        assert_eq!(refused(Error::UnknownCarrier("x".to_owned()), false).text, None);
    }
}
