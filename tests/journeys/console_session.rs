//! An administrator at the console, as plain HTTP requests without a browser.

use harness::World;
use harness::world::Administrator;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

const COOKIE: &str = "__Host-beckon";

/// A response of the console.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// The session cookie, if the response sets one.
    pub(crate) token: Option<String>,
    /// The redirect target, or empty.
    pub(crate) location: String,
    /// The `Content-Disposition` header, or empty.
    pub(crate) disposition: String,
}

impl Page {
    async fn of(response: Response) -> Self {
        let cookies = response.headers().get_all("set-cookie").into_iter();
        let token = cookies
            .filter_map(|cookie| cookie.to_str().ok()?.strip_prefix(COOKIE)?.strip_prefix('='))
            .filter_map(|cookie| cookie.split(';').next())
            .find(|token| !token.is_empty())
            .map(str::to_owned);
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        Self {
            location: header("location"),
            disposition: header("content-disposition"),
            status: response.status().as_u16(),
            text: response.text().await.unwrap(),
            token,
        }
    }

    /// The value of the first field with this name.
    pub(crate) fn field(&self, name: &str) -> String {
        let field = self.text.split(&format!("name=\"{name}\" value=\"")).nth(1);
        let value = field.and_then(|rest| rest.split('"').next());
        value.unwrap_or_default().to_owned()
    }
}

/// A cookie-keeping client, with or without a session.
#[derive(Clone)]
pub(crate) struct ConsoleSession {
    client: Client,
    base: String,
    pub(crate) token: String,
}

impl ConsoleSession {
    /// A client without a session.
    pub(crate) fn stranger(world: &World) -> Self {
        Self {
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
            base: world.base().to_owned(),
            token: String::new(),
        }
    }

    /// A client signed in as this administrator.
    pub(crate) async fn of(world: &World, who: &Administrator) -> Self {
        let mut session = Self::stranger(world);
        let page = session.sign_in(&who.email, &who.password).await;
        assert_eq!(page.status, 303, "{}", page.text);
        session
    }

    /// Submits the sign-in form.
    pub(crate) async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        self.send("/console/sign-in", &[("email", email), ("password", password)])
            .await
    }

    /// Gets a page.
    pub(crate) async fn get(&self, path: &str) -> Page {
        let request = self.client.get(format!("{}{path}", self.base));
        Page::of(request.header("cookie", self.cookie()).send().await.unwrap()).await
    }

    /// Submits a form with this session's CSRF token.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf_token = self.get("/console/account").await.field("csrf_token");
        let mut fields = fields.to_vec();
        fields.push(("csrf_token", &csrf_token));
        self.send(path, &fields).await
    }

    /// Submits a form as given.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", self.cookie())
            .body(body);
        let page = Page::of(request.send().await.unwrap()).await;
        if let Some(token) = &page.token {
            self.token.clone_from(token);
        }
        page
    }

    /// Whether the session is signed in.
    pub(crate) async fn is_signed_in(&self) -> bool {
        self.get("/console/account").await.status == 200
    }

    fn cookie(&self) -> String {
        format!("{COOKIE}={}", self.token)
    }
}
