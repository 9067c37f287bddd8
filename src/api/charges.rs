//! What things cost, and how much of everything an account has.

use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::{
    domain::{Category, Money, Quantities},
    service::{Invoice, InvoiceLine},
};

use super::{
    Api,
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    words::{AccountPath, Answer, Faults},
};

/// Who made the invoice.
const BOOKKEEPER: &str = "number_manager";

/// Count what an account and its descendants are billed for.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/quantities",
    tag = "numbers",
    params(AccountPath),
    responses(
        (status = 200, description = "How many of everything", body = Answer<QuantitiesBody>),
        Faults,
    ),
)]
pub(super) async fn get_quantities(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let counted = api.service.quantities(&call.account).await?;
    let mut total = counted.own.clone();
    total.extend(counted.descendants.clone());
    Ok(Reply::ok(json!({
        "own": quantities(&counted.own),
        "descendants": quantities(&counted.descendants),
        "total": quantities(&total),
    })))
}

fn quantities(counted: &Quantities) -> Value {
    let by_name = |category| {
        let counts = counted.within(category);
        counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>()
    };
    let members = Category::ALL.map(|it| (it.as_str().to_owned(), by_name(it).into()));
    Value::Object(members.into_iter().collect())
}

/// An invoice as the wire shows it.
pub(super) fn invoice(invoice: &Invoice) -> Value {
    let is_due = |line: &&InvoiceLine| line.activation() > Money::default();
    let due = invoice.lines.iter().filter(is_due);
    json!({
        "activation_charges": due.map(activation).collect::<Vec<_>>(),
        "items": invoice.lines.iter().map(item).collect::<Vec<_>>(),
        "taxes": [],
        "plan": { "id": BOOKKEEPER },
        "bookkeeper": { "id": BOOKKEEPER, "type": BOOKKEEPER },
        "summary": {
            "today": invoice.today().as_units(),
            "recurring": invoice.recurring().as_units(),
        },
        "account_id": invoice.account.as_str(),
        "currency": invoice.currency,
    })
}

fn activation(line: &InvoiceLine) -> Value {
    let category = match line.item.category {
        Category::PhoneNumbers => "number_activation",
        other => other.as_str(),
    };
    json!({
        "category": category,
        "item": line.item.name,
        "name": line.price.name,
        "quantity": line.gets,
        "amount": line.activation().as_units(),
    })
}

fn item(line: &InvoiceLine) -> Value {
    let change = if line.had == 0 { "created" } else { "modified" };
    json!({
        "category": line.item.category.as_str(),
        "item": line.item.name,
        "name": line.price.name,
        "quantity": line.quantity(),
        "billable": line.quantity(),
        "rate": line.price.monthly.as_units(),
        "total": line.total().as_units(),
        "changes": { "type": change, "difference": { "quantity": line.gets } },
    })
}

pub(super) use document::QuantitiesBody;

/// The document's words only.
mod document {
    #![expect(dead_code, reason = "the types are read by the document's generator only")]

    use std::collections::BTreeMap;

    use utoipa::ToSchema;

    /// How many of everything an account has.
    #[derive(ToSchema)]
    pub(crate) struct QuantitiesBody {
        /// The account itself.
        own: CountsBody,
        /// All accounts below it.
        descendants: CountsBody,
        /// Both together.
        total: CountsBody,
    }

    /// Numbers that accounts hold, counted.
    #[derive(ToSchema)]
    struct CountsBody {
        /// By class, those without the feature `local`.
        phone_numbers: BTreeMap<String, u64>,
        /// By carrier.
        number_carriers: BTreeMap<String, u64>,
        /// By feature in force.
        number_services: BTreeMap<String, u64>,
    }
}
