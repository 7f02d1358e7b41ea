//! Requests to the driver over the W3C `WebDriver` protocol.

use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::error::{HarnessError, Result};

/// Must exceed every step's own limit, below.
const ANSWER: Duration = Duration::from_mins(2);

/// The standard's key for element references.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// One browser session.
#[derive(Debug)]
pub(super) struct Session {
    http: Client,
    base: String,
}

/// A reference to an element; valid until its page is replaced.
#[derive(Debug, Clone)]
pub(super) struct Element(String);

impl Session {
    /// Starts a browser through the driver on this port.
    pub(super) async fn open(port: u16, capabilities: &Value) -> Result<Self> {
        let http = Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .map_err(|fault| HarnessError::because("could not make a client", fault))?;
        let mut session = Self {
            http,
            base: format!("http://127.0.0.1:{port}/session"),
        };
        let started = session.ask(Method::POST, "", Some(capabilities.clone())).await?;
        let Some(id) = started["sessionId"].as_str() else {
            return Err(HarnessError::new(format!("the driver gave no session: {started}")));
        };
        session.base = format!("{}/{id}", session.base);
        Ok(session)
    }

    /// Sends one request to the driver.
    ///
    /// # Errors
    ///
    /// When the driver cannot carry it out; the text is the driver's own.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let unheard = |fault| HarnessError::because("the browser's driver did not answer", fault);
        let answer = request.send().await.map_err(unheard)?;
        let succeeded = answer.status().is_success();
        let mut answer: Value = answer.json().await.map_err(unheard)?;
        let value = answer["value"].take();
        if succeeded {
            return Ok(value);
        }
        // The list of the driver's own stack frames does not help here.
        let message = value["message"].as_str().unwrap_or_default();
        let sentence = message.lines().next().unwrap_or_default();
        Err(HarnessError::new(sentence))
    }

    /// Runs a function body on the page with `arguments` and returns its result.
    pub(super) async fn run(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        let body = json!({ "script": script, "args": arguments });
        self.ask(Method::POST, "/execute/sync", Some(body)).await
    }

    /// Runs a function body whose last argument is a callback that receives the result.
    pub(super) async fn run_to_the_end(&self, script: &str, arguments: &[Value]) -> Result<Value> {
        let body = json!({ "script": script, "args": arguments });
        self.ask(Method::POST, "/execute/async", Some(body)).await
    }

    /// Sends a command of Chromium's developer tools.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Result<Value> {
        let body = json!({ "cmd": command, "params": parameters });
        self.ask(Method::POST, "/goog/cdp/execute", Some(body)).await
    }

    /// Sends a request about an element.
    pub(super) async fn of(&self, element: &Element, method: Method, what: &str, body: Option<Value>) -> Result<Value> {
        self.ask(method, &format!("/element/{}/{what}", element.0), body).await
    }
}

impl Element {
    /// Reads an element reference from a script's result.
    pub(super) fn read(value: &Value) -> Option<Self> {
        Some(Self(value[ELEMENT].as_str()?.to_owned()))
    }

    /// Converts the element reference to a script argument.
    pub(super) fn write(&self) -> Value {
        json!({ ELEMENT: self.0 })
    }
}
