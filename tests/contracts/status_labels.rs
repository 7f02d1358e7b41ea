//! Every reason that can be stored has a label that an administrator understands.

use std::collections::BTreeSet;

use api::app::status_labels::{has_words, left_out, status};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::credentials::CancelReason;
use shared::store::left_out::LeftOutReason;
use worker::send::TroubleClass;

use crate::sources::{files, read};

/// The words between double quotation marks that follow one of these beginnings.
fn quoted_after(text: &str, beginnings: &[&str], mark: char) -> BTreeSet<String> {
    let after = |beginning: &&str| {
        let parts = text
            .match_indices(*beginning)
            .map(|(at, found)| &text[at + found.len()..]);
        let words: Vec<String> = parts
            .filter_map(|rest| rest.strip_prefix(mark)?.split_once(mark))
            .map(|(word, _)| word.to_owned())
            .collect();
        words
    };
    beginnings.iter().flat_map(after).collect()
}

/// The reasons with which a worker settles a delivery.
fn reasons_of_workers() -> BTreeSet<String> {
    let classes = TroubleClass::ALL.map(|class| class.as_str().to_owned());
    let own = quoted_after(&read("worker/src/outcome.rs"), &["reason: ", "map_or("], '"');
    assert!(own.len() >= 2, "{own:?}");
    own.into_iter().chain(classes).collect()
}

/// The reasons that statements set when they change a delivery's state.
fn reasons_of_statements() -> BTreeSet<String> {
    let mut reasons = BTreeSet::new();
    for ending in [".rs", ".sql"] {
        let statements = files(ending)
            .into_iter()
            .filter(|file| file.path.starts_with("shared/src/store/"));
        for statement in statements.filter(|file| file.text.contains("update deliveries")) {
            reasons.extend(quoted_after(
                &statement.text,
                &[
                    "reason = ",
                    "then ",
                    "else ",
                    "coalesce(reason, ",
                    "coalesce(o.reason, ",
                ],
                '\'',
            ));
        }
    }
    reasons.retain(|word| {
        let is_state = DeliveryState::from_name(word).is_some();
        let is_of_batch = matches!(word.as_str(), "held" | "running" | "finished");
        !is_state && !is_of_batch
    });
    assert!(
        ["stopped", "stale", "user_deleted", "worker_vanished"]
            .iter()
            .all(|known| reasons.contains(*known)),
        "{reasons:?}"
    );
    reasons
}

#[test]
fn every_reason_that_can_be_stored_has_words() {
    let over = [
        DeliveryState::Failed,
        DeliveryState::Suppressed,
        DeliveryState::Expired,
        DeliveryState::Cancelled,
    ];

    let mute: Vec<String> = reasons_of_workers()
        .union(&reasons_of_statements())
        .cloned()
        .chain(CancelReason::ALL.map(|reason| reason.as_str().to_owned()))
        .filter(|reason| !over.iter().any(|state| has_words(*state, reason)))
        .collect();

    assert!(
        mute.is_empty(),
        "api/src/app/status_labels/table.rs has no words for {mute:?}"
    );
    for reason in LeftOutReason::ALL.map(LeftOutReason::as_str) {
        assert_ne!(left_out(reason), left_out("no reason of ours"), "{reason}");
    }
}

#[test]
fn no_word_claims_that_a_mail_was_delivered_or_lost() {
    for state in DeliveryState::ALL {
        for reason in reasons_of_workers().iter().chain(&reasons_of_statements()) {
            let shown = status(state, Some(reason), BatchState::Running);
            let shown_text = format!("{} {}", shown.word, shown.help).to_lowercase();
            assert!(
                !shown_text.contains("delivered") && !shown_text.contains("lost"),
                "{shown_text}"
            );
        }
    }
}

#[test]
fn every_change_of_a_delivery_records_its_time() {
    for ending in [".rs", ".sql"] {
        let statements = files(ending)
            .into_iter()
            .filter(|file| file.path.starts_with("shared/src/store/"));
        for file in statements {
            for (at, _) in file.text.match_indices("update deliveries") {
                let statement = &file.text[at..];
                let set = statement.split_once("set ").unwrap().1;
                let set = &set[..set
                    .find('\n')
                    .unwrap_or(set.len())
                    .max(set.find("where ").unwrap_or(set.len()))];
                if set.contains("state = ") {
                    assert!(set.contains("moved_at = "), "{}: {set}", file.path);
                }
            }
        }
    }
}
