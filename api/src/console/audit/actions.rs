//! Labels for the actions in the audit log.

use crate::console::format::{counted, some};
use serde_json::Value;
use shared::store::audit::Action;
use shared::system_email::SystemEmailKind;

/// Actions that belong together.
pub(super) struct Group {
    /// Filter value that selects the whole group.
    pub(super) word: &'static str,
    pub(super) label: &'static str,
    /// The actions and their labels.
    pub(super) actions: &'static [(Action, &'static str)],
}

/// All actions, by group.
pub(super) static GROUPS: [Group; 7] = [
    Group {
        word: "sending",
        label: "Sending",
        actions: &[
            (Action::BatchAccepted, "Sent a system email"),
            (Action::BatchStarted, "Started a batch immediately"),
            (Action::BatchUndone, "Undid a batch before it started"),
            (Action::BatchPaused, "Paused a batch"),
            (Action::BatchResumed, "Resumed a batch"),
            (Action::BatchBraked, "Paused a batch automatically"),
            (Action::BatchStopped, "Stopped a batch"),
            (Action::SendingResumed, "Resumed sending after a failover"),
            (Action::MarkedSent, "Marked emails as sent"),
            (Action::DeliveryHurried, "Retried an email immediately"),
            (Action::DeliveryStopped, "Stopped an email"),
            (Action::TestMailSent, "Sent a test email"),
            (Action::PasswordsRevoked, "Revoked mailed passwords"),
        ],
    },
    Group {
        word: "users",
        label: "Users",
        actions: &[
            (Action::FileUploaded, "Uploaded a file"),
            (Action::FileImported, "Imported a file"),
            (Action::FileDiscarded, "Discarded a file"),
            (Action::ImportUndone, "Undid an import"),
            (Action::FilterSaved, "Saved a filter"),
            (Action::FilterDeleted, "Deleted a saved filter"),
            (Action::DoNotMailListAdded, "Added a do-not-mail list"),
            (Action::DoNotMailListChanged, "Changed a do-not-mail list"),
            (Action::DoNotMailListDeleted, "Deleted a do-not-mail list"),
            (Action::DoNotMailAddressesAdded, "Added addresses to a do-not-mail list"),
            (
                Action::DoNotMailAddressRemoved,
                "Removed an address from a do-not-mail list",
            ),
            (Action::UserAdded, "Added a user"),
            (Action::UserChanged, "Changed a user"),
            (Action::UserLocked, "Locked a user"),
            (Action::UserUnlocked, "Unlocked a user"),
            (Action::UserExported, "Exported everything about a user"),
            (Action::UserDeleted, "Deleted a user"),
            (Action::AddressUnblocked, "Unblocked an address"),
        ],
    },
    Group {
        word: "system_emails",
        label: "System emails",
        actions: &[(Action::SystemEmailSaved, "Changed a system email")],
    },
    Group {
        word: "sign_in",
        label: "Signing in",
        actions: &[
            (Action::SignedIn, "Signed in"),
            (Action::SignInFailed, "Failed to sign in"),
            (Action::SignInThrottled, "Sign-in refused: too many attempts"),
            (Action::SignedOut, "Signed out"),
            (Action::OwnPasswordChanged, "Changed their own password"),
            (Action::PasswordConfirmed, "Confirmed their password"),
            (Action::PasswordLinkUsed, "Chose a password with a one-time link"),
            (Action::SessionsEnded, "Ended their other sessions"),
        ],
    },
    Group {
        word: "administrators",
        label: "Administrators",
        actions: &[
            (Action::AdministratorAdded, "Added an administrator"),
            (Action::AdministratorDisabled, "Disabled an administrator"),
            (Action::AdministratorEnabled, "Enabled an administrator"),
            (Action::AdministratorRenewed, "Reset an administrator's password"),
        ],
    },
    Group {
        word: "keys",
        label: "API keys",
        actions: &[
            (Action::KeyMade, "Created an API key"),
            (Action::KeyRevoked, "Revoked an API key"),
            (Action::KeyRefused, "Tried an invalid API key"),
        ],
    },
    Group {
        word: "credentials",
        label: "Users' sign-ins",
        actions: &[
            (Action::CredentialAccepted, "Checked a correct password"),
            (Action::CredentialRefused, "Checked an incorrect password"),
            (Action::CredentialThrottled, "Password check refused: too many attempts"),
        ],
    },
];

