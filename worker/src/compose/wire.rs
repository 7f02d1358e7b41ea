//! The bytes of a mail, overwritten when they are dropped, because they may contain a password.
//!
//! `Zeroizing` overwrites a vector byte by byte, 3 µs for a mail of 6 KB. This does the same with one `memset`, which
//! the barrier keeps the compiler from leaving out. Unused capacity is included: encoding removes bytes again.

use std::ops::{Deref, DerefMut};
use zeroize::optimization_barrier;

/// The bytes of a mail.
pub struct Wire(Vec<u8>);

impl Wire {
    /// Creates an empty one. It must not grow beyond its capacity: that would leave a copy behind.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }
}

impl Deref for Wire {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wire {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let bytes = self.0.capacity();
        self.0.clear();
        self.0.resize(bytes, 0);
        optimization_barrier(self.0.as_slice());
    }
}
