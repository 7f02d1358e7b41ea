//! Runs a test in a world, and removes the world however the test ends.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Servers, Setup, World};

/// Timeout for closing the connections to the database. A task of a failed test may still have one.
const CLOSING: Duration = Duration::from_secs(5);

impl World {
    /// Runs a test in a world with the default setup, as [`World::run_in`] does.
    pub async fn run<T>(test: impl AsyncFnOnce(&mut Self) -> T) -> T {
        Self::run_with(Setup::default(), test).await
    }

    /// Runs a test in a world with this setup, as [`World::run_in`] does.
    pub async fn run_with<T>(setup: Setup, test: impl AsyncFnOnce(&mut Self) -> T) -> T {
        Self::run_in(Self::with(setup).await, test).await
    }

    /// Runs a test in this world, kills the workers, and asserts what [`World::assert_invariants`] does. Then removes
    /// the world's database and virtual host from shared servers, also when the test panics.
    ///
    /// The assertion is omitted if the world has servers of its own, which a test may stop or replace, or if the test
    /// calls [`World::skip_promises`].
    ///
    /// # Panics
    ///
    /// When the test does, or a promise is broken.
    pub async fn run_in<T>(mut world: Self, test: impl AsyncFnOnce(&mut Self) -> T) -> T {
        let test_and_check = async {
            let found = test(&mut world).await;
            // From here on nothing more is sent.
            world.workers.clear();
            world.assert_invariants_unless_skipped().await;
            found
        };
        let outcome = Box::pin(AssertUnwindSafe(test_and_check).catch_unwind()).await;
        world.record_duration();
        world.remove().await;
        match outcome {
            Ok(found) => found,
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Ends a world that no runner ends, with the same assertion and cleanup as [`World::run_in`].
    pub async fn end(self) {
        Self::run_in(self, async |_| {}).await;
    }

    /// Omits the assertion at the end, because the test itself makes the ledger and the relay differ. `reason`
    /// completes "because …".
    pub fn skip_promises(&self, reason: &'static str) {
        let _ = self.promises_skipped.set(reason);
    }

    async fn assert_invariants_unless_skipped(&self) {
        let is_shared = matches!(self.servers, Servers::Shared(_)) && self.setup.database_url.is_none();
        match self.promises_skipped.get() {
            _ if !is_shared => {}
            Some(reason) => println!("the promises are not checked, because {reason}"),
            None => self.assert_invariants().await,
        }
    }

    async fn remove(mut self) {
        self.workers.clear();
        self.api = None;
        let _ = tokio::time::timeout(CLOSING, self.db.close()).await;
        if let Servers::Shared(stack) = self.servers {
            let _ = stack.delete_vhost(&self.name).await;
            let _ = stack.drop_database(&self.name).await;
        }
    }

    /// Appends this test's duration in seconds and its name to `test-times` beside the programs, for `make test`.
    fn record_duration(&self) {
        let program = std::env::current_exe().unwrap_or_default();
        let Some(folder) = program.parent().filter(|folder| folder.ends_with("deps")) else {
            return;
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.with_file_name("test-times"));
        let suite = program.file_stem().unwrap_or_default().to_string_lossy();
        let suite = suite.rsplit_once('-').map_or("", |(suite, _)| suite);
        let current = std::thread::current();
        let test = current.name().unwrap_or_default();
        let line = format!("{:6.1} s  {suite} {test}\n", self.began.elapsed().as_secs_f64());
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}
