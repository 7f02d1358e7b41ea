//! Starting, stopping and killing a world's programs.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::PgPool;

use super::{PATIENCE, PULSE, World};
use crate::error::{HarnessError, Result};
use crate::program::Program;

/// How long a program may think about whether it is ready.
const ANSWER: Duration = Duration::from_secs(5);

impl World {
    /// Starts the API, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn start_api(&mut self) -> Result<()> {
        self.start_api_with(&[]).await
    }

    /// Starts the API with these settings in the place of the world's, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn start_api_with(&mut self, own: &[(&str, &str)]) -> Result<()> {
        let mut settings = self.settings.clone();
        settings.push(("BECKON_LISTEN".to_owned(), self.address().to_string()));
        settings.push(("BECKON_PROBES_LISTEN".to_owned(), self.probes_address().to_string()));
        settings.extend(self.setup.api.clone());
        settings.extend(
            own.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let name = self.next_name("api");
        self.api = None;
        let path = self.setup.path_of("beckon-api")?;
        let program = Program::start_at(&path, self.folder.path(), &name, &[], &settings).await?;
        // A release without a listener for probes answers them where it answers everything.
        let places = [
            format!("http://{}", self.probes_address()),
            format!("http://{}", self.address()),
        ];
        self.ready(&program, &places).await?;
        self.api = Some(program);
        Ok(())
    }

    /// Starts one more worker, and waits until it takes jobs.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn start_worker(&mut self) -> Result<()> {
        self.start_worker_with(&[]).await
    }

    /// Starts one more worker with these settings in the place of the world's, and waits until it
    /// takes jobs.
    ///
    /// # Errors
    ///
    /// When it does not come up.
    pub async fn start_worker_with(&mut self, own: &[(&str, &str)]) -> Result<()> {
        let (program, probes) = self.launch_worker(own).await?;
        self.ready(&program, &[format!("http://{probes}")]).await?;
        self.workers.push(program);
        Ok(())
    }

    /// Starts one more worker that is to stop at a failpoint. It is not waited for, because it may stand
    /// there with all its threads before it can say that it takes jobs.
    ///
    /// # Errors
    ///
    /// When there is no such program.
    pub async fn start_worker_that_stops(&mut self, failpoint: &str) -> Result<()> {
        self.start_worker_unready(&[("BECKON_FAILPOINT", failpoint)]).await
    }

    /// Starts one more worker with these settings in the place of the world's, and does not wait until it
    /// takes jobs: the relay, or something else that it needs, is in trouble.
    ///
    /// # Errors
    ///
    /// When there is no such program.
    pub async fn start_worker_unready(&mut self, own: &[(&str, &str)]) -> Result<()> {
        let (program, _) = self.launch_worker(own).await?;
        self.workers.push(program);
        Ok(())
    }

    /// Starts one more worker, and says where it answers probes.
    async fn launch_worker(&mut self, own: &[(&str, &str)]) -> Result<(Program, String)> {
        let probes = match self.setup.probes() {
            Some(address) => address,
            None => self.spare_address()?.to_string(),
        };
        let mut settings = self.settings.clone();
        settings.push(("BECKON_PROBES_LISTEN".to_owned(), probes.clone()));
        let journal = self.folder.path().join("journal");
        settings.push(("BECKON_JOURNAL".to_owned(), journal.display().to_string()));
        settings.push((
            "SMTP_URL".to_owned(),
            format!("smtp://{}{}?tls=none", self.setup.login(), self.relay.address()),
        ));
        settings.extend(self.setup.worker.clone());
        settings.extend(
            own.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let name = self.next_name("worker");
        let path = self.setup.path_of("beckon-worker")?;
        let program = Program::start_at(&path, self.folder.path(), &name, &[], &settings).await?;
        Ok((program, probes))
    }

    /// Runs a program of ours to its end and returns its exit code and what it said.
    ///
    /// # Errors
    ///
    /// When it cannot be started or does not end.
    pub async fn run(
        &mut self,
        binary: &str,
        arguments: &[&str],
        settings: &[(String, String)],
    ) -> Result<(i32, String)> {
        let name = self.next_name("once");
        let path = self.setup.path_of(binary)?;
        let program = Program::start_at(&path, self.folder.path(), &name, arguments, settings).await?;
        let code = program.ended(PATIENCE).await?;
        Ok((code, program.log()))
    }

    /// Kills a worker as a crash does, without a word.
    pub async fn kill_worker(&mut self, at: usize) {
        let worker = self.workers.remove(at);
        worker.signal(Signal::SIGKILL);
        let _ = worker.ended(PATIENCE).await;
    }

    /// Stops a worker in good order and returns its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop_worker(&mut self, at: usize) -> i32 {
        stop(self.workers.remove(at)).await
    }

    /// Stops the API in good order and returns its exit code.
    ///
    /// # Panics
    ///
    /// When there is none, or it does not end.
    pub async fn stop_api(&mut self) -> i32 {
        match self.api.take() {
            Some(api) => stop(api).await,
            None => panic!("the world has no API"),
        }
    }

    /// Kills everything as a machine that loses power does.
    pub async fn kill_all(&mut self) {
        while !self.workers.is_empty() {
            self.kill_worker(0).await;
        }
        self.kill_api().await;
    }

    /// What is started from now on uses this database, and so does who looks.
    ///
    /// # Errors
    ///
    /// When the address cannot be read.
    pub fn turn_to_database(&mut self, url: &str) -> Result<()> {
        self.db = PgPool::connect_lazy(url)
            .map_err(|fault| HarnessError::because("could not read the database's address", fault))?;
        let database = self.settings.iter_mut().find(|(name, _)| name == "DATABASE_URL");
        if let Some((_, value)) = database {
            url.clone_into(value);
        }
        Ok(())
    }

    /// What is started from now on is this workspace's, or another release's in that folder.
    pub fn turn_to_programs(&mut self, folder: Option<&Path>) {
        self.setup.programs = folder.map(Path::to_path_buf);
    }

    /// Kills the API as a crash does.
    pub async fn kill_api(&mut self) {
        if let Some(api) = self.api.take() {
            api.signal(Signal::SIGKILL);
            let _ = api.ended(PATIENCE).await;
        }
    }

    /// Waits until a program is ready, as one of these places says.
    pub(super) async fn ready(&self, program: &Program, places: &[String]) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for place in places {
                let asked = self.http.get(format!("{place}/readyz")).timeout(ANSWER).send();
                if asked.await.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(());
                }
            }
            if let Some(code) = program.exit_code() {
                return Err(HarnessError::new(format!(
                    "a program ended with {code} before it was ready\n{}",
                    program.log_tail()
                )));
            }
            if Instant::now() > deadline {
                return Err(HarnessError::new(format!(
                    "a program was not ready within {PATIENCE:?}\n{}",
                    program.log_tail()
                )));
            }
            tokio::time::sleep(PULSE).await;
        }
    }

    pub(super) fn next_name(&mut self, what: &str) -> String {
        self.started += 1;
        format!("{what}-{}", self.started)
    }
}

/// Stops a program in good order.
///
/// # Panics
///
/// When it does not end.
pub(super) async fn stop(program: Program) -> i32 {
    program.signal(Signal::SIGTERM);
    match program.ended(PATIENCE).await {
        Ok(code) => code,
        Err(fault) => panic!("{fault}"),
    }
}
