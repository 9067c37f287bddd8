//! Which features are allowed, and which application routes a number.

use super::{ACCOUNT, Row, row};
use crate::{
    service::FeatureListKind::{self, Allowed, Denied},
    sup::{
        Command, FeatureCommand, Question, Subject,
        arguments::{Arguments, Parameter, one},
    },
};

const NUMBER: Parameter = one("NUMBER");
const FEATURE: Parameter = one("FEATURE");

pub(super) const ROWS: &[Row] = &[
    row("app_using", &[NUMBER, ACCOUNT], |it| {
        ask(FeatureCommand::AppUsing(it.text(0).to_owned(), it.text(1).to_owned()))
    }),
    row("all_features", &[], |_| ask(FeatureCommand::All)),
    row("feature_permissions_on_number", &[NUMBER], |it| show(number(it, 0))),
    row("add_allowed_feature_on_number", &[FEATURE, NUMBER], |it| add(number(it, 1), Allowed, it)),
    row("remove_allowed_feature_on_number", &[FEATURE, NUMBER], |it| {
        remove(number(it, 1), Allowed, it)
    }),
    row("add_denied_feature_on_number", &[FEATURE, NUMBER], |it| add(number(it, 1), Denied, it)),
    row("remove_denied_feature_on_number", &[FEATURE, NUMBER], |it| {
        remove(number(it, 1), Denied, it)
    }),
    row("feature_permissions_on_reseller_of", &[ACCOUNT], |it| show(reseller_of(it, 0))),
    row("add_allowed_feature_on_reseller_of", &[FEATURE, ACCOUNT], |it| {
        add(reseller_of(it, 1), Allowed, it)
    }),
    row("remove_allowed_feature_on_reseller_of", &[FEATURE, ACCOUNT], |it| {
        remove(reseller_of(it, 1), Allowed, it)
    }),
    row("add_denied_feature_on_reseller_of", &[FEATURE, ACCOUNT], |it| {
        add(reseller_of(it, 1), Denied, it)
    }),
    row("remove_denied_feature_on_reseller_of", &[FEATURE, ACCOUNT], |it| {
        remove(reseller_of(it, 1), Denied, it)
    }),
    row("feature_permissions_on_system_config", &[], |_| show(Subject::System)),
    row("add_allowed_feature_on_system_config", &[FEATURE], |it| add(Subject::System, Allowed, it)),
    row("remove_allowed_feature_on_system_config", &[FEATURE], |it| {
        remove(Subject::System, Allowed, it)
    }),
    row("reset_allowed_features_to_defaults_on_system_config", &[], |_| ask(FeatureCommand::Reset)),
    row("ensure_adminonly_features_are_reachable", &[], |_| ask(FeatureCommand::EnsureAdminOnly)),
];

fn ask(command: FeatureCommand) -> Command {
    Command::Question(Question::Features(command))
}

fn number(given: &Arguments, at: usize) -> Subject {
    Subject::Number(given.text(at).to_owned())
}

fn reseller_of(given: &Arguments, at: usize) -> Subject {
    Subject::ResellerOf(given.text(at).to_owned())
}

fn show(subject: Subject) -> Command {
    ask(FeatureCommand::Show(subject))
}

/// Adds the feature that the command names first.
fn add(subject: Subject, kind: FeatureListKind, given: &Arguments) -> Command {
    let feature = given.text(0).to_owned();
    ask(FeatureCommand::Change { subject, kind, add: true, feature })
}

/// Takes the feature off that the command names first.
fn remove(subject: Subject, kind: FeatureListKind, given: &Arguments) -> Command {
    let feature = given.text(0).to_owned();
    ask(FeatureCommand::Change { subject, kind, add: false, feature })
}
