//! Users and programs that must not be affected by the attack.

use std::sync::Arc;
use std::time::Duration;

use harness::world::Administrator;
use harness::{HarnessError, Result, World};
use reqwest::Client;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;

/// Pause between two requests of a bystander.
const PAUSE: Duration = Duration::from_millis(500);

/// The credentials of the bystanders.
pub(crate) struct Bystanders {
    base: String,
    probes: String,
    key: String,
    administrator: Administrator,
    /// A user with a mailed password, and one with a password of their own.
    users: [(String, String); 2],
}

/// The password that the second user chose.
const OWN_PASSWORD: &str = "correct horse battery staple";

/// A client with this source address.
pub(crate) fn client_at(address: [u8; 4]) -> Result<Client> {
    Client::builder()
        .local_address(std::net::IpAddr::from(address))
        .redirect(Policy::none())
        .build()
        .map_err(|fault| HarnessError::because("could not make a client", fault))
}

impl Bystanders {
    /// Creates an administrator and the users.
    pub(crate) async fn prepare(world: &World) -> Result<Self> {
        let [ada, bea] = ["ada@example.com", "bea@example.com"];
        let mailed = (ada.to_owned(), mailed_password(world, ada).await?);
        let first = mailed_password(world, bea).await?;
        let choice = json!({ "email": bea, "password": first, "new_password": OWN_PASSWORD });
        world.post("/v1/credentials/choose", choice).await.expect(200);
        Ok(Self {
            base: world.base().to_owned(),
            probes: world.probes().to_owned(),
            key: world.key().to_owned(),
            administrator: world.administrator().await.clone(),
            users: [mailed, (bea.to_owned(), OWN_PASSWORD.to_owned())],
        })
    }

    /// Runs all bystanders until the end.
    pub(crate) fn begin(self, tasks: &mut JoinSet<()>, figures: &Arc<Figures>, end: &CancellationToken) {
        let this = Arc::new(self);
        for (n, bystander) in Bystander::ALL.into_iter().enumerate() {
            let (this, figures, end) = (Arc::clone(&this), Arc::clone(figures), end.clone());
            tasks.spawn(async move {
                let octet = u8::try_from(n).unwrap_or_default();
                let Ok(client) = client_at([127, 0, 9, octet + 1]) else {
                    return;
                };
                let mut device = String::new();
                while !end.is_cancelled() {
                    this.act(bystander, &client, &mut device, &figures).await;
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
    }

    async fn act(&self, bystander: Bystander, client: &Client, device: &mut String, figures: &Figures) {
        match bystander {
            Bystander::Administrator => {
                let form = [
                    ("email", &self.administrator.email),
                    ("password", &self.administrator.password),
                ];
                let url = format!("{}/console/sign-in", self.base);
                let request = client.post(url).header("cookie", &*device).form(&form);
                let answer = figures.require(bystander.as_str(), 303, request).await;
                remember_device(answer.as_ref(), device);
            }
            Bystander::Mailed | Bystander::OwnPassword => {
                let what = bystander.as_str();
                let (email, password) = match bystander {
                    Bystander::Mailed => &self.users[0],
                    _ => &self.users[1],
                };
                let request = client
                    .post(format!("{}/v1/credentials/verify", self.base))
                    .bearer_auth(&self.key)
                    .json(&json!({ "email": email, "password": password, "client": format!("{email}'s browser") }));
                let answer = figures.require(what, 200, request).await;
                let answer: Value = match answer {
                    Some(answer) => answer.json().await.unwrap_or_default(),
                    None => Value::Null,
                };
                if answer.get("valid") != Some(&Value::Bool(true)) {
                    figures.refuse(what);
                }
            }
            Bystander::Probe => {
                for page in ["healthz", "readyz", "metrics"] {
                    let request = client.get(format!("{}/{page}", self.probes));
                    figures.require(bystander.as_str(), 200, request).await;
                }
            }
        }
    }
}

/// Imports a user and mails them a password.
async fn mailed_password(world: &World, email: &str) -> Result<String> {
    world.person(email).await;
    let batch = world.reset_passwords(json!({ "emails": [email] })).await;
    world.finished(batch).await;
    let mails = world.relay.mails_to(email)?;
    let password = mails.first().and_then(|mail| mail.password());
    let password = password.ok_or_else(|| HarnessError::new(format!("{email} got no password")))?;
    Ok(password.to_owned())
}

#[derive(Clone, Copy)]
pub(crate) enum Bystander {
    Administrator,
    Mailed,
    OwnPassword,
    Probe,
}

impl Bystander {
    pub(crate) const ALL: [Self; 4] = [Self::Administrator, Self::Mailed, Self::OwnPassword, Self::Probe];

    /// What it does, as the figures call it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "an administrator signs in",
            Self::Mailed => "a mailed password signs in",
            Self::OwnPassword => "a chosen password signs in",
            Self::Probe => "a probe asks",
        }
    }
}

/// Keeps the cookies of a response as a browser does, except the session cookie.
fn remember_device(answer: Option<&reqwest::Response>, device: &mut String) {
    let cookies = answer
        .into_iter()
        .flat_map(|answer| answer.headers().get_all("set-cookie"));
    let mut cookies = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    if let Some(cookie) = cookies.rfind(|cookie| cookie.contains("device=")) {
        cookie.clone_into(device);
    }
}
