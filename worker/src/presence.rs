//! Saying how this worker is, so that a page can say why mail waits.
//!
//! A line in Postgres, renewed every few seconds and at once when trouble begins or ends. Nothing
//! depends on it: a worker that cannot write it works on, and says nothing of it either, because
//! whatever keeps it from Postgres is logged where work needs Postgres.

use crate::send::{Mailer, RelayState};
use crate::sending::Sending;
use shared::queue::{BrokerStatus, Missing};
use shared::store::workers::Told;
use shared::store::{Db, workers};
use shared::trouble::WorkerTrouble;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

/// How often a worker says that it is there: three times before it is missed
/// ([`shared::store::stall::SILENCE`]).
const BEAT: Duration = Duration::from_secs(10);

/// Two words of a worker are at least this far apart, however its trouble comes and goes.
const REST: Duration = Duration::from_secs(1);

/// What the last word may take: an orderly stop does not wait for Postgres.
const FAREWELL: Duration = Duration::from_secs(2);

/// A worker, as it tells of itself.
#[derive(Clone)]
pub struct Presence {
    /// Where it says so.
    pub db: Db,
    /// Its name.
    pub name: String,
    /// When it began.
    pub began: Instant,
    /// Knows how the relay is.
    pub mailer: Mailer<Sending>,
    /// Knows how the broker is.
    pub broker: BrokerStatus,
}

impl Presence {
    /// Says how it is for as long as the process lives.
    pub async fn keep_telling(self) {
        loop {
            let relay = self.mailer.relay_state();
            let missing = self.broker.missing();
            let told = trouble(&relay, missing.as_ref());
            let rate = self.mailer.rate_limit();
            if let Err(fault) = workers::say(&self.db, &self.name, self.began.elapsed(), told.as_ref(), rate).await {
                debug!(error = %fault, "Could not say how this worker is");
            }
            sleep(REST).await;
            tokio::select! {
                () = sleep(BEAT.saturating_sub(REST)) => {}
                () = self.mailer.relay_changed(&relay) => {}
                () = self.broker.changed(missing.as_ref()) => {}
            }
        }
    }

    /// Says that it has stopped.
    pub async fn leave(&self) {
        match timeout(FAREWELL, workers::leave(&self.db, &self.name)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => debug!(error = %fault, "Could not say that this worker has stopped"),
            Err(_) => debug!("Could not say in time that this worker has stopped"),
        }
    }
}

/// The relay's first: while it is in trouble the broker is left alone.
fn trouble(relay: &RelayState, broker: Option<&Missing>) -> Option<Told> {
    match relay {
        RelayState::Down {
            since,
            trouble,
            refusal,
            reason,
        } => Some(Told {
            trouble: *trouble,
            lasts: since.elapsed(),
            words: Some(reason.clone()),
            refusal: refusal.map(str::to_owned),
        }),
        RelayState::Up => broker.map(|missing| Told {
            trouble: WorkerTrouble::BrokerAway,
            lasts: missing.since.elapsed(),
            words: None,
            refusal: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_troubles_the_relays_is_told() {
        let relay = RelayState::Down {
            since: std::time::Instant::now(),
            trouble: WorkerTrouble::RelaySilent,
            refusal: None,
            reason: "no answer in time at greeting".to_owned(),
        };
        let missing = Missing {
            since: std::time::Instant::now(),
            cause: "Connection refused".to_owned(),
        };
        let now = Some(&missing);

        let of = |relay, missing| trouble(relay, missing).map(|told| told.trouble);

        assert_eq!(of(&RelayState::Up, None), None);
        assert_eq!(of(&RelayState::Up, now), Some(WorkerTrouble::BrokerAway));
        assert_eq!(of(&relay, now), Some(WorkerTrouble::RelaySilent));
        assert_eq!(of(&relay, None), Some(WorkerTrouble::RelaySilent));
    }
}
