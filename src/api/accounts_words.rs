//! An account in the words of the document.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use utoipa::ToSchema;

/// An account.
#[derive(ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the wire says so")]
pub(super) struct AccountBody {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Whether it is in use.
    enabled: bool,
    /// Whether it may add numbers.
    wnm_allow_additions: bool,
    /// Whether it bills its descendants.
    is_reseller: bool,
    /// Whether it runs the platform.
    superduper_admin: bool,
    /// Its ancestors, root first.
    tree: Vec<String>,
    /// The account above it.
    parent_id: Option<String>,
    /// The account that bills it.
    reseller_id: Option<String>,
}

/// An account to be created, or what is to change.
#[derive(ToSchema)]
pub(super) struct AccountRequest {
    data: AccountData,
}

/// The members of an account that can be written. All but `wnm_allow_additions` only when it is
/// created.
#[derive(ToSchema)]
struct AccountData {
    /// Its name; needed when it is created.
    name: Option<String>,
    /// The account above it; none for a root.
    parent_id: Option<String>,
    /// Whether it bills its descendants.
    is_reseller: Option<bool>,
    /// Whether it may add numbers.
    wnm_allow_additions: Option<bool>,
    /// Whether it is in use; so it is unless said otherwise.
    enabled: Option<bool>,
}
