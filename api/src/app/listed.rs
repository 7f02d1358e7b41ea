//! JSON arrays with a limit on the entries kept in memory.

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// An array of which `MOST` entries are kept and the others only counted.
///
/// A body of 16 MiB can list millions of empty strings, and a vector of them is ten times as large as the body. Arrays
/// over the limit are rejected anyway, so the rest needs no memory.
#[derive(Clone, Debug)]
pub struct Listed<T, const MOST: usize> {
    kept: Vec<T>,
    given: usize,
}

impl<T, const MOST: usize> Listed<T, MOST> {
    /// Number of entries in the array.
    pub const fn len(&self) -> usize {
        self.given
    }

    /// Whether the array is empty.
    pub const fn is_empty(&self) -> bool {
        self.given == 0
    }

    /// Whether the array has more entries than are kept.
    pub const fn is_too_long(&self) -> bool {
        self.given > MOST
    }

    /// The entries that were kept.
    pub fn kept(&self) -> &[T] {
        &self.kept
    }

    /// The entries that were kept.
    pub fn into_entries(self) -> Vec<T> {
        self.kept
    }
}

impl<T, const MOST: usize> Default for Listed<T, MOST> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            given: 0,
        }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Listed<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Counted(PhantomData))
    }
}

struct Counted<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Counted<T, MOST> {
    type Value = Listed<T, MOST>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            match array.next_element()? {
                Some(entry) => kept.push(entry),
                None => break,
            }
        }
        let mut given = kept.len();
        while array.next_element::<IgnoredAny>()?.is_some() {
            given += 1;
        }
        Ok(Listed { kept, given })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_over_the_limit_are_counted_and_not_kept() {
        let read = |json: &str| serde_json::from_str::<Listed<String, 3>>(json);

        let within = read(r#"["a","b","c"]"#).unwrap();
        assert_eq!((within.len(), within.is_too_long()), (3, false));
        let beyond = read(r#"["a","b","c","d",5]"#).unwrap();
        assert_eq!((beyond.len(), beyond.is_too_long()), (5, true));
        assert_eq!(beyond.into_entries(), ["a", "b", "c"]);
        assert!(read(r#"["a",5]"#).is_err());
        assert!(read(r#"["a","b","c","d""#).is_err());
        assert!(read("[]").unwrap().is_empty());
    }
}
