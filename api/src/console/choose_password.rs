//! Choosing a password with a link: the first one, or another after a reset.
//!
//! An administrator hands the link over, and never sees the password (ASVS 5.0, 6.4.6). Opening it uses
//! nothing up, because programs that scan mail open links as well; sending the form does. The token is in the
//! path: the request log and traces have the route alone, and no page sends a `Referer`.

use super::door::{self, SMALL_FORM_MOST_BYTES, foreign, is_foreign};
use super::frame::Frame;
use super::respond::{page_as, redirect_saying, set_cookie};
use super::session;
use crate::observe;
use crate::problem::Problem;
use crate::query::{InPath, Path};
use crate::state::Api;
use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use shared::password::{PersonalWords, Rank, Verifier};
use shared::store::audit::{self, Act, Action, Actor, ActorKind};
use shared::store::{administrators, begin, commit, sessions};
use std::convert::Infallible;
use std::str::FromStr;
use tracing::info;
use zeroize::Zeroizing;

/// The token of a link.
pub(super) struct Token(Zeroizing<String>);

impl Token {
    /// What is kept of it.
    fn digest(&self) -> Vec<u8> {
        session::digest_of(&self.0)
    }
}

impl FromStr for Token {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl InPath for Token {
    const OTHERWISE: &'static str = "This link is incomplete. Copy the whole link.";
}

/// The page.
#[derive(Template)]
#[template(path = "console/choose_password.html")]
struct ChoosePage {
    frame: Frame,
    /// Whose password it is; none when the link does not work any more.
    email: Option<String>,
    /// What they are called, which must not be their password.
    name: String,
    fault: Option<String>,
    again: Option<&'static str>,
}

async fn form(api: &Api, token: &Token) -> Result<ChoosePage, Problem> {
    let owner = administrators::find_by_link(&api.db, &token.digest()).await?;
    let title = if owner.is_some() {
        "Choose a password"
    } else {
        "This link does not work any more"
    };
    let (email, name) = owner.map(|owner| (owner.email, owner.name)).unzip();
    Ok(ChoosePage {
        frame: Frame::open(title),
        email,
        name: name.unwrap_or_default(),
        fault: None,
        again: None,
    })
}

/// Shows the form to whoever has a link.
pub(super) async fn show(State(api): State<Api>, Path(token): Path<Token>) -> Result<Response, Problem> {
    let page = form(&api, &token).await?;
    let status = if page.email.is_some() {
        StatusCode::OK
    } else {
        StatusCode::GONE
    };
    page_as(status, &page)
}

/// Sets the password, uses the link up and signs its owner in.
pub(super) async fn choose(
    State(api): State<Api>,
    Path(token): Path<Token>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if is_foreign(&parts.headers) {
        return Err(foreign());
    }
    let before = session::digest_in(&parts.headers);
    let origin = observe::origin(&parts.extensions);
    let fields = door::read(&parts.headers, body, SMALL_FORM_MOST_BYTES).await?;
    let mut page = form(&api, &token).await?;
    let Some(email) = &page.email else {
        return page_as(StatusCode::GONE, &page);
    };
    let words = PersonalWords::of([email, &page.name, &api.letters.organisation]);
    let typed = Zeroizing::new(fields.text("new_password").to_owned());
    let chosen = api.console_hashing.choose(Rank::FIRST, typed, words).await?;
    if fields.text("new_password") != fields.text("again_password") {
        page.again = Some("The passwords do not match");
    }
    let new = match (chosen, page.again) {
        (Ok(new), None) => new,
        (chosen, _) => {
            page.fault = chosen.err().map(|fault| fault.to_string());
            page.frame = page.frame.with_faults();
            return page_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let (_, verifier) = api.console_hashing.hash(new).await?;
    let Some(cookie) = redeem(&api, &token, verifier, (before, origin)).await? else {
        return page_as(StatusCode::GONE, &form(&api, &token).await?);
    };
    let mut response = redirect_saying("/console", "Your password is set, and you are signed in.");
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// Stores the password and begins a session. None when the link does not work any more.
async fn redeem(
    api: &Api,
    token: &Token,
    verifier: Verifier,
    (before, origin): (Option<Vec<u8>>, Actor),
) -> Result<Option<String>, Problem> {
    let link = token.digest();
    let (token, digest) = session::make_token()?;
    let db = api.db.clone();
    let is_done = api
        .to_the_end(async move {
            let mut transaction = begin(&db).await?;
            let Some(owner) = administrators::use_link(&mut transaction, &link, verifier.as_stored()).await? else {
                return Ok(false);
            };
            sessions::begin(&mut transaction, owner.id, &owner.verifier, &digest).await?;
            if let Some(before) = before {
                sessions::end(&mut transaction, &before).await?;
            }
            let act = Act {
                actor: &Actor {
                    kind: ActorKind::Administrator(owner.id),
                    name: owner.name.clone(),
                    ..origin
                },
                action: Action::PasswordLinkUsed,
                subject: None,
                details: serde_json::json!({}),
            };
            audit::note(&mut transaction, &act).await?;
            commit(transaction).await?;
            info!(administrator.id = %owner.id, "An administrator chose a password with a link and signed in");
            Ok(true)
        })
        .await?;
    Ok(is_done.then(|| session::beginning(&token)))
}
