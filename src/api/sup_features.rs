//! The old commands about features, and the words that they print.

use serde_json::json;

use crate::{
    domain::{AccountId, E164, KNOWN_FEATURES},
    service::{Error, FeatureHolder, FeatureListKind, FeaturePermissions},
};

use super::{Api, envelope::Reply, extract::AdminCall, fault::Fault, features};

/// Whose lists a command is about, as given.
#[derive(Clone, Debug)]
pub(super) enum Subject {
    /// A number.
    Number(String),
    /// The reseller of an account.
    ResellerOf(String),
    /// The system.
    System,
}

/// An old command about features.
#[derive(Clone, Debug)]
pub(super) enum FeatureCommand {
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

/// Runs a command, and answers in the form that was asked for.
pub(super) async fn run(
    api: &Api,
    call: &AdminCall,
    command: FeatureCommand,
) -> Result<Reply, Fault> {
    let (data, text) = match command {
        FeatureCommand::All => (json!({ "features": KNOWN_FEATURES }), known()),
        FeatureCommand::AppUsing(number, account) => {
            let account = account_of(&account)?;
            let number = api.service.parse(&number).await?;
            let app = api.service.app_using(&call.actor, &account, &number).await?;
            let line = app.map_or_else(String::new, |app| format!("{app}\n"));
            (json!({ "app": app }), line)
        }
        FeatureCommand::Show(subject) => {
            let holder = holder(api, &subject).await.map_err(|fault| in_words(call, fault))?;
            let shown = api.service.feature_permissions(&call.actor, &holder).await;
            let shown = shown.map_err(|error| refused(call, &subject, error))?;
            (features::body(&shown), words(&subject, &holder, &shown))
        }
        FeatureCommand::Change { subject, kind, add, feature } => {
            let holder = holder(api, &subject).await.map_err(|fault| in_words(call, fault))?;
            let change = (kind, add);
            let changed = api.service.change_feature(&call.actor, &holder, change, &feature).await;
            let changed = changed.map_err(|error| refused(call, &subject, error))?;
            (features::body(&changed), words(&subject, &holder, &changed))
        }
        FeatureCommand::Reset => {
            let reset = api.service.reset_allowed_features(&call.actor).await?;
            (features::body(&reset), of_system(&reset))
        }
        FeatureCommand::EnsureAdminOnly => {
            let (added, after) = api.service.ensure_admin_only_features(&call.actor).await?;
            let text = added.map_or_else(String::new, |feature| {
                let said = "Adding the following admin-only number features to system_config: ";
                format!("{said}{feature}\n{}", of_system(&after))
            });
            (features::body(&after), text)
        }
    };
    Ok(if call.wants_text { Reply::text(text) } else { Reply::ok(data) })
}

fn account_of(text: &str) -> Result<AccountId, Fault> {
    AccountId::parse_any(text).map_err(|_| Fault::invalid_account(text))
}

async fn holder(api: &Api, subject: &Subject) -> Result<FeatureHolder, Fault> {
    Ok(match subject {
        Subject::Number(text) => FeatureHolder::Number(api.service.parse(text).await?),
        Subject::ResellerOf(text) => FeatureHolder::ResellerOf(account_of(text)?),
        Subject::System => FeatureHolder::System,
    })
}

fn in_words(call: &AdminCall, fault: Fault) -> Fault {
    if call.wants_text {
        let line = format!("ERROR: {}", fault.message);
        return fault.in_words(&line);
    }
    fault
}

/// In words, a refusal is what the old command printed.
fn refused(call: &AdminCall, subject: &Subject, error: Error) -> Fault {
    let line = match (&error, subject) {
        (Error::UnknownFeature(name), _) => {
            format!("Feature '{name}' is not a known feature.\n{}", known().trim_end())
        }
        (other, Subject::Number(number)) => format!("Error with number {number}: {}", other.id()),
        (other, _) => format!("ERROR: {}", other.id()),
    };
    let fault = Fault::from(error);
    if call.wants_text { fault.in_words(&line) } else { fault }
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
