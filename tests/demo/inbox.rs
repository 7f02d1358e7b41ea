//! A local web site with the received mails: a list with search, each mail in four views, and a page that replaces the
//! platform's sign-in.
//!
//! The content of a mail is shown as text. Its HTML part is a page of its own in a sandbox, without scripts and without
//! external resources.

mod caught;
mod pages;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use harness::World;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::caught::Mails;
use self::pages::{ListPage, MailPage, SignInPage, Wanted, missing};
use crate::api::Api;
use crate::fault::{Fault, Result};
use crate::people::Person;

/// Policy for our own pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Policy for the HTML of a mail, which is untrusted content.
const MAIL_POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; \
                           style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";

/// State shared by all pages.
struct Inbox {
    mails: Mails,
    api: Api,
}

/// The running site; dropping it stops it.
pub(crate) struct Site(JoinHandle<()>);

/// Claims a free port for the site, whose address the mails contain.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr)> {
    let no_port = |fault: std::io::Error| {
        Fault::new(
            format!("no port on 127.0.0.1 is free for the caught mails ({fault})"),
            "end some programs that listen on this machine, and try again",
        )
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
    let address = listener.local_addr().map_err(no_port)?;
    Ok((listener, address))
}

/// Serves the mails that this world's relay has received and will receive.
pub(crate) fn open(listener: TcpListener, world: &Arc<World>, api: &Api, people: &[Person]) -> Site {
    let people: HashMap<String, Person> = people
        .iter()
        .map(|person| (crate::show::wire(&person.email).to_ascii_lowercase(), person.clone()))
        .collect();
    let inbox = Arc::new(Inbox {
        mails: Mails::new(Arc::clone(world), people),
        api: api.clone(),
    });
    let routes = Router::new()
        .route("/", get(list))
        .route("/mails/{number}", get(mail))
        .route("/mails/{number}/html", get(html))
        .route("/mails/{number}/raw", get(raw))
        .route("/sign-in", get(sign_in_form).post(sign_in))
        .route("/style.css", get(style))
        .fallback(async || missing("There is no such page."))
        .layer(from_fn(with_policy))
        .with_state(inbox);
    Site(tokio::spawn(async move {
        // Never returns an error; the site ends with the demo.
        let _ = axum::serve(listener, routes).await;
    }))
}

impl Site {
    /// Stops the site, and waits until it has released the world.
    pub(crate) async fn close(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn list(State(inbox): State<Arc<Inbox>>, Query(wanted): Query<Wanted>) -> Response {
    ListPage::of(&inbox.mails.all(), wanted.in_bounds())
}

async fn mail(State(inbox): State<Arc<Inbox>>, Path(number): Path<usize>, Query(wanted): Query<Wanted>) -> Response {
    MailPage::of(&inbox.mails.all(), number, wanted.in_bounds())
}

async fn html(State(inbox): State<Arc<Inbox>>, Path(number): Path<usize>) -> Response {
    let Some(mail) = inbox.mails.one(number) else {
        return missing("There is no such mail.");
    };
    // Links must not open in the frame.
    let page = mail.mail.html.replacen("<head>", "<head><base target=\"_blank\">", 1);
    let policy = [(header::CONTENT_SECURITY_POLICY, MAIL_POLICY)];
    (policy, Html(page)).into_response()
}

async fn raw(State(inbox): State<Arc<Inbox>>, Path(number): Path<usize>) -> Response {
    let Some(mail) = inbox.mails.one(number) else {
        return missing("There is no such mail.");
    };
    let name = format!("attachment; filename=\"mail-{number}.eml\"");
    let headers = [
        (header::CONTENT_TYPE, "message/rfc822".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, mail.mail.raw.clone()).into_response()
}

async fn sign_in_form() -> Response {
    SignInPage::of(String::new(), None)
}

async fn sign_in(State(inbox): State<Arc<Inbox>>, body: String) -> Response {
    let (email, password) = pages::form(&body);
    match inbox.api.signs_in(&email, &password).await {
        Ok(is_right) => SignInPage::of(email, Some(is_right)),
        Err(_) => (
            StatusCode::BAD_GATEWAY,
            missing("The API did not answer. The terminal of the demo may show why."),
        )
            .into_response(),
    }
}

async fn style() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (kind, include_str!("pages/style.css")).into_response()
}

/// Adds the common headers to every response, unless the page sets its own.
async fn with_policy(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let usual: [(HeaderName, &'static str); 4] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in usual {
        answer
            .headers_mut()
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    answer
}
