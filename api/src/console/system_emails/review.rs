//! Confirmation before a text is saved: whether fields are added or removed on purpose, and how to resolve a conflict
//! with another administrator's change.

use super::super::frame::{Frame, Section};
use super::super::respond::page_as;
use super::super::session::Administrator;
use super::difference::Comparison;
use super::form::EditorState;
use super::{FieldLine, Letter, Saved};
use crate::app::problem::Problem;
use crate::app::state::AppState;
use askama::Template as Page;
use axum::http::StatusCode;
use axum::response::Response;
use shared::store::system_emails::Version;
use shared::system_email::{Compiled, CustomFields, Field, SystemEmailKind, Template};
use std::collections::BTreeSet;

/// Merge fields that a change adds and removes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Only in the old text.
    pub(super) removed: Vec<FieldLine>,
    /// Only in the new text.
    pub(super) added: Vec<FieldLine>,
}

impl Changes {
    /// Compares the fields of a saved text with those of a new one.
    pub(super) fn between(before: &Template, after: &Compiled, custom: &BTreeSet<String>) -> Self {
        let kind = after.kind();
        let before = before
            .compile(kind, CustomFields::Known(custom))
            .or_else(|_| before.compile(kind, CustomFields::Any))
            .map(|compiled| compiled.fields())
            .unwrap_or_default();
        let after = after.fields();
        let lacking = |from: &[Field], in_these: &[Field]| {
            let lacking = from.iter().filter(|field| !in_these.contains(field));
            lacking.map(FieldLine::from).collect()
        };
        Self {
            removed: lacking(&before, &after),
            added: lacking(&after, &before),
        }
    }

    /// Whether both texts have the same fields.
    pub(super) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// The page that asks whether fields are added or removed on purpose.
#[derive(Page)]
#[template(path = "console/system_email_confirm.html")]
struct ConfirmPage<'p> {
    frame: Frame,
    letter: Letter,
    typed: &'p EditorState,
    changes: Changes,
}

/// Asks whether fields are added or removed on purpose.
pub(super) async fn confirm(
    api: &AppState,
    administrator: &Administrator,
    kind: SystemEmailKind,
    typed: &EditorState,
    changes: Changes,
) -> Result<Response, Problem> {
    let frame = administrator.frame(api, Section::Manage, "Confirm changes").await;
    page_as(
        StatusCode::OK,
        &ConfirmPage {
            frame: Frame { flash: None, ..frame },
            letter: kind.into(),
            typed,
            changes,
        },
    )
}

/// The page that compares the typed text with the version another administrator saved.
#[derive(Page)]
#[template(path = "console/system_email_conflict.html")]
struct ConflictPage<'p> {
    frame: Frame,
    letter: Letter,
    theirs: Saved,
    typed: &'p EditorState,
    comparison: Comparison,
    changes: Changes,
}

/// Shows the version that another administrator saved beside the typed text.
pub(super) async fn conflict(
    api: &AppState,
    administrator: &Administrator,
    now: &Version,
    typed: &EditorState,
    changes: Changes,
) -> Result<Response, Problem> {
    let theirs = Saved::from(now);
    let title = format!("Changed by {} while you were editing", theirs.by);
    let frame = administrator.frame(api, Section::Manage, title).await;
    page_as(
        StatusCode::CONFLICT,
        &ConflictPage {
            frame: frame.with_faults(),
            letter: now.kind.into(),
            theirs,
            typed,
            comparison: Comparison::between(&typed.saved(now), &typed.draft()),
            changes,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_and_removed_fields_are_listed_once_in_any_spelling() {
        let custom = BTreeSet::from(["team".to_owned()]);
        let text = |body: &str| Template {
            subject: "Hello {{ First Name }}".to_owned(),
            body: body.to_owned(),
        };
        let after = text("{{ email }} {{ Team }} {{ team | default(\"none\") }}");
        let after = after
            .compile(SystemEmailKind::Invite, CustomFields::Known(&custom))
            .unwrap();

        let changes = Changes::between(&text("{{ last_name }} {{ e-mail }}"), &after, &custom);

        let codes = |lines: &[FieldLine]| lines.iter().map(|line| line.code.clone()).collect::<Vec<_>>();
        assert_eq!(codes(&changes.removed), ["{{ last_name }}"]);
        assert_eq!(codes(&changes.added), ["{{ team }}"]);
        assert!(Changes::between(&text("{{ team }} {{ email }}"), &after, &custom).is_empty());
    }
}
