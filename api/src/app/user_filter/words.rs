//! Describes a filter in words.

use crate::app::status_labels;
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::imports::ImportEffect;
use shared::user_filter::{Access, Comparison, FieldCondition, Negatable, UserFilter};

/// The conditions of a filter in words. `import` is the name of the import it refers to.
pub fn words(filter: &UserFilter, import: Option<&str>) -> Vec<String> {
    let is_not = |name: Negatable| filter.not.contains(&name);
    let mut words = Vec::new();
    if let Some(q) = &filter.q {
        let contains = if is_not(Negatable::Q) {
            "does not contain"
        } else {
            "contains"
        };
        words.push(format!("name or address {contains} ‘{q}’"));
    }
    if filter.import.is_some() || filter.effect.is_some() {
        words.push(import_words(filter, import, is_not(Negatable::Import)));
    }
    let yes_or_no =
        |is_so: Option<bool>, yes: &str, no: &str| is_so.map(|is_so| if is_so { yes } else { no }.to_owned());
    words.extend(yes_or_no(filter.invited, "invited", "not invited"));
    words.extend(yes_or_no(filter.signed_in, "signed in", "not signed in"));
    if let Some(access) = filter.access {
        let password = match access {
            Access::None => "none",
            Access::PasswordMailed => "sent and not used",
            Access::PasswordExpired => "expired",
            Access::SignedIn => "used and not replaced",
            Access::OwnPassword => "their own",
        };
        let is = if is_not(Negatable::Access) { "is not" } else { "is" };
        words.push(format!("password {is}: {password}"));
    }
    words.extend(yes_or_no(
        filter.last_email_failed,
        "last email failed",
        "last email did not fail",
    ));
    if let Some(reason) = &filter.last_email_reason {
        let not = if is_not(Negatable::LastEmailReason) { "not " } else { "" };
        words.push(format!("last email {not}failed with ‘{}’", reason_words(reason)));
    }
    words.extend(yes_or_no(filter.blocked, "address blocked", "address not blocked"));
    words.extend(yes_or_no(filter.locked, "locked", "not locked"));
    if filter.batch.is_some() {
        words.push(
            if is_not(Negatable::Batch) {
                "not in the batch"
            } else {
                "in the batch"
            }
            .to_owned(),
        );
    }
    words.extend(filter.fields.iter().map(condition_words));
    words
}

/// The status word for a failure reason.
pub fn reason_words(reason: &str) -> &'static str {
    status_labels::status(DeliveryState::Failed, Some(reason), BatchState::Finished).word
}

fn import_words(filter: &UserFilter, import: Option<&str>, is_negated: bool) -> String {
    let verb = match filter.effect {
        None => "in",
        Some(ImportEffect::Created) => "created by",
        Some(ImportEffect::Updated) => "updated by",
        Some(ImportEffect::Unchanged) => "left unchanged by",
    };
    let whole = match (import, filter.import) {
        (Some(name), _) => format!("the import {name}"),
        (None, Some(_)) => "the import".to_owned(),
        (None, None) => "an import".to_owned(),
    };
    let not = if is_negated { "not " } else { "" };
    format!("{not}{verb} {whole}")
}

fn condition_words(condition: &FieldCondition) -> String {
    let field = &condition.field;
    let value = condition.value.as_deref().unwrap_or_default();
    match condition.op {
        Comparison::Is => format!("{field} is ‘{value}’"),
        Comparison::IsNot => format!("{field} is not ‘{value}’"),
        Comparison::Contains => format!("{field} contains ‘{value}’"),
        Comparison::NotContains => format!("{field} does not contain ‘{value}’"),
        Comparison::Empty => format!("{field} is empty"),
        Comparison::NotEmpty => format!("{field} is not empty"),
        Comparison::Before => format!("{field} is before {value}"),
        Comparison::After => format!("{field} is after {value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_filter_reads_as_a_sentence_of_its_conditions() {
        let filter = UserFilter::from_stored(&json!({
            "q": "ana", "invited": false, "access": "password_expired", "not": ["access", "q"], "effect": "created",
            "where": [
                { "field": "department", "op": "is", "value": "HR" },
                { "field": "room", "op": "empty" },
                { "field": "start_date", "op": "before", "value": "2026-12-01" },
            ],
        }))
        .unwrap();

        assert_eq!(
            words(&filter, None),
            [
                "name or address does not contain ‘ana’",
                "created by an import",
                "not invited",
                "password is not: expired",
                "department is ‘HR’",
                "room is empty",
                "start_date is before 2026-12-01",
            ]
        );
        assert_eq!(words(&UserFilter::default(), None), Vec::<String>::new());
    }
}
