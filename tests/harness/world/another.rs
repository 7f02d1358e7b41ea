//! An additional API on the same database and virtual host.

use crate::error::Result;
use crate::program::Program;

use super::World;
use super::programs::stop;

/// A running additional API. Dropping it ends it.
#[derive(Debug)]
pub struct AnotherApi {
    /// Its process.
    pub program: Program,
    /// Its base URL.
    pub base: String,
    /// The base URL of its probes.
    pub probes: String,
}

impl AnotherApi {
    /// Stops it gracefully and returns its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop(self) -> i32 {
        stop(self.program).await
    }
}

impl World {
    /// Starts another API with these settings instead of the world's, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn another_api(&mut self, settings: &[(&str, &str)]) -> Result<AnotherApi> {
        let address = self.spare_address()?.to_string();
        let probes = self.spare_address()?.to_string();
        let mut all = self.settings.clone();
        all.extend(self.setup.api.clone());
        let own = [
            ("BECKON_LISTEN", address.as_str()),
            ("BECKON_PROBES_LISTEN", probes.as_str()),
        ];
        let given = settings.iter().copied().chain(own);
        all.extend(given.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let name = self.next_name("another-api");
        let path = self.setup.path_of("beckon-api")?;
        let program = Program::start_at(&path, self.folder.path(), &name, &[], &all).await?;
        let (base, probes) = (format!("http://{address}"), format!("http://{probes}"));
        self.ready(&program, &[probes.clone(), base.clone()]).await?;
        Ok(AnotherApi { program, base, probes })
    }

    /// Sends the world's calls to the API at `base` from now on, and reads metrics from the probes at `probes`.
    pub fn turn_to(&mut self, base: &str, probes: &str) {
        base.clone_into(&mut self.base);
        probes.clone_into(&mut self.probes);
    }
}
