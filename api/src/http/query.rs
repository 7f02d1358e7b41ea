//! Extractors for paths and queries that report precisely what is wrong.
//!
//! [`Query`] and [`Path`] replace axum's extractors of the same names and reject with a [`Problem`] that names the
//! parameter, instead of plain text. The types read by [`Query`] have no required parameters. Those that list all
//! parameters of their route use `deny_unknown_fields`: a misspelt filter that is silently ignored would show, or
//! email, the wrong people.
//!
//! Only serde's message distinguishes an unknown parameter from a wrong value, so the message is matched; the tests
//! below fail if its wording changes. `serde_path_to_error`, which axum's extractors use, adds only the name.

use crate::app::problem::{FieldError, Problem, ProblemKind};
use crate::app::validation::shown;
use axum::extract::{FromRequestParts, Query as Parsed, RawPathParams};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use shared::address::{AddressFault, EmailAddress};
use shared::system_email::SystemEmailKind;
use std::collections::HashSet;
use std::str::FromStr;
use uuid::Uuid;

/// Maximum number of parameters. No page and no client of the API sends half as many, and anyone can send ten thousand
/// in 64 KiB, each of which is read for itself.
const MAX_PARAMETERS: usize = 100;

/// The query parameters.
///
/// An empty parameter is an error, not absent: `?import=` from a script whose variable is empty would show, or email,
/// everyone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default(), &[]).map(Self)
    }
}

/// Parameters that a page's own search form sends.
pub trait SearchForm: DeserializeOwned {
    /// Fields that may be empty because the form sends them without a value. They count as absent.
    const MAY_BE_EMPTY: &'static [&'static str];
}

/// Like [`Query`], for a page with a search form.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchQuery<T>(pub T);

impl<T: SearchForm, S: Send + Sync> FromRequestParts<S> for SearchQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default(), T::MAY_BE_EMPTY).map(Self)
    }
}

/// Reads parameters of two types. Those with these names belong to the second, all others to the first.
pub(crate) fn read_two<T: DeserializeOwned, U: DeserializeOwned>(
    query: &str,
    names: &[&str],
) -> Result<(T, U), Problem> {
    let filled = filled(query, &[])?;
    let (second, first): (Vec<&str>, Vec<&str>) = filled
        .into_iter()
        .partition(|part| names.contains(&decoded(part).0.as_str()));
    let first = parse(&first.join("&")).map_err(|_| find_invalid_parameter::<T>(&first, names))?;
    let second = parse(&second.join("&")).map_err(|_| find_invalid_parameter::<U>(&second, &[]))?;
    Ok((first, second))
}

/// Reads parameters. Those in `may_be_empty` count as absent if they have no value.
fn read<T: DeserializeOwned>(query: &str, may_be_empty: &[&str]) -> Result<T, Problem> {
    let filled = filled(query, may_be_empty)?;
    parse(&filled.join("&")).map_err(|_| find_invalid_parameter::<T>(&filled, &[]))
}

/// The parameters that have a value.
fn filled<'q>(query: &'q str, may_be_empty: &[&str]) -> Result<Vec<&'q str>, Problem> {
    if query.split('&').count() > MAX_PARAMETERS {
        return Err(Problem::malformed(
            "too_many_parameters",
            format!("The query has more than {MAX_PARAMETERS} parameters."),
        ));
    }
    let mut filled = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = decoded(part);
        if name.chars().chain(value.chars()).any(char::is_control) {
            return Err(invalid_parameter(
                &name,
                "control_character",
                format!("{} has a control character; remove it.", shown(&name)),
            ));
        }
        if !value.trim().is_empty() {
            filled.push(part);
        } else if !may_be_empty.contains(&name.as_str()) {
            return Err(invalid_parameter(
                &name,
                "parameter_empty",
                format!("{} is empty. Give it a value, or leave it out.", shown(&name)),
            ));
        }
    }
    Ok(filled)
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    let uri: Uri = format!("/?{query}").parse().map_err(|_| "it is no query".to_owned())?;
    Parsed::try_from_uri(&uri)
        .map(|Parsed(value)| value)
        .map_err(|rejection| rejection.body_text())
}

/// Name and value of a parameter.
fn decoded(part: &str) -> (String, String) {
    parse::<Vec<(String, String)>>(part)
        .ok()
        .and_then(|pairs| pairs.into_iter().next())
        .unwrap_or_default()
}

/// Finds the invalid parameter. None is required, so each can be checked on its own. `also` lists further names that
/// the route accepts.
fn find_invalid_parameter<T: DeserializeOwned>(filled: &[&str], also: &[&str]) -> Problem {
    for part in filled {
        let Err(fault) = parse::<T>(part) else { continue };
        let (name, value) = decoded(part);
        if fault.contains("unknown field") {
            let known = fault
                .rsplit_once("expected ")
                .map_or("none", |(_, known)| known)
                .replace("one of ", "");
            let message = format!(
                "There is no parameter {}. The parameters are {}.",
                shown(&name),
                std::iter::once(&*known.replace('`', "").replace(" or ", ", "))
                    .chain(also.iter().copied())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            return invalid_parameter(&name, "unknown_parameter", message);
        }
        let message = format!("{} cannot be ‘{}’: {}.", shown(&name), shown(&value), reason(&fault));
        return invalid_parameter(&name, "parameter_invalid", message);
    }
    let mut seen = HashSet::new();
    let mut names = filled.iter().map(|part| decoded(part).0);
    let name = names.find(|name| !seen.insert(name.clone())).unwrap_or_default();
    invalid_parameter(
        &name,
        "duplicate_parameter",
        format!("{} occurs twice; send it once.", shown(&name)),
    )
}

/// What a value must be, derived from the parser's message.
fn reason(fault: &str) -> &'static str {
    if fault.contains("`true` or `false`") {
        "write true or false"
    } else if fault.contains("UUID") {
        "it must be an id, which is a UUID"
    } else if fault.contains("digit") || fault.contains("number") {
        "write a whole number"
    } else {
        "it is not an allowed value"
    }
}

