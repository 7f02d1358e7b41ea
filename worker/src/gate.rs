//! How much may be claimed at a time.
//!
//! A claimed mail can no longer be stopped, so a worker claims little more than what it sends at
//! this moment: one mail for every connection, and a tenth of a second's work ahead, so that a
//! connection never waits for a claim. With a relay of ten mails a second that is one mail ahead;
//! with one of seven thousand it is seven hundred, and they are gone in a tenth of a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How far ahead to work. A group of claims takes some milliseconds; a tenth of a second hides
/// even a slow commit, and nobody notices a batch that stops a tenth of a second late.
const AHEAD: Duration = Duration::from_millis(100);

/// How often the limit follows the rate.
const PACE: Duration = Duration::from_millis(100);

/// However fast the relay: this many mails in memory are a few megabytes.
const MOST: usize = 1024;

/// Hands out the right to claim one more mail.
pub struct Gate {
    permits: Arc<Semaphore>,
    passed: AtomicUsize,
    least: usize,
}

/// The right to claim one mail, given back when it has been sent.
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    gate: Arc<Gate>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.passed.fetch_add(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate for so many connections.
    pub fn for_connections(connections: usize) -> Arc<Self> {
        let least = connections.clamp(1, MOST);
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(least)),
            passed: AtomicUsize::new(0),
            least,
        })
    }

    /// Waits for the right to claim one more. Nothing when the gate is closed.
    pub async fn pass(self: &Arc<Self>) -> Option<Permit> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        Some(Permit {
            _permit: permit,
            gate: Arc::clone(self),
        })
    }

    /// Lets the limit follow the rate, for as long as the process lives.
    pub async fn follow_rate(self: Arc<Self>) {
        let mut limit = self.least;
        let mut per_pace = 0.0;
        let mut tick = tokio::time::interval(PACE);
        loop {
            tick.tick().await;
            let passed = self.passed.swap(0, Ordering::Relaxed);
            per_pace = smooth(per_pace, passed);
            let wanted = wanted(self.least, per_pace);
            if wanted > limit {
                self.permits.add_permits(wanted - limit);
                limit = wanted;
            } else {
                // What is in use cannot be taken back; it is next time.
                limit -= self.permits.forget_permits(limit - wanted);
            }
        }
    }
}

/// Half of what was, half of what is: the limit follows a new rate within half a second.
fn smooth(before: f64, passed: usize) -> f64 {
    f64::midpoint(before, f64::from(u32::try_from(passed).unwrap_or(u32::MAX)))
}

fn wanted(least: usize, per_pace: f64) -> usize {
    let ahead = per_pace * AHEAD.as_secs_f64() / PACE.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "bounded to 0..=MOST"
    )]
    let ahead = ahead.clamp(0.0, MOST as f64).ceil() as usize;
    (least + ahead).min(MOST.max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_relay_has_one_mail_ahead_and_a_fast_one_a_tenth_of_a_second() {
        assert_eq!(wanted(20, 0.0), 20);
        assert_eq!(wanted(20, 1.0), 21);
        assert_eq!(wanted(20, 700.0), 720);
        assert_eq!(wanted(20, 1e9), MOST);
        assert_eq!(wanted(2000, 0.0), 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_grows_with_the_rate_and_shrinks_again() {
        let gate = Gate::for_connections(2);
        let follower = tokio::spawn(Arc::clone(&gate).follow_rate());
        for _ in 0..20 {
            for _ in 0..50 {
                drop(gate.pass().await);
            }
            tokio::time::sleep(PACE).await;
        }
        assert!(
            gate.permits.available_permits() > 40,
            "{}",
            gate.permits.available_permits()
        );
        tokio::time::sleep(PACE * 40).await;
        assert!(
            gate.permits.available_permits() <= 3,
            "{}",
            gate.permits.available_permits()
        );
        follower.abort();
    }
}