/// All actions with their labels.
fn labelled() -> impl Iterator<Item = &'static (Action, &'static str)> {
    GROUPS.iter().flat_map(|group| group.actions)
}

/// The label of the action with this stored name, or the name as readable text if it has none.
pub(super) fn label_of(word: &str) -> String {
    let found = labelled().find(|(action, _)| action.as_str() == word);
    found.map_or_else(|| spelt(word), |(_, label)| (*label).to_owned())
}

/// Stored names that a filter value selects: those of a group, or the value itself. An empty filter selects
/// everything; an unknown value finds nothing.
pub(super) fn words_of(what: &str) -> Vec<String> {
    let group = GROUPS.iter().find(|group| group.word == what);
    match group {
        _ if what.is_empty() => Vec::new(),
        Some(group) => group
            .actions
            .iter()
            .map(|(action, _)| action.as_str().to_owned())
            .collect(),
        None => vec![what.to_owned()],
    }
}

fn spelt(word: &str) -> String {
    let mut spelt = word.replace('_', " ");
    if let Some(first) = spelt.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    spelt
}

/// The subject of an action.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct AuditSubject {
    pub(super) label: String,
    /// Address of its page; empty if it has none.
    pub(super) href: String,
}

impl AuditSubject {
    /// Reads the kind and id of a subject, and the name recorded with it.
    pub(super) fn of(subject: Option<&str>, details: &Value) -> Option<Self> {
        let (kind, id) = subject?.split_once(' ')?;
        let name = details.get("name").and_then(Value::as_str);
        let is_plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let (plain, path) = match kind {
            "administrator" => ("Administrator", "/console/administrators/"),
            "batch" => ("Batch", "/console/batches/"),
            "delivery" => ("Email", "/console/deliveries/"),
            "import" => ("Import", "/console/imports/"),
            "user" => ("User", "/console/users/"),
            "system_email" => ("System email", "/console/system-emails/"),
            "do_not_mail_list" => ("Do-not-mail list", "/console/do-not-mail/"),
            "key" => ("API key", ""),
            other => (other, ""),
        };
        let letter = (kind == "system_email")
            .then(|| id.parse::<SystemEmailKind>().ok())
            .flatten();
        let label = name.or(letter.map(SystemEmailKind::name)).unwrap_or(plain);
        Some(Self {
            label: label.to_owned(),
            href: if path.is_empty() || !is_plain {
                String::new()
            } else {
                format!("{path}{id}")
            },
        })
    }
}

