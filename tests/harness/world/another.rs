//! One more API beside the world's own, on the same database and virtual host.

use crate::error::Result;
use crate::program::Program;

use super::World;
use super::programs::stop;

/// A running API that is not the world's own. It ends when it is dropped.
#[derive(Debug)]
pub struct AnotherApi {
    /// Its process.
    pub program: Program,
    /// Where it answers.
    pub base: String,
    /// Where its probes answer.
    pub probes: String,
}

impl AnotherApi {
    /// Stops it in good order and returns its exit code.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop(self) -> i32 {
        stop(self.program).await
    }
}

impl World {
    /// Starts one more API with these settings in the place of the world's, and waits until it is
    /// ready.
    ///
    /// # Errors
    ///
    /// When it does not come up.
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

    /// From now on, the world's calls go to the API at `base`, and its figures are those of the API whose
    /// probes are at `probes`.
    pub fn turn_to(&mut self, base: &str, probes: &str) {
        base.clone_into(&mut self.base);
        probes.clone_into(&mut self.probes);
    }
}
