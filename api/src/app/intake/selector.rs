//! Which users a request selects.
//!
//! A request has exactly one selector that is not empty. An empty list, a filter without conditions and null are
//! rejected: a script whose variable is empty must not email everyone.

use super::{MAX_IDS, SendRequest};
use crate::app::problem::{FieldError, Problem};
use shared::address::EmailAddress;
use shared::store::intake::Selection;
use shared::user_filter::UserFilter;

/// The selectors, as error messages list them.
const SELECTORS: &str = "users, emails, import, filter, saved_filter and everyone";

/// Takes the selector out of a request.
///
/// # Errors
///
/// If there is none, more than one, or one that is empty or invalid.
pub(super) fn read(request: &mut SendRequest) -> Result<Selection, Problem> {
    require_one(request)?;
    let mut selection = Selection::default();
    if let Some(users) = request.users.take() {
        require_some("users", users.len())?;
        selection.users = users.into_entries();
    }
    if let Some(emails) = request.emails.take() {
        require_some("emails", emails.len())?;
        selection.email_keys = keys_of(emails.kept())?;
        selection.emails_given = emails.into_entries();
    }
    selection.import = request.import;
    if let Some(filter) = request.filter.take() {
        let filter = UserFilter::try_from(filter).map_err(|mut fault| {
            fault.field = fault.field.map(|field| format!("filter.{field}"));
            faulty(vec![fault])
        })?;
        if filter.is_empty() {
            return Err(empty(
                "filter",
                "filter has no condition. Add one, or send {\"everyone\": true} to select every user.",
            ));
        }
        selection.filter = Some(filter);
    }
    match request.everyone {
        Some(true) => selection.filter = Some(UserFilter::default()),
        Some(false) => {
            return Err(empty(
                "everyone",
                "everyone is false, so no user is selected. Send true, or another selector.",
            ));
        }
        None => {}
    }
    Ok(selection)
}

fn require_one(request: &SendRequest) -> Result<(), Problem> {
    let given = [
        ("users", request.users.is_some()),
        ("emails", request.emails.is_some()),
        ("import", request.import.is_some()),
        ("filter", request.filter.is_some()),
        ("saved_filter", request.saved_filter.is_some()),
        ("everyone", request.everyone.is_some()),
    ];
    let given: Vec<&str> = given
        .iter()
        .filter(|(_, is_given)| *is_given)
        .map(|(name, _)| *name)
        .collect();
    match given.as_slice() {
        [] => Err(Problem::invalid(
            "empty_batch",
            format!("No user is selected. Send one of {SELECTORS}."),
        )),
        [_] => Ok(()),
        [first, second, ..] => Err(Problem::invalid(
            "several_selectors",
            format!("The request has both {first} and {second}. Send one of {SELECTORS}."),
        )),
    }
}

fn require_some(field: &str, listed: usize) -> Result<(), Problem> {
    if listed == 0 {
        return Err(empty(
            field,
            &format!("{field} is empty. List at least one, or send another selector."),
        ));
    }
    if listed > MAX_IDS {
        return Err(Problem::invalid(
            "too_many_recipients",
            format!(
                "{listed} users are listed; the maximum per request is {MAX_IDS}. Select them by import or filter instead."
            ),
        ));
    }
    Ok(())
}

fn empty(field: &str, message: &str) -> Problem {
    Problem::invalid("empty_batch", "No user is selected; see errors.")
        .with_errors(vec![FieldError::in_field(field, "empty", message)])
}

/// The response with these validation errors.
pub(super) fn faulty(errors: Vec<FieldError>) -> Problem {
    Problem::invalid("invalid_request", "Some of the request cannot be used; see errors.").with_errors(errors)
}

/// Maximum number of errors reported for a list, enough to see what is wrong with it.
const MAX_FAULTS: usize = 100;

fn keys_of(emails: &[String]) -> Result<Vec<String>, Problem> {
    let mut faults = Vec::new();
    let mut keys = Vec::with_capacity(emails.len());
    for (email, row) in emails.iter().zip(1_u32..) {
        match EmailAddress::parse(email) {
            Ok(address) => keys.push(address.key()),
            Err(fault) if faults.len() < MAX_FAULTS => {
                let mut error = FieldError::in_field("emails", fault.code(), fault.to_string());
                error.row = Some(row);
                faults.push(error);
            }
            Err(_) => {}
        }
    }
    if faults.is_empty() {
        Ok(keys)
    } else {
        Err(faulty(faults))
    }
}
