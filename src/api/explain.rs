//! Why a number is as it is, and the calls that repair what is wrong with it.

use axum::extract::State;
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{AccountId, Converter, E164},
    service::{
        Explanation, FeatureList, FeaturePermission, Finding, FoundCopy, Repair, Repairs,
        Transition, Version,
    },
};

use super::{
    Api,
    envelope::Reply,
    extract::{AccountCall, AdminCall},
    fault::Fault,
    request,
    words::{Answer, Faults, NumberPath, UnscopedNumberPath},
};

/// How far is looked.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ExplainParameters {
    /// `true` looks for copies in the databases of all accounts; administrators only.
    deep: Option<bool>,
}

/// Why a number is as it is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ExplanationBody {
    /// The number.
    id: String,
    /// The rule that made it of what was asked for; null when it was one already.
    converter: Option<Value>,
    /// The class that it is in.
    classifier: Option<String>,
    /// Whether the number, read again, is itself.
    canonical: bool,
    /// The database of its document.
    database: String,
    /// The live versions of its document, the one that counts first.
    versions: Vec<Value>,
    /// The copies that were found, each with what it differs in.
    copies: Vec<Value>,
    /// The documents of its owner's applications that route it.
    apps: Vec<Value>,
    /// Every state: whether it can be brought into it, else the guard.
    transitions: Vec<Value>,
    /// Every feature: whether it may have it, and who says so.
    features: Vec<Value>,
    /// What is wrong: `kind`, `message`, and `repair`, the call that repairs it.
    findings: Vec<FindingBody>,
}

/// Something that is wrong.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct FindingBody {
    /// What kind of thing.
    kind: String,
    /// The same in words.
    message: String,
    /// The call that repairs it; null where none does.
    repair: Option<CallBody>,
}

/// A call of this API.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct CallBody {
    /// Its method.
    method: String,
    /// Its path.
    path: String,
    /// Its body, with the envelope.
    body: Value,
}

/// What is to be repaired.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct RepairRequest {
    data: RepairData,
}

/// At least one of these.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct RepairData {
    /// The accounts whose copies are brought in line with the number document.
    copies: Option<Vec<String>>,
    /// The revision that is kept of several that contradict each other.
    keep_revision: Option<String>,
    /// What the number is used by; null for nothing.
    used_by: Option<String>,
}

/// Explain a number that the account holds.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/explain",
    tag = "numbers",
    params(NumberPath, ExplainParameters),
    responses((status = 200, description = "Why it is so", body = Answer<ExplanationBody>), Faults),
)]
pub(super) async fn explain_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let asked = call.part("number");
    let deep = call.query.says("deep");
    let explained = api.service.explain(&call.actor, asked, Some(&call.account), deep).await;
    Ok(Reply::ok(body(&explained.map_err(Fault::reading)?)))
}

/// Explain any number.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/{number}/explain",
    tag = "numbers",
    params(UnscopedNumberPath, ExplainParameters),
    responses((status = 200, description = "Why it is so", body = Answer<ExplanationBody>), Faults),
)]
pub(super) async fn explain_any_number(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let deep = call.query.says("deep");
    let explained = api.service.explain(&call.actor, call.part("number"), None, deep).await;
    Ok(Reply::ok(body(&explained.map_err(Fault::reading)?)))
}

/// Repair what is wrong with a number.
#[utoipa::path(
    post,
    path = "/v2/phone_numbers/{number}/repair",
    tag = "numbers",
    params(UnscopedNumberPath),
    request_body = RepairRequest,
    responses(
        (status = 200, description = "What is to be said of it now", body = Answer<ExplanationBody>),
        (status = 202, description = "Copies follow", body = Answer<ExplanationBody>),
        Faults,
    ),
)]
pub(super) async fn repair_number(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let repairs = read(call.object()?)?;
    let asked = call.part("number");
    let is_done = api.service.repair(&call.actor, asked, repairs).await?;
    let reply = Reply::ok(body(&api.service.explain(&call.actor, asked, None, false).await?));
    Ok(if is_done { reply } else { reply.accepted() })
}

fn read(data: &Map<String, Value>) -> Result<Repairs, Fault> {
    let copies = match data.get("copies") {
        None => Vec::new(),
        Some(Value::Array(list)) => list.clone(),
        Some(other) => return Err(Fault::wrong_type("copies", "array", other)),
    };
    let account = |value: &Value| {
        let account = value.as_str().and_then(|text| AccountId::parse_any(text).ok());
        account.ok_or_else(|| Fault::wrong_type("copies", "account id", value))
    };
    let repairs = Repairs {
        copies: copies.iter().map(account).collect::<Result<_, _>>()?,
        keep_revision: request::text(data, "keep_revision")?,
        used_by: if data.contains_key("used_by") {
            Some(request::text(data, "used_by")?.filter(|app| !app.is_empty()))
        } else {
            None
        },
    };
    if repairs.copies.is_empty() && repairs.keep_revision.is_none() && repairs.used_by.is_none() {
        let message = "one of copies, keep_revision, used_by must say what is to be repaired";
        return Err(Fault::validation("data", "required", json!({ "message": message })));
    }
    Ok(repairs)
}

