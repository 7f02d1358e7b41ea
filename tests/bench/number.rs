//! Number formatting.

use std::time::Duration;

/// A count as a float. Counts here are far below 2^52, so the conversion is exact.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn figure(count: usize) -> f64 {
    count as f64
}

/// Rate per second.
pub(crate) fn per_second(count: usize, took: Duration) -> f64 {
    figure(count) / took.as_secs_f64().max(f64::EPSILON)
}

/// Three significant digits: `52,341`, `812`, `41.3`, `3.14`, `0.071`.
pub(crate) fn shown(number: f64) -> String {
    let places = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.places$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{rest}", grouped(whole))
}

/// Digits in groups of three.
pub(crate) fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_to_significant_digits() {
        let shown_of = [0.0714, 3.2415, 41.26, 812.4, 52_341.2, 1_000_000.0, -1234.0].map(shown);
        assert_eq!(
            shown_of,
            ["0.071", "3.24", "41.3", "812", "52,341", "1,000,000", "-1,234"]
        );
    }
}
