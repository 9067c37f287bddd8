//! The old commands about features, and the words that they print.

use serde_json::{Value, json};

use super::report::{Refusal, Refused, Report};
use crate::{
    domain::{AccountId, Actor, E164, KNOWN_FEATURES},
    service::{Error, FeatureHolder, FeatureListKind, FeaturePermissions, NumberService},
};

/// Whose lists a command is about, as given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A number.
    Number(String),
    /// The reseller of an account.
    ResellerOf(String),
    /// The system.
    System,
}

/// An old command about features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeatureCommand {
    /// Which features there are.
    All,
    /// Whose documents route a number: the number and the account, as given.
    AppUsing(String, String),
    /// What the lists say.
    Show(Subject),
    /// Adds a feature to a list or takes it off.
    Change {
        /// Whose list.
        subject: Subject,
        /// Which one.
        kind: FeatureListKind,
        /// Whether the feature is added.
        add: bool,
        /// The feature.
        feature: String,
    },
    /// Writes the system's default list.
    Reset,
    /// Makes sure that the system allows what is for administrators only.
    EnsureAdminOnly,
}

/// Runs a command.
pub(super) async fn run(
    service: &NumberService,
    actor: &Actor,
    command: FeatureCommand,
) -> Result<Report, Refused> {
    let (data, text) = match command {
        FeatureCommand::All => (json!({ "features": KNOWN_FEATURES }), known()),
        FeatureCommand::AppUsing(number, account) => {
            let account = account_of(&account)?;
            let number = service.parse(&number).await.map_err(unread)?;
            let app = service.app_using(actor, &account, &number).await.map_err(unread)?;
            let line = app.map_or_else(String::new, |app| format!("{app}\n"));
            (json!({ "app": app }), line)
        }
        FeatureCommand::Show(subject) => {
            let holder = holder(service, &subject).await?;
            let shown = service.feature_permissions(actor, &holder).await;
            let shown = shown.map_err(|error| refused(&subject, error))?;
            (shown_permissions(&shown), words(&subject, &holder, &shown))
        }
        FeatureCommand::Change { subject, kind, add, feature } => {
            let holder = holder(service, &subject).await?;
            let changed = service.change_feature(actor, &holder, (kind, add), &feature).await;
            let changed = changed.map_err(|error| refused(&subject, error))?;
            (shown_permissions(&changed), words(&subject, &holder, &changed))
        }
        FeatureCommand::Reset => {
            let reset = service.reset_allowed_features(actor).await.map_err(unread)?;
            (shown_permissions(&reset), of_system(&reset))
        }
        FeatureCommand::EnsureAdminOnly => {
            let ensured = service.ensure_admin_only_features(actor).await;
            let (added, after) = ensured.map_err(unread)?;
            let text = added.map_or_else(String::new, |feature| {
                let said = "Adding the following admin-only number features to system_config: ";
                format!("{said}{feature}\n{}", of_system(&after))
            });
            (shown_permissions(&after), text)
        }
    };
    Ok(Report { data, text })
}

/// The lists as data.
#[must_use]
pub fn shown_permissions(permissions: &FeaturePermissions) -> Value {
    let mut shown = json!({
        "allowed": permissions.allowed,
        "denied": permissions.denied,
        "effective": {
            "allowed": permissions.effective_allowed,
            "denied": permissions.effective_denied,
            "available": permissions.available,
        },
    });
    if let Some(reseller) = &permissions.reseller {
        shown["reseller_id"] = reseller.as_str().into();
    }
    shown
}

fn account_of(text: &str) -> Result<AccountId, Refused> {
    AccountId::parse_any(text).map_err(|_| {
        let line = Some("ERROR: bad identifier".to_owned());
        Refused { why: Refusal::Account(text.to_owned()), line }
    })
}

async fn holder(service: &NumberService, subject: &Subject) -> Result<FeatureHolder, Refused> {
    Ok(match subject {
        Subject::Number(text) => FeatureHolder::Number(service.parse(text).await.map_err(unread)?),
        Subject::ResellerOf(text) => FeatureHolder::ResellerOf(account_of(text)?),
        Subject::System => FeatureHolder::System,
    })
}

fn unread(error: Error) -> Refused {
    let line = Some(format!("ERROR: {}", error.id()));
    Refused { why: Box::new(error).into(), line }
}

/// A refusal in the words of the old command.
fn refused(subject: &Subject, error: Error) -> Refused {
    let line = match (&error, subject) {
        (Error::UnknownFeature(name), _) => {
            format!("Feature '{name}' is not a known feature.\n{}", known().trim_end())
        }
        (other, Subject::Number(number)) => format!("Error with number {number}: {}", other.id()),
        (other, _) => format!("ERROR: {}", other.id()),
    };
    Refused { why: Box::new(error).into(), line: Some(line) }
}

fn known() -> String {
    format!("Known features:\n\t{}\n", KNOWN_FEATURES.join(" "))
}

fn words(subject: &Subject, holder: &FeatureHolder, shown: &FeaturePermissions) -> String {
    let lists = |title: String| {
        let (allowed, denied) = (shown.allowed.join(" "), shown.denied.join(" "));
        format!("{title}:\n\tFeatures allowed: {allowed}\n\tFeatures denied: {denied}\n")
    };
    match (subject, holder) {
        (Subject::ResellerOf(account), _) => {
            let reseller = shown.reseller.as_ref().map_or("", AccountId::as_str);
            lists(format!("Feature permissions on reseller of {account} ({reseller})"))
        }
        (_, FeatureHolder::Number(number)) => {
            lists(format!("Feature permissions on {}", E164::as_str(number)))
        }
        _ => of_system(shown),
    }
}

fn of_system(shown: &FeaturePermissions) -> String {
    let names = shown.effective_allowed.join(" ");
    format!("Features allowed on system config document:\n\t{names}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_printed_as_the_old_commands_did() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let shown = FeaturePermissions {
            allowed: list(&["cnam", "e911"]),
            denied: list(&["port"]),
            effective_allowed: list(&["cnam", "e911"]),
            ..FeaturePermissions::default()
        };
        let number = FeatureHolder::Number(E164::parse("+14155550100").unwrap());
        assert_eq!(
            words(&Subject::Number("4155550100".to_owned()), &number, &shown),
            "Feature permissions on +14155550100:\n\tFeatures allowed: cnam e911\n\tFeatures denied: port\n"
        );
        assert_eq!(
            words(&Subject::System, &FeatureHolder::System, &shown),
            "Features allowed on system config document:\n\tcnam e911\n"
        );
        assert!(known().starts_with("Known features:\n\tfailover force_outbound prepend"));
    }
}
