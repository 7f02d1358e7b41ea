//! Starting, stopping and killing a world's programs.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use sqlx::PgPool;

use super::{PATIENCE, PULSE, World};
use crate::error::{HarnessError, Result};
use crate::program::Program;

/// Timeout for a readiness check.
const ANSWER: Duration = Duration::from_secs(5);

impl World {
    /// Starts the API and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_api(&mut self) -> Result<()> {
        self.start_api_with(&[]).await
    }

    /// Starts the API with these settings instead of the world's, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start.
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
        // A release without a separate listener serves probes on the main one.
        let places = [
            format!("http://{}", self.probes_address()),
            format!("http://{}", self.address()),
        ];
        self.ready(&program, &places).await?;
        self.api = Some(program);
        Ok(())
    }

    /// Starts another worker and waits until it consumes jobs.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_worker(&mut self) -> Result<()> {
        self.start_worker_with(&[]).await
    }

    /// Starts another worker with these settings instead of the world's, and waits until it consumes jobs.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_worker_with(&mut self, own: &[(&str, &str)]) -> Result<()> {
        let (program, probes) = self.launch_worker(own).await?;
        self.ready(&program, &[format!("http://{probes}")]).await?;
        self.workers.push(program);
        Ok(())
    }

    /// Starts another worker that stops at a failpoint, without waiting for it, because it may be stopped with all its
    /// threads before it can report that it consumes jobs.
    ///
    /// # Errors
    ///
    /// When the program does not exist.
    pub async fn start_worker_that_stops(&mut self, failpoint: &str) -> Result<()> {
        self.start_worker_unready(&[("BECKON_FAILPOINT", failpoint)]).await
    }

    /// Starts another worker with these settings instead of the world's, without waiting until it consumes jobs,
    /// because the relay or something else that it needs is in trouble.
    ///
    /// # Errors
    ///
    /// When the program does not exist.
    pub async fn start_worker_unready(&mut self, own: &[(&str, &str)]) -> Result<()> {
        let (program, _) = self.launch_worker(own).await?;
        self.workers.push(program);
        Ok(())
    }

    /// Starts another worker and returns the address of its probes.
    async fn launch_worker(&mut self, own: &[(&str, &str)]) -> Result<(Program, String)> {
        let own_probes = own.iter().find(|(name, _)| *name == "BECKON_PROBES_LISTEN");
        let probes = match (own_probes, self.setup.probes()) {
            (Some((_, address)), _) => (*address).to_owned(),
            (None, Some(address)) => address,
            (None, None) => self.spare_address()?.to_string(),
        };
        let mut settings = self.settings.clone();
        settings.push(("BECKON_PROBES_LISTEN".to_owned(), probes.clone()));
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

    /// Runs one of our programs to its end and returns its exit code and output.
    ///
    /// # Errors
    ///
    /// When it cannot be started or does not end.
    pub async fn run_program(
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

    /// Kills a worker, as a crash does.
    pub async fn kill_worker(&mut self, at: usize) {
        let worker = self.workers.remove(at);
        worker.signal(Signal::SIGKILL);
        let _ = worker.ended(PATIENCE).await;
    }

    /// Stops a worker gracefully and returns its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop_worker(&mut self, at: usize) -> i32 {
        stop(self.workers.remove(at)).await
    }

    /// Stops the API gracefully and returns its exit code.
    ///
    /// # Panics
    ///
    /// When it is not running, or does not end.
    pub async fn stop_api(&mut self) -> i32 {
        match self.api.take() {
            Some(api) => stop(api).await,
            None => panic!("the world has no API"),
        }
    }

    /// Kills everything, as a power failure does.
    pub async fn kill_all(&mut self) {
        while !self.workers.is_empty() {
            self.kill_worker(0).await;
        }
        self.kill_api().await;
    }

    /// Uses this database for all programs started from now on, and for assertions. The promises are not checked at the
    /// end, because the server of this database may have ended before.
    ///
    /// # Errors
    ///
    /// When the address cannot be read.
    pub fn turn_to_database(&mut self, url: &str) -> Result<()> {
        self.skip_promises("the database is no longer the world's own");
        self.db = PgPool::connect_lazy(url)
            .map_err(|fault| HarnessError::because("could not read the database's address", fault))?;
        let database = self.settings.iter_mut().find(|(name, _)| name == "DATABASE_URL");
        if let Some((_, value)) = database {
            url.clone_into(value);
        }
        Ok(())
    }

    /// Starts the programs of this workspace from now on, or those of another release in that folder.
    pub fn turn_to_programs(&mut self, folder: Option<&Path>) {
        self.setup.programs = folder.map(Path::to_path_buf);
    }

    /// Kills the API, as a crash does.
    pub async fn kill_api(&mut self) {
        if let Some(api) = self.api.take() {
            api.signal(Signal::SIGKILL);
            let _ = api.ended(PATIENCE).await;
        }
    }

    /// Waits until a program is ready according to one of these addresses.
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

/// Stops a program gracefully.
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