fn body(it: &Explanation) -> Value {
    let owner = it.seen.owner.as_ref();
    let findings = it.findings.iter().map(|finding| finding_body(finding, &it.id));
    json!({
        "id": it.id.as_str(),
        "converter": it.converter.as_ref().map(converter_body),
        "classifier": it.classifier,
        "canonical": it.is_canonical,
        "database": it.database,
        "deleted": it.seen.is_tombstone,
        "assigned_to": owner.map(AccountId::as_str),
        "previously_assigned_to": it.seen.previous_owner.as_ref().map(AccountId::as_str),
        "versions": it.seen.versions.iter().map(version_body).collect::<Vec<_>>(),
        "copies": it.seen.copies.iter().map(|copy| copy_body(copy, owner)).collect::<Vec<_>>(),
        "apps": it.apps.iter().map(|app| json!({"app": app.app, "id": app.id})).collect::<Vec<_>>(),
        "transitions": it.transitions.iter().map(|to| transition_body(to, &it.id)).collect::<Vec<_>>(),
        "features": it.features.iter().map(|of| feature_body(of, &it.id)).collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}

fn converter_body(rule: &Converter) -> Value {
    json!({ "regex": rule.pattern(), "prefix": rule.prefix(), "suffix": rule.suffix() })
}

fn version_body(version: &Version) -> Value {
    match &version.number {
        Ok(number) => json!({
            "revision": version.rev,
            "state": number.state.as_str(),
            "assigned_to": number.owner.as_ref().map(AccountId::as_str),
            "carrier": number.carrier.as_str(),
            "used_by": number.used_by,
        }),
        Err(why) => json!({ "revision": version.rev, "unreadable": why }),
    }
}

fn copy_body(copy: &FoundCopy, owner: Option<&AccountId>) -> Value {
    json!({
        "account": copy.account.as_str(),
        "revision": copy.rev,
        "is_owner": Some(&copy.account) == owner,
        "differs_in": copy.differs_in,
    })
}

fn transition_body(transition: &Transition, id: &E164) -> Value {
    json!({
        "to": transition.to.as_str(),
        "allowed": transition.guard.is_none(),
        "guard": transition.guard.as_ref().map(|guard| guard.id),
        "message": transition.guard.as_ref().map(|guard| &guard.message),
        "repair": call_body(transition.repair.as_ref(), id),
    })
}

fn feature_body(permission: &FeaturePermission, id: &E164) -> Value {
    json!({
        "feature": permission.feature,
        "allowed": permission.is_allowed,
        "by": permission.by,
        "repair": call_body(permission.repair.as_ref(), id),
    })
}

fn finding_body(finding: &Finding, id: &E164) -> Value {
    json!({
        "kind": finding.kind,
        "message": finding.message,
        "repair": call_body(finding.repair.as_ref(), id),
    })
}

/// A repair as the call of this API that does it.
fn call_body(repair: Option<&Repair>, id: &E164) -> Value {
    let Some(repair) = repair else { return Value::Null };
    let number = format!("/v2/phone_numbers/%2B{}", &id.as_str()[1..]);
    let of = |account: &AccountId, rest: &str| format!("/v2/accounts/{account}{rest}");
    let held = |account: &AccountId| of(account, number.trim_start_matches("/v2"));
    let settings = |members: Value| {
        let path = "/v2/system_configs/number_manager".to_owned();
        ("PATCH", path, json!({ "default": members }))
    };
    let (method, path, data) = match repair {
        Repair::Copies(accounts) => {
            let accounts: Vec<&str> = accounts.iter().map(AccountId::as_str).collect();
            ("POST", format!("{number}/repair"), json!({ "copies": accounts }))
        }
        Repair::KeepRevision(rev) => {
            ("POST", format!("{number}/repair"), json!({ "keep_revision": rev }))
        }
        Repair::UsedBy(app) => ("POST", format!("{number}/repair"), json!({ "used_by": app })),
        Repair::Carrier(carrier) => {
            let data = json!({ "target": carrier.as_str(), "scope": { "numbers": [id.as_str()] } });
            ("POST", "/v2/maintenance/convert_carrier?wait=25".to_owned(), data)
        }
        Repair::ReconcileRule(rule) => settings(json!({ "reconcile_regex": rule })),
        Repair::ReleasedState(state) => settings(json!({
            "released_state": state, "should_age": false, "should_permanently_delete": false,
        })),
        Repair::LocalOverride => settings(json!({ "local_feature_override": true })),
        Repair::Reconcile(account) => ("PUT", format!("{}/reconcile", held(account)), json!({})),
        Repair::Feature { list, is_allowed, feature } => {
            let (method, kind) =
                if *is_allowed { ("PUT", "allowed") } else { ("DELETE", "denied") };
            let lists = match list {
                FeatureList::Number => number,
                FeatureList::ResellerOf(account) => of(account, "/reseller"),
                FeatureList::System => "/v2/config".to_owned(),
            };
            (method, format!("{lists}/feature-permissions/{kind}/{feature}"), json!({}))
        }
    };
    json!({ "method": method, "path": path, "body": { "data": data } })
}
