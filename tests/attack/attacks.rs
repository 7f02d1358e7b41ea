//! The attacks, each limited in number and rate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use harness::{HarnessError, Result, World};
use reqwest::{Body, Client};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bystanders::client_at;
use crate::figures::Figures;

/// Clients that post forms with a million fields.
const FORM_POSTERS: u8 = 4;

/// Source addresses that flood the sign-in,
const FLOODERS: u8 = 200;
/// and their combined requests per second.
const FLOOD_RATE: u32 = 110;

/// Guesses per second at one administrator's password, and at one user's.
const GUESS_RATE: u32 = 20;

/// Bodies sent at one byte per second,
pub(crate) const SLOW_BODIES: usize = 1_000;
/// from this many addresses,
const SLOW_ADDRESSES: usize = 20;
/// to these pages in turn.
const SLOW_PATHS: [&str; 2] = ["/console/sign-in", "/console/users"];

/// What the figures call them.
pub(crate) const SLOW: &str = "slow bodies";

/// Concurrent uploads,
const UPLOADS: u8 = 8;
/// and the size of each in bytes.
const UPLOAD_BYTES: usize = 60 * 1024 * 1024;

/// State shared by all attacks.
#[derive(Clone)]
struct Attack {
    base: String,
    key: String,
    administrator: String,
    figures: Arc<Figures>,
    end: CancellationToken,
}

