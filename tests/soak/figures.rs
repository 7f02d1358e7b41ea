//! Statistics of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use harness::World;

/// A mebibyte in the kibibytes of `/proc/<pid>/status`.
const MIB: u64 = 1024;

/// Totals over all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Rounds that passed.
    pub(crate) rounds: usize,
    /// Deliveries created.
    pub(crate) deliveries: usize,
    /// Mails the relay accepted.
    pub(crate) mails: usize,
    /// Further mails of a delivery, included in `mails`.
    pub(crate) second_mails: usize,
    /// Attempts recorded as unsure.
    pub(crate) unsure: usize,
    /// Passwords that signed in.
    pub(crate) sign_ins: usize,
    /// Requests that were retried until they were answered.
    pub(crate) asked_again: usize,
    /// The longest time until a request was answered, successfully or not.
    pub(crate) longest_answer: Duration,
    /// The longest time from the end of the last fault until nothing was owed.
    pub(crate) longest_drain: Duration,
    /// How often each fault happened.
    pub(crate) faults: BTreeMap<String, usize>,
    /// The faults of the latest round.
    pub(crate) latest_faults: Vec<String>,
    /// The peak memory of a program, in MiB.
    pub(crate) memory: BTreeMap<&'static str, u64>,
}

impl Figures {
    /// Updates the peak memory of the programs.
    pub(crate) fn look_at_memory(&mut self, world: &World) {
        let api = world.api.iter().map(|program| ("API", program));
        let workers = world.workers.iter().map(|program| ("worker", program));
        for (name, program) in api.chain(workers) {
            let most = peak_of(program.pid().as_raw()).unwrap_or_default();
            let known = self.memory.entry(name).or_default();
            *known = (*known).max(most);
        }
    }

    /// Summary after a round.
    pub(crate) fn line(&self, round: usize, elapsed: Duration) -> String {
        format!(
            "{:>3} min, round {round}: {} mails for {} deliveries, {} faults, {} second mails, {} unsure attempts, {:?} MiB",
            elapsed.as_secs() / 60,
            self.mails,
            self.deliveries,
            self.faults.values().sum::<usize>(),
            self.second_mails,
            self.unsure,
            self.memory
        )
    }
}

fn peak_of(process: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / MIB)
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nIn {} rounds every promise was kept.", self.rounds)?;
        writeln!(f, "  deliveries       {}", self.deliveries)?;
        writeln!(f, "  lost             0")?;
        writeln!(f, "  mails            {}", self.mails)?;
        writeln!(f, "  second mails     {}", self.second_mails)?;
        writeln!(f, "  unsure attempts  {}", self.unsure)?;
        writeln!(f, "  sign-ins         {}", self.sign_ins)?;
        writeln!(f, "  asked again      {}", self.asked_again)?;
        writeln!(f, "  longest answer   {:.1} s", self.longest_answer.as_secs_f64())?;
        writeln!(f, "  longest drain    {:.1} s", self.longest_drain.as_secs_f64())?;
        for (name, most) in &self.memory {
            writeln!(f, "  memory of {name:<6} {most} MiB")?;
        }
        writeln!(f, "  faults           {}", self.faults.values().sum::<usize>())?;
        for (fault, times) in &self.faults {
            writeln!(f, "    {times:>4}  {fault}")?;
        }
        Ok(())
    }
}
