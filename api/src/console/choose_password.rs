//! Choosing a password through a link: the first one, or a new one after a reset.
//!
//! An administrator passes the link on and never sees the password (ASVS 5.0, 6.4.6). The link's token follows its
//! `#`, so no request's URL contains it: the page's script submits it in a form, and without JavaScript the page asks
//! for it. Submitting the token does not use it up, because mail scanners may run scripts; submitting a password
//! does.

use super::fields::Fields;
use super::form_body::{SMALL_FORM_MOST_BYTES, read_unauthenticated};
use super::form_origin::{foreign, is_foreign};
use super::frame::Frame;
use super::respond::{page, page_as, redirect_with_flash, set_cookie};
use super::session;
use crate::app::own_password::validate_new_password;
use crate::app::password_link::redeem_link;
use crate::app::problem::Problem;
use crate::app::state::AppState;
use crate::app::token::digest_of;
use crate::http::request_log;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use shared::password::Password;
use shared::store::administrators;
use zeroize::Zeroizing;

/// Path of the page that a link opens.
pub(super) const PATH: &str = "/console/choose-password";

/// Token of a link.
struct Token(Zeroizing<String>);

impl Token {
    /// Reads the token from a field, which contains the code alone or the whole link.
    fn read(typed: &str) -> Self {
        let code = typed.rsplit('#').next().unwrap_or_default().trim();
        Self(Zeroizing::new(code.to_owned()))
    }

    /// The digest that is stored.
    fn digest(&self) -> Vec<u8> {
        digest_of(&self.0)
    }
}

#[derive(Template)]
#[template(path = "console/choose_password.html")]
struct ChoosePage {
    frame: Frame,
    step: Step,
    fault: Option<String>,
    again: Option<&'static str>,
}

/// State of the page.
enum Step {
    /// Asks for the code, which a script fills in.
    Code,
    /// Asks for the password.
    Password(Owner),
    /// The link is no longer valid.
    Gone,
}

/// The administrator whose password is chosen.
struct Owner {
    email: String,
    /// Their name, which is refused as a password.
    name: String,
    code: Zeroizing<String>,
}

impl ChoosePage {
    fn at(step: Step) -> Self {
        let title = match step {
            Step::Code | Step::Password(_) => "Choose a password",
            Step::Gone => "This link no longer works",
        };
        Self {
            frame: Frame::open(title),
            step,
            fault: None,
            again: None,
        }
    }

    fn with_faults(self, fault: Option<String>, again: Option<&'static str>) -> Self {
        Self {
            frame: self.frame.with_faults(),
            fault,
            again,
            ..self
        }
    }
}

/// Asks for the code of a link.
pub(super) async fn show() -> Result<Response, Problem> {
    page(&ChoosePage::at(Step::Code))
}

/// Accepts the code, then the code with a password. The password uses up the link and signs its owner in.
pub(super) async fn choose(State(api): State<AppState>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if is_foreign(&parts.headers) {
        return Err(foreign());
    }
    let before = session::digest_in(&parts.headers);
    let origin = request_log::origin(&parts.extensions);
    let fields = read_unauthenticated(&parts, body, SMALL_FORM_MOST_BYTES).await?;
    let token = Token::read(fields.text("code"));
    if token.0.is_empty() {
        let page = ChoosePage::at(Step::Code).with_faults(Some("Enter the code of your link".to_owned()), None);
        return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let Some(owner) = owner_of(&api, &token).await? else {
        return gone();
    };
    if fields.all("new_password").next().is_none() {
        return page(&ChoosePage::at(Step::Password(owner)));
    }
    let new = match chosen(&api, &owner, &fields).await? {
        Ok(new) => new,
        Err((fault, again)) => {
            let page = ChoosePage::at(Step::Password(owner)).with_faults(fault, again);
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let redeemed = redeem_link(&api, &token.digest(), new, before.as_deref(), origin).await?;
    let Some(session_token) = redeemed else {
        return gone();
    };
    let mut response = redirect_with_flash("/console", "Your password is set, and you are signed in.");
    set_cookie(&mut response, &session::beginning(&session_token));
    Ok(response)
}

fn gone() -> Result<Response, Problem> {
    page_as(StatusCode::GONE, &ChoosePage::at(Step::Gone))
}

async fn owner_of(api: &AppState, token: &Token) -> Result<Option<Owner>, Problem> {
    let found = administrators::find_by_link(&api.db, &token.digest()).await?;
    Ok(found.map(|found| Owner {
        email: found.email,
        name: found.name,
        code: token.0.clone(),
    }))
}

/// Validation errors of the two fields.
type Faults = (Option<String>, Option<&'static str>);

/// The password in a form, or its validation errors.
async fn chosen(api: &AppState, owner: &Owner, fields: &Fields) -> Result<Result<Password, Faults>, Problem> {
    let typed = fields.text("new_password");
    let judged = validate_new_password(api, &owner.email, &owner.name, typed).await?;
    let is_same = typed == fields.text("again_password");
    let again = (!is_same).then_some("The passwords do not match");
    Ok(match (judged, again) {
        (Ok(new), None) => Ok(new),
        (judged, again) => Err((judged.err().map(|fault| fault.to_string()), again)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_by_itself_and_from_its_link() {
        for typed in [
            "a-code",
            " a-code\n",
            "#a-code",
            "https://lerna.example/console/choose-password#a-code",
        ] {
            assert_eq!(*Token::read(typed).0, "a-code", "{typed:?}");
        }
        assert!(
            Token::read("https://lerna.example/console/choose-password#")
                .0
                .is_empty()
        );
    }
}
