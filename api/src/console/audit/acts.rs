//! The words of the audit log, as people read them.

use crate::console::words::{counted, some};
use serde_json::Value;
use shared::system_email::SystemEmailKind;

/// Something that can be done, and what it is called.
pub(super) struct Act {
    /// As it is stored.
    pub(super) word: &'static str,
    /// As it is read.
    pub(super) label: &'static str,
}

/// Acts that belong together.
pub(super) struct Group {
    /// What stands for all of them in an address.
    pub(super) word: &'static str,
    /// Their heading.
    pub(super) label: &'static str,
    /// They.
    pub(super) acts: &'static [Act],
}

const fn act(word: &'static str, label: &'static str) -> Act {
    Act { word, label }
}

/// All acts.
pub(super) static GROUPS: [Group; 6] = [
    Group {
        word: "sending",
        label: "Sending",
        acts: &[
            act("batch_accepted", "Sent a system email"),
            act("batch_started", "Started a batch at once"),
            act("batch_undone", "Undid a batch before it started"),
            act("batch_paused", "Paused a batch"),
            act("batch_resumed", "Resumed a batch"),
            act("batch_stopped", "Stopped a batch"),
            act("delivery_hurried", "Had an email tried again at once"),
            act("delivery_stopped", "Stopped an email"),
            act("test_mail_sent", "Sent a test email"),
            act("passwords_revoked", "Revoked unused passwords"),
        ],
    },
    Group {
        word: "users",
        label: "Users",
        acts: &[
            act("file_uploaded", "Uploaded a file"),
            act("file_imported", "Imported a file"),
            act("file_discarded", "Discarded a file"),
            act("import_undone", "Undid an import"),
            act("user_added", "Added a user"),
            act("user_changed", "Changed a user"),
            act("user_deleted", "Deleted a user"),
        ],
    },
    Group {
        word: "system_emails",
        label: "System emails",
        acts: &[act("system_email_saved", "Changed a system email")],
    },
    Group {
        word: "sign_in",
        label: "Signing in",
        acts: &[
            act("signed_in", "Signed in"),
            act("sign_in_failed", "Tried to sign in without success"),
            act("signed_out", "Signed out"),
            act("own_password_changed", "Changed their own password"),
            act("sessions_ended", "Ended their other sessions"),
        ],
    },
    Group {
        word: "administrators",
        label: "Administrators",
        acts: &[
            act("administrator_added", "Added an administrator"),
            act("administrator_disabled", "Disabled an administrator"),
            act("administrator_enabled", "Enabled an administrator"),
            act("administrator_renewed", "Gave an administrator a new password"),
        ],
    },
    Group {
        word: "keys",
        label: "API keys",
        acts: &[
            act("key_made", "Made an API key"),
            act("key_revoked", "Revoked an API key"),
        ],
    },
];

impl Act {
    /// The act with this word.
    pub(super) fn named(word: &str) -> Option<&'static Self> {
        GROUPS.iter().flat_map(|group| group.acts).find(|act| act.word == word)
    }
}

/// The words a filter stands for: those of a group, or the one itself. One that nobody knows finds
/// nothing; none finds all.
pub(super) fn words_of(what: &str) -> Vec<String> {
    let group = GROUPS.iter().find(|group| group.word == what);
    match group {
        _ if what.is_empty() => Vec::new(),
        Some(group) => group.acts.iter().map(|act| act.word.to_owned()).collect(),
        None => vec![what.to_owned()],
    }
}

/// A word that has no label.
pub(super) fn spelt(word: &str) -> String {
    let mut spelt = word.replace('_', " ");
    if let Some(first) = spelt.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    spelt
}

/// What an act was done to.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct About {
    /// What it is called.
    pub(super) label: String,
    /// Its page; empty where it has none.
    pub(super) href: String,
}

impl About {
    /// Reads the kind and the id of a subject, with the name that was noted beside it.
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

/// What was noted beside an act, in a line.
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
        ("users", "user", "users"),
        ("revoked", "password revoked", "passwords revoked"),
        ("already_used", "in use already", "in use already"),
        ("sessions", "session", "sessions"),
    ];
    for (name, one, many) in sums {
        parts.extend(number(name).map(|sum| some(sum, one, many)));
    }
    parts.extend(number("version").map(|version| format!("version {}", counted(version))));
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
    fn every_act_has_one_word_and_one_label() {
        let acts: Vec<&Act> = GROUPS.iter().flat_map(|group| group.acts).collect();
        let words: BTreeSet<&str> = acts
            .iter()
            .map(|act| act.word)
            .chain(GROUPS.iter().map(|group| group.word))
            .collect();
        let labels: BTreeSet<&str> = acts.iter().map(|act| act.label).collect();
        assert_eq!((words.len(), labels.len()), (acts.len() + GROUPS.len(), acts.len()));
    }

    #[test]
    fn a_filter_is_a_group_or_an_act() {
        assert_eq!(words_of("keys"), ["key_made", "key_revoked"]);
        assert_eq!(words_of("signed_out"), ["signed_out"]);
        assert_eq!(words_of("nonsense"), ["nonsense"]);
        assert!(words_of("").is_empty());
        assert_eq!(spelt("moon_moved"), "Moon moved");
    }

    #[test]
    fn what_it_was_done_to_leads_there() {
        let about = |subject: &str, details| About::of(Some(subject), &details).unwrap();
        assert_eq!(
            about("administrator 1-2", json!({ "name": "Ana" })),
            About {
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
        assert_eq!(About::of(None, &json!({})), None);
    }

    #[test]
    fn sums_are_read_as_people_say_them() {
        assert_eq!(
            detail(&json!({ "mail": "invite", "accepted": 1_204, "left_out": 36, "selected": 1_240 })),
            "Invitation Email to New Users · 1,204 emails · 36 left out"
        );
        assert_eq!(detail(&json!({ "version": 4 })), "version 4");
        assert_eq!(
            detail(&json!({ "fields": ["first_name", "email"] })),
            "first name, email"
        );
        assert_eq!(detail(&json!({ "name": "Ana" })), "");
    }
}