/// Which attacks run.
pub(crate) struct Attacks(Vec<&'static str>);

impl Attacks {
    /// The attacks by name.
    pub(crate) const NAMES: [&str; 7] = ["forms", "flood", "guesses", "queries", "bodies", "uploads", "slow"];

    /// Every attack.
    pub(crate) fn all() -> Self {
        Self(Self::NAMES.to_vec())
    }

    /// Those in a comma-separated list, or `None` if it contains another word.
    pub(crate) fn named(list: &str) -> Option<Self> {
        let known = |word: &str| Self::NAMES.into_iter().find(|name| *name == word);
        list.split(',').map(known).collect::<Option<_>>().map(Self)
    }

    /// Whether this attack is among them.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Starts the attacks.
    ///
    /// # Errors
    ///
    /// When a client cannot be created.
    pub(crate) fn begin(
        &self,
        world: &Arc<World>,
        tasks: &mut JoinSet<()>,
        figures: &Arc<Figures>,
        end: &CancellationToken,
    ) -> Result<()> {
        let attack = Attack {
            base: world.base().to_owned(),
            key: world.key().to_owned(),
            administrator: "priya@lerna.example".to_owned(),
            figures: Arc::clone(figures),
            end: end.clone(),
        };
        for name in &self.0 {
            match *name {
                "forms" => attack.post_all_forms(tasks)?,
                "flood" => attack.flood_all(tasks)?,
                "guesses" => {
                    tasks.spawn(attack.clone().guess(client_at([127, 0, 3, 1])?));
                }
                "queries" => {
                    tasks.spawn(attack.clone().query(client_at([127, 0, 6, 1])?));
                }
                "bodies" => {
                    tasks.spawn(attack.clone().post_conditions(client_at([127, 0, 7, 1])?));
                }
                "uploads" => attack.upload_all(tasks)?,
                _ => attack.drip_all(world.address(), tasks)?,
            }
        }
        Ok(())
    }
}

impl Attack {
    fn post_all_forms(&self, tasks: &mut JoinSet<()>) -> Result<()> {
        for n in 1..=FORM_POSTERS {
            tasks.spawn(self.clone().post_forms(client_at([127, 0, 1, n])?));
        }
        Ok(())
    }

    fn flood_all(&self, tasks: &mut JoinSet<()>) -> Result<()> {
        let flooders = (1..=FLOODERS)
            .map(|n| client_at([127, 0, 2, n]))
            .collect::<Result<Vec<_>>>()?;
        tasks.spawn(self.clone().flood(flooders));
        Ok(())
    }

    fn upload_all(&self, tasks: &mut JoinSet<()>) -> Result<()> {
        for n in 1..=UPLOADS {
            tasks.spawn(self.clone().upload(client_at([127, 0, 4, n])?));
        }
        Ok(())
    }

    fn drip_all(&self, to: SocketAddr, tasks: &mut JoinSet<()>) -> Result<()> {
        for (n, path) in (0..SLOW_BODIES).zip(SLOW_PATHS.into_iter().cycle()) {
            let octet = u8::try_from(1 + n % SLOW_ADDRESSES).map_err(|_| HarnessError::new("too many addresses"))?;
            tasks.spawn(self.clone().drip(to, [127, 0, 5, octet], path));
        }
        Ok(())
    }

    /// Posts forms with a million fields, one after the other.
    async fn post_forms(self, client: Client) {
        let form = "a&".repeat(1 << 20);
        while !self.end.is_cancelled() {
            let request = client
                .post(format!("{}/console/sign-in", self.base))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form.clone());
            self.figures.attack("hostile forms", request).await;
            self.pause(Duration::from_millis(50)).await;
        }
    }

    /// Tries to sign in with a different address each time, from all clients in turn.
    async fn flood(self, clients: Vec<Client>) {
        let mut in_flight = JoinSet::new();
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / FLOOD_RATE);
        for (n, client) in clients.iter().cycle().enumerate() {
            ticks.tick().await;
            if self.end.is_cancelled() {
                break;
            }
            let form = [
                ("email", format!("person{n}@example.net")),
                ("password", "open sesame, please".to_owned()),
            ];
            let request = client.post(format!("{}/console/sign-in", self.base)).form(&form);
            let figures = Arc::clone(&self.figures);
            in_flight.spawn(async move { figures.attack("sign-in flood", request).await });
            while in_flight.try_join_next().is_some() {}
        }
    }

    /// Guesses the password of one administrator and of one user.
    async fn guess(self, client: Client) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / GUESS_RATE);
        let mut in_flight = JoinSet::new();
        while !self.end.is_cancelled() {
            ticks.tick().await;
            let console = client
                .post(format!("{}/console/sign-in", self.base))
                .form(&[("email", &*self.administrator), ("password", "a guess of many words")]);
            let guess =
                json!({ "email": "ada@example.com", "password": "abcde-fghjk-mnpqr-stuvw", "client": "a guesser" });
            let platform = client
                .post(format!("{}/v1/credentials/verify", self.base))
                .bearer_auth(&self.key)
                .json(&guess);
            let figures = Arc::clone(&self.figures);
            in_flight.spawn(async move {
                tokio::join!(
                    figures.attack("guesses at the console", console),
                    figures.attack("guesses at the API", platform)
                );
            });
            while in_flight.try_join_next().is_some() {}
        }
    }

    /// Gets a page that needs no session with thousands of parameters.
    async fn query(self, client: Client) {
        let parameters = (0..7_000).fold(String::new(), |all, n| all + &format!("p{n}=1&"));
        let url = format!("{}/console/sign-in?{parameters}to=1&to=1", self.base);
        while !self.end.is_cancelled() {
            self.figures.attack("long queries", client.get(&url)).await;
            self.pause(Duration::from_millis(20)).await;
        }
    }

    /// Posts filters with a million conditions.
    async fn post_conditions(self, client: Client) {
        let conditions = vec![r#"["","is",null]"#; 1_000_000].join(",");
        let body = format!(r#"{{"filter":{{"where":[{conditions}]}}}}"#);
        while !self.end.is_cancelled() {
            let request = client
                .post(format!("{}/v1/invites", self.base))
                .bearer_auth(&self.key)
                .header("content-type", "application/json")
                .body(body.clone());
            self.figures.attack("filters of 15 MiB", request).await;
            self.pause(Duration::from_secs(1)).await;
        }
    }

    /// Uploads large files with hundreds of thousands of rows.
    async fn upload(self, client: Client) {
        while !self.end.is_cancelled() {
            let rows = "person@example.org,Person,Example,some text that fills the file without end\n".repeat(1_000);
            let pieces = UPLOAD_BYTES / rows.len();
            let rows = std::iter::repeat_n(rows, pieces);
            let file = std::iter::once("email,first_name,last_name,text\n".to_owned()).chain(rows);
            let body = stream::iter(file.map(Ok::<_, std::io::Error>));
            let request = client
                .post(format!("{}/v1/imports?file_name=people.csv&dry_run=true", self.base))
                .bearer_auth(&self.key)
                .header("content-type", "text/csv")
                .body(Body::wrap_stream(body));
            self.figures.attack("uploads of 60 MiB", request).await;
            self.pause(Duration::from_millis(200)).await;
        }
    }

    /// Holds a connection open with a body sent at one byte per second, repeatedly.
    async fn drip(self, to: SocketAddr, from: [u8; 4], path: &str) {
        while !self.end.is_cancelled() {
            let _ = self.drip_once(to, from, path).await;
            self.pause(Duration::from_secs(1)).await;
        }
    }

    async fn drip_once(&self, to: SocketAddr, from: [u8; 4], path: &str) -> std::io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let mut stream = socket.connect(to).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 10000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await?;
        self.figures.count(SLOW);
        while !self.end.is_cancelled() {
            stream.write_all(b"a").await?;
            self.pause(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.end.cancelled() => {}
        }
    }
}
