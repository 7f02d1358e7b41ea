//! Keyset cursors of the lists that are read in both directions.

/// Where a page of a list begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PageCursor<K> {
    /// At the start of the list.
    Start,
    /// After this row.
    After(K),
    /// Before this row. Rows are read backwards, the nearest first.
    Before(K),
}

impl<K> PageCursor<K> {
    /// The position that a query asks for with `after` or `before`.
    pub fn of(after: Option<K>, before: Option<K>) -> Self {
        match (after, before) {
            (Some(key), _) => Self::After(key),
            (None, Some(key)) => Self::Before(key),
            (None, None) => Self::Start,
        }
    }
}

impl<K: Copy> PageCursor<K> {
    pub(super) const fn after(self) -> Option<K> {
        match self {
            Self::After(key) => Some(key),
            Self::Start | Self::Before(_) => None,
        }
    }
}
