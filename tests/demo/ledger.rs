//! The two batches' ledgers side by side, as a table that adds up.

use crate::api::Batch;
use crate::follow::ENDED;
use crate::voice::{counted, table};

/// The categories of selected users; each is in exactly one.
pub(crate) const PLACES: [&str; 10] = [
    "left_out",
    "waiting",
    "queued",
    "sending",
    "retrying",
    "sent",
    "failed",
    "suppressed",
    "cancelled",
    "expired",
];

/// The table's lines.
pub(crate) fn lines(batches: &[(&str, &Batch)]) -> Vec<String> {
    let row = |name: &str, cell: &dyn Fn(&Batch) -> String| {
        let cells = batches.iter().map(|(_, batch)| cell(batch));
        std::iter::once(name.to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let mut rows = vec![
        std::iter::once(String::new())
            .chain(batches.iter().map(|(name, _)| (*name).to_owned()))
            .collect(),
        row("Selected", &|batch| counted(batch.of("selected"))),
    ];
    for place in PLACES {
        let sign = if place == "left_out" { "=" } else { "+" };
        rows.push(row(&format!("  {sign} {}", place.replace('_', " ")), &|batch| {
            counted(batch.of(place))
        }));
    }
    rows.push(row("Adds up", &|batch| {
        if adds_up(batch) { "yes" } else { "no" }.to_owned()
    }));
    rows.push(row("Possibly twice", &|batch| counted(batch.of("unsure"))));
    table(&rows, &[1, 2])
}

/// Why users were left out, in words.
pub(crate) fn left_out(batch: &Batch) -> String {
    let reasons = batch.left_out.iter().map(|(reason, count)| {
        let words = match reason.as_str() {
            "unknown_user" => "not a user",
            "duplicate" => "selected twice",
            "signed_in" => "already signed in",
            "address_blocked" => "has a blocked address",
            "already_waiting" => "already has such a mail queued",
            "mailed_recently" => "got such a mail in the last 24 hours",
            other => other,
        };
        format!("{} {words}", counted(*count))
    });
    reasons.collect::<Vec<_>>().join(", ")
}

/// Whether every selected user is in exactly one category.
pub(crate) fn adds_up(batch: &Batch) -> bool {
    batch.sum(&PLACES) == batch.of("selected")
}

/// Whether every delivery has ended.
pub(crate) fn has_ended(batch: &Batch) -> bool {
    batch.sum(&ENDED) + batch.of("left_out") == batch.of("selected")
}
