//! Permits for claims.

use std::sync::Arc;

/// Permission to have one mail in flight, until dropped.
pub struct Permit {
    pub(super) release: Arc<dyn Fn() + Send + Sync>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        (self.release)();
    }
}