fn invalid_parameter(name: &str, code: &str, message: String) -> Problem {
    let error = FieldError::in_field(&shown(name), code, message.clone());
    Problem::malformed(code, message).with_errors(vec![error])
}

/// A type that can be parsed from a path.
pub trait InPath: FromStr + Send {
    /// The error message for a value that is invalid.
    const OTHERWISE: &'static str;
}

impl InPath for Uuid {
    const OTHERWISE: &'static str = "There is nothing with this id. Ids are UUIDs.";
}

impl InPath for SystemEmailKind {
    const OTHERWISE: &'static str = "There is no such system email; the system emails are invite and password_reset.";
}

/// An address in a path, normalised.
pub struct AddressKey(pub(crate) String);

impl FromStr for AddressKey {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        EmailAddress::parse(text).map(|address| Self(address.key()))
    }
}

impl InPath for AddressKey {
    const OTHERWISE: &'static str = "This is not an email address.";
}

/// The one variable segment of a path.
///
/// An invalid id yields 404, like an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: InPath, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = || Problem::new(ProblemKind::NotFound, "not_found", T::OTHERWISE);
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing())?;
        let (_, value) = params.iter().next().ok_or_else(nothing)?;
        value.parse().map(Self).map_err(|_| nothing())
    }
}

/// The two variable segments of a path.
///
/// An invalid one yields 404, like an unknown one.
#[derive(Clone, Copy, Debug)]
pub struct PathPair<T, U>(pub T, pub U);

impl<T: InPath, U: InPath, S: Send + Sync> FromRequestParts<S> for PathPair<T, U> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let nothing = |words| Problem::new(ProblemKind::NotFound, "not_found", words);
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing(T::OTHERWISE))?;
        let mut values = params.iter().map(|(_, value)| value);
        let mut next = || values.next().unwrap_or_default();
        let first = next().parse().map_err(|_| nothing(T::OTHERWISE))?;
        let second = next().parse().map_err(|_| nothing(U::OTHERWISE))?;
        Ok(Self(first, second))
    }
}

/// The system email in a path. A type alias, because utoipa would describe the parameter of a `Path` as a number or a
/// string.
pub type KindPath = Path<SystemEmailKind>;

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Example {
        q: Option<String>,
        import: Option<Uuid>,
        invited: Option<bool>,
        limit: Option<i64>,
    }

    fn refusal(query: &str) -> (String, ProblemKind, String, Option<String>) {
        let problem = read::<Example>(query, &[]).unwrap_err();
        (
            problem.code,
            problem.kind,
            problem.detail,
            problem.errors.into_iter().next().and_then(|error| error.field),
        )
    }

    #[test]
    fn a_parameter_without_a_value_is_refused_unless_a_search_form_sends_it() {
        for query in [
            "q=",
            "q",
            "import=",
            "import=%20",
            "q=a&import=",
            "limit=+",
            "invited",
            "unknown_name=",
        ] {
            let (code, kind, detail, field) = refusal(query);
            assert_eq!(
                (code.as_str(), kind),
                ("parameter_empty", ProblemKind::Malformed),
                "{query}"
            );
            let field = field.unwrap();
            assert_eq!(detail, format!("{field} is empty. Give it a value, or leave it out."));
        }
        let of_form = |query: &str| read::<Example>(query, &["q", "limit"]);
        assert_eq!(of_form("q=&limit=+").unwrap(), Example::default());
        assert!(of_form("q=&import=").is_err());
        let found = read::<Example>("q=ann+lee%40example.org&&invited=true&limit=7", &[]).unwrap();
        assert_eq!(
            (found.q.as_deref(), found.invited, found.limit),
            (Some("ann lee@example.org"), Some(true), Some(7))
        );
    }

    #[test]
    fn an_error_names_its_parameter() {
        let expected = |code: &str, detail: &str, field: &str| {
            (
                code.to_owned(),
                ProblemKind::Malformed,
                detail.to_owned(),
                Some(field.to_owned()),
            )
        };
        assert_eq!(
            refusal("q=a&invited=maybe"),
            expected(
                "parameter_invalid",
                "invited cannot be ‘maybe’: write true or false.",
                "invited"
            )
        );
        assert_eq!(
            refusal("import=7"),
            expected(
                "parameter_invalid",
                "import cannot be ‘7’: it must be an id, which is a UUID.",
                "import"
            )
        );
        assert_eq!(
            refusal("limit=many"),
            expected(
                "parameter_invalid",
                "limit cannot be ‘many’: write a whole number.",
                "limit"
            )
        );
        assert_eq!(
            refusal("signedin=true"),
            expected(
                "unknown_parameter",
                "There is no parameter signedin. The parameters are q, import, invited, limit.",
                "signedin"
            )
        );
        assert_eq!(
            refusal("limit=1&q=a&limit=2"),
            expected("duplicate_parameter", "limit occurs twice; send it once.", "limit")
        );
        assert_eq!(
            refusal("q=a%00b"),
            expected("control_character", "q has a control character; remove it.", "q")
        );
        assert_eq!(refusal(&format!("invited={}", "x".repeat(500))).2.chars().count(), 123);
    }
}
