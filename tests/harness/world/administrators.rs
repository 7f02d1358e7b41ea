//! Administrators of the console.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use uuid::Uuid;

use super::World;
use crate::error::{HarnessError, Result};
use crate::program::binary_path;

/// An administrator who can sign in to the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// The name shown on pages.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// What they sign in with.
    pub password: String,
}

impl World {
    /// The administrator of this world, added on first use.
    ///
    /// # Panics
    ///
    /// When the program that adds them fails.
    pub async fn administrator(&self) -> &Administrator {
        self.administrator
            .get_or_init(async || self.another_administrator("Priya Nair", "priya@lerna.example").await)
            .await
    }

    /// Adds an administrator from the command line.
    ///
    /// # Panics
    ///
    /// When the program that adds them fails.
    pub async fn another_administrator(&self, name: &str, email: &str) -> Administrator {
        let administrator = Administrator {
            name: name.to_owned(),
            email: email.to_owned(),
            password: format!("lantern orchard {name}"),
        };
        match self.admit(&administrator).await {
            Ok(()) => administrator,
            Err(fault) => panic!("{fault}"),
        }
    }

    async fn admit(&self, administrator: &Administrator) -> Result<()> {
        let failed = |fault| HarnessError::because("could not run beckon-api add-administrator", fault);
        let mut program = Command::new(binary_path("beckon-api")?)
            .args(["add-administrator", "--password-stdin"])
            .args(["--email", &administrator.email, "--name", &administrator.name])
            .env_clear()
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(mut input) = program.stdin.take() {
            let line = format!("{}\n", administrator.password);
            input.write_all(line.as_bytes()).await.map_err(failed)?;
        }
        let output = program.wait_with_output().await.map_err(failed)?;
        if output.status.success() {
            return Ok(());
        }
        Err(HarnessError::new(format!(
            "could not make an administrator: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    /// Signs the administrator in to the console and returns the session cookie for requests.
    ///
    /// # Panics
    ///
    /// When the sign-in fails.
    pub async fn console_cookie(&self) -> String {
        let administrator = self.administrator().await;
        let form = format!(
            "email={}&password={}",
            administrator.email.replace('@', "%40"),
            administrator.password.replace(' ', "+")
        );
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let entered = async {
            let asked = client.build()?.post(format!("{}/console/sign-in", self.base));
            let asked = asked.header("Content-Type", "application/x-www-form-urlencoded");
            asked.body(form).send().await
        };
        let headers = match entered.await {
            Ok(answer) => answer.headers().clone(),
            Err(fault) => panic!("could not sign in: {fault}"),
        };
        let mut cookies = headers.get_all("set-cookie").iter();
        let cookie = cookies.find_map(|cookie| cookie.to_str().ok()?.split(';').next());
        match cookie {
            Some(cookie) => cookie.to_owned(),
            None => panic!("signing in set no cookie"),
        }
    }

    /// The id of an administrator.
    pub async fn administrator_id(&self, name: &str) -> Uuid {
        self.rows("administrators").with("name", name).only("id").await
    }

    /// Ends all sessions of the console, as if they had expired.
    pub async fn let_sessions_end(&self) {
        self.rows("sessions").age(&["seen_at"], Duration::from_hours(2)).await;
    }
}