/// The recorded details of an action in one line.
pub(super) fn detail(details: &Value) -> String {
    let number = |name: &str| details.get(name).and_then(Value::as_i64);
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let mut parts: Vec<String> = Vec::new();
    if let Some(kind) = text("mail").and_then(|word| word.parse::<SystemEmailKind>().ok()) {
        parts.push(kind.name().to_owned());
    }
    let sums = [
        ("rows", "row", "rows"),
        ("created", "new", "new"),
        ("updated", "updated", "updated"),
        ("unchanged", "unchanged", "unchanged"),
        ("rejected", "not imported", "not imported"),
        ("accepted", "email", "emails"),
        ("left_out", "left out", "left out"),
        ("removed", "user removed", "users removed"),
        ("restored", "user restored", "users restored"),
        ("kept", "user changed since", "users changed since"),
        ("users", "user", "users"),
        ("addresses", "address", "addresses"),
        ("revoked", "password revoked", "passwords revoked"),
        ("already_used", "in use already", "in use already"),
        ("passwords_ended", "password ended", "passwords ended"),
        ("mails_cancelled", "email cancelled", "emails cancelled"),
        ("mails_in_hand", "email on its way", "emails on their way"),
        ("sessions", "session", "sessions"),
        ("failed", "failed", "failed"),
        ("ended", "ended", "ended"),
        ("count", "time", "times"),
    ];
    for (name, one, many) in sums {
        // A count of zero is shown only where it is the main outcome.
        let is_shown = |sum: &i64| *sum != 0 || matches!(name, "created" | "accepted" | "revoked");
        parts.extend(number(name).filter(is_shown).map(|sum| some(sum, one, many)));
    }
    if details.get("include_used") == Some(&Value::Bool(true)) {
        parts.push("used ones too".to_owned());
    }
    parts.extend(number("version").map(|version| format!("version {}", counted(version))));
    let marks = [
        ("asked_to_stop", "to decide whether to stop it"),
        ("never_expires", "never expires"),
        ("reads_audit_log", "may read the audit log"),
        ("always", "left out of every batch"),
        ("own_wording", "wording for this batch only"),
    ];
    let holds = |mark: &str| details.get(mark).and_then(Value::as_bool).unwrap_or_default();
    let marks = marks.into_iter().filter(|(mark, _)| holds(mark));
    parts.extend(marks.map(|(_, words)| words.to_owned()));
    let fields = details.get("fields").and_then(Value::as_array).into_iter().flatten();
    let fields: Vec<String> = fields
        .filter_map(Value::as_str)
        .map(|name| name.replace('_', " "))
        .collect();
    if !fields.is_empty() {
        parts.push(fields.join(", "));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn every_action_has_one_word_and_one_label() {
        let actions = labelled().count();
        let words: BTreeSet<&str> = labelled()
            .map(|(action, _)| action.as_str())
            .chain(GROUPS.iter().map(|group| group.word))
            .collect();
        let labels: BTreeSet<&str> = labelled().map(|(_, label)| *label).collect();
        assert_eq!((words.len(), labels.len()), (actions + GROUPS.len(), actions));
        for action in &Action::ALL {
            assert!(labelled().any(|(known, _)| known == action), "{action:?} has no label");
        }
    }

    #[test]
    fn a_filter_is_a_group_or_an_action() {
        assert_eq!(words_of("keys"), ["key_made", "key_revoked", "key_refused"]);
        assert_eq!(words_of("signed_out"), ["signed_out"]);
        assert_eq!(words_of("nonsense"), ["nonsense"]);
        assert!(words_of("").is_empty());
        assert_eq!(label_of("moon_moved"), "Moon moved");
        assert_eq!(label_of("signed_out"), "Signed out");
    }

    #[test]
    fn what_it_was_done_to_leads_there() {
        let about = |subject: &str, details| AuditSubject::of(Some(subject), &details).unwrap();
        assert_eq!(
            about("administrator 1-2", json!({ "name": "Ana" })),
            AuditSubject {
                label: "Ana".to_owned(),
                href: "/console/administrators/1-2".to_owned()
            }
        );
        assert_eq!(about("batch 7", json!({})).label, "Batch");
        assert_eq!(
            about("system_email invite", json!({})).label,
            "Invitation Email to New Users"
        );
        assert_eq!(about("batch ../../evil", json!({})).href, "");
        assert_eq!(about("key 1", json!({ "name": "intranet" })).href, "");
        assert_eq!(AuditSubject::of(None, &json!({})), None);
    }

    #[test]
    fn sums_are_read_as_people_say_them() {
        assert_eq!(
            detail(&json!({ "mail": "invite", "accepted": 1_204, "left_out": 36, "selected": 1_240 })),
            "Invitation Email to New Users · 1,204 emails · 36 left out"
        );
        assert_eq!(
            detail(&json!({ "users": 0, "revoked": 0, "already_used": 3 })),
            "0 passwords revoked · 3 in use already"
        );
        assert_eq!(detail(&json!({ "version": 4 })), "version 4");
        assert_eq!(
            detail(&json!({ "fields": ["first_name", "email"] })),
            "first name, email"
        );
        assert_eq!(detail(&json!({ "name": "Ana" })), "");
        assert_eq!(
            detail(&json!({ "name": "siem", "never_expires": true, "reads_audit_log": true })),
            "never expires · may read the audit log"
        );
    }
}
