//! Priorities of callers that wait for a hash.

/// Priority of a waiting caller. The smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub u32);

impl Rank {
    /// Before all others: internal work, and known clients.
    pub const FIRST: Self = Self(0);
}
