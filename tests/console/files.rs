//! Typical files of administrators, and forms sent over HTTP without a browser.

use harness::World;
use reqwest::{Client, Response, header};
use std::path::PathBuf;
use uuid::Uuid;

/// Writes a file that a browser can attach.
pub(crate) fn file(world: &World, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = world.folder().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A header and this many good rows for users of `tag`.
pub(crate) fn people(tag: &str, count: usize) -> String {
    let rows = (1..=count).map(|n| format!("person{n}@{tag}.example,Person {n},Sales\n"));
    std::iter::once("E-mail address,First name,Department\n".to_owned())
        .chain(rows)
        .collect()
}

/// A form with a file (RFC 7578), part by part.
#[derive(Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    const BOUNDARY: &str = "a-line-that-is-in-no-part";

    /// Adds a field.
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    /// Adds a file.
    pub(crate) fn file(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.part(&format!("name=\"file\"; filename=\"{name}\""), bytes.as_ref())
    }

    fn part(mut self, head: &str, bytes: &[u8]) -> Self {
        let head = format!("--{}\r\nContent-Disposition: form-data; {head}\r\n\r\n", Self::BOUNDARY);
        self.0.extend(head.as_bytes());
        self.0.extend(bytes);
        self.0.extend(b"\r\n");
        self
    }

    fn body(mut self) -> Vec<u8> {
        self.0.extend(format!("--{}--\r\n", Self::BOUNDARY).as_bytes());
        self.0
    }
}

/// A signed-in administrator who sends forms without a browser.
pub(crate) struct ByWire {
    client: Client,
    base: String,
    cookie: String,
    /// The CSRF token of the session's forms.
    pub(crate) csrf_token: String,
}

impl ByWire {
    /// Signs in as the world's administrator.
    pub(crate) async fn sign_in(world: &World) -> Self {
        let priya = world.administrator().await;
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let body = format!(
            "email={}&password={}",
            priya.email.replace('@', "%40"),
            priya.password.replace(' ', "+")
        );
        let entered = client
            .post(format!("{}/console/sign-in", world.base()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        let cookies = entered.headers().get_all(header::SET_COOKIE).iter();
        let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let cookie = cookies.find(|cookie| cookie.starts_with("__Host-beckon=")).unwrap();
        let mut this = Self {
            client,
            base: world.base().to_owned(),
            cookie: cookie.to_owned(),
            csrf_token: String::new(),
        };
        let page = this.get("/console/imports/new").await.text().await.unwrap();
        let behind = page.split_once("name=\"csrf_token\" value=\"").unwrap().1;
        behind.split('"').next().unwrap().clone_into(&mut this.csrf_token);
        this
    }

    /// Switches to another API of the same database.
    pub(crate) fn turn_to(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    /// Gets a page.
    pub(crate) async fn get(&self, path: &str) -> Response {
        let asked = self.client.get(format!("{}{path}", self.base));
        asked.header(header::COOKIE, &self.cookie).send().await.unwrap()
    }

    /// Clicks a button that has no fields.
    pub(crate) async fn press(&self, path: &str) -> Response {
        let asked = self.client.post(format!("{}{path}", self.base));
        asked
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("csrf_token={}", self.csrf_token))
            .send()
            .await
            .unwrap()
    }

    /// Submits the upload form.
    pub(crate) async fn send(&self, form: Form) -> Response {
        let asked = self.client.post(format!("{}/console/imports/new", self.base));
        asked
            .header(header::COOKIE, &self.cookie)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={}", Form::BOUNDARY),
            )
            .body(form.body())
            .send()
            .await
            .unwrap()
    }

    /// Uploads a file, and returns the page of its import.
    pub(crate) async fn upload(&self, bytes: impl AsRef<[u8]>) -> String {
        let answer = self.send(self.form(Uuid::new_v4(), bytes)).await;
        assert_eq!(answer.status(), 303);
        leads_to(&answer)
    }

    /// The upload form as its page submits it.
    pub(crate) fn form(&self, token: Uuid, bytes: impl AsRef<[u8]>) -> Form {
        Form::default()
            .text("csrf_token", &self.csrf_token)
            .text("form", &token.to_string())
            .file("people.csv", bytes)
    }

    /// The head and the beginning of an upload request, as bytes.
    pub(crate) fn half_a_request(&self, length: usize) -> String {
        let host = self.base.trim_start_matches("http://");
        format!(
            "POST /console/imports/new HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nContent-Length: {length}\r\n\
             Content-Type: multipart/form-data; boundary=b\r\n\r\n\
             --b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"half.csv\"\r\n\r\nemail\nada@example.org\n",
            self.cookie, self.csrf_token
        )
    }
}

/// The redirect target of a response.
pub(crate) fn leads_to(answer: &Response) -> String {
    let to = answer.headers().get(header::LOCATION).unwrap();
    to.to_str().unwrap().to_owned()
}
