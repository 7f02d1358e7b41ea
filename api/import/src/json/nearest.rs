//! Guesses the intended key for an unknown one.

use super::squeezed;

/// The entry of `known` that `key` probably means.
pub(super) fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let typed = squeezed(key);
    // A key far longer than any of ours is not a typo.
    if typed.len() > 16 {
        return None;
    }
    let meant = |known: &&&str| {
        let known = squeezed(known);
        (typed.len() >= 4 && known.starts_with(&typed)) || slips_between(&typed, &known) <= 2
    };
    known.iter().find(meant).copied()
}

/// Number of letters to change, insert or delete to turn `b` into `a`.
fn slips_between(a: &str, b: &str) -> usize {
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (place, x) in a.bytes().enumerate() {
        let mut row = vec![place + 1];
        let mut left = place + 1;
        for ((y, &diagonal), &above) in b.bytes().zip(&last).zip(last.iter().skip(1)) {
            left = (left + 1).min(above + 1).min(diagonal + usize::from(x != y));
            row.push(left);
        }
        last = row;
    }
    last.last().copied().unwrap_or_default()
}
