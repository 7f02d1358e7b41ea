//! Shortens the time for slow clients when many connections are open.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Interval at which slow clients are checked after their first period.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The open connections. Each request carries it.
#[derive(Clone, Debug)]
pub struct Crowding {
    places: Arc<Semaphore>,
    room_enough: usize,
    patience: Duration,
}

impl Crowding {
    /// Crowded means that fewer than `room_enough` places are free. Unauthenticated bodies then have `patience`.
    pub(super) fn new(places: Arc<Semaphore>, room_enough: usize, patience: Duration) -> Self {
        Self {
            places,
            room_enough,
            patience,
        }
    }

    /// Whether so many places are taken that slow clients might block others.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.room_enough
    }

    /// Resolves when an unauthenticated client whose body is still incomplete must be disconnected: the first time
    /// after `patience` that the server is crowded.
    pub async fn must_disconnect(&self) {
        tokio::time::sleep(self.patience).await;
        while !self.is_crowded() {
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn slow_unauthenticated_clients_are_disconnected_only_when_crowded() {
        let places = Arc::new(Semaphore::new(2));
        let crowd = Crowding::new(Arc::clone(&places), 2, PATIENCE);
        let alone = tokio::time::timeout(PATIENCE * 6, crowd.must_disconnect()).await;
        assert!(alone.is_err());

        let _place = places.try_acquire().unwrap();
        let began = Instant::now();
        crowd.must_disconnect().await;

        assert_eq!(began.elapsed(), PATIENCE);
    }
}
