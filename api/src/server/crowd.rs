//! Whether so many connections are open that slow clients have less time.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// How often a slow client is looked at again after its first time is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The connections that are open. Each request carries it.
#[derive(Clone, Debug)]
pub struct Crowd {
    places: Arc<Semaphore>,
    room_enough: usize,
    patience: Duration,
}

impl Crowd {
    /// There is a crowd while fewer than `room_enough` places are free. Then a stranger's body has `patience`.
    pub(super) fn new(places: Arc<Semaphore>, room_enough: usize, patience: Duration) -> Self {
        Self {
            places,
            room_enough,
            patience,
        }
    }

    /// Whether so many places are taken that slow clients might keep others out.
    pub(super) fn is_there(&self) -> bool {
        self.places.available_permits() < self.room_enough
    }

    /// Resolves when a stranger whose body is still incomplete has to go: at the first moment after `patience` at
    /// which there is a crowd.
    pub async fn out_of_patience(&self) {
        tokio::time::sleep(self.patience).await;
        while !self.is_there() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn slow_strangers_have_to_go_only_in_a_crowd() {
        let places = Arc::new(Semaphore::new(2));
        let crowd = Crowd::new(Arc::clone(&places), 2, PATIENCE);
        let alone = tokio::time::timeout(PATIENCE * 6, crowd.out_of_patience()).await;
        assert!(alone.is_err());

        let _place = places.try_acquire().unwrap();
        let began = Instant::now();
        crowd.out_of_patience().await;

        assert_eq!(began.elapsed(), PATIENCE);
    }
}
