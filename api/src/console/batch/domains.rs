//! The recipient domains whose emails are being retried.

use crate::app::status_labels::status;
use crate::console::format::{Moment, clock, counted};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::slowdowns::Slowdowns;
use time::OffsetDateTime;

/// A recipient domain with retries.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    pub(super) name: String,
    /// Number of emails to it that are being retried.
    pub(super) count: String,
    /// The reason, in words.
    pub(super) help: &'static str,
    /// Time of the next retry; `None` if one is due now.
    pub(super) next: Option<Moment>,
}

/// Domains with at least two retries. A single retry concerns one recipient, whom the list shows.
pub(super) fn domains(slowdowns: &Slowdowns, batch: BatchState, now: OffsetDateTime) -> Vec<Domain> {
    let several = slowdowns.domains.iter().filter(|domain| domain.count > 1);
    several
        .map(|domain| Domain {
            name: domain.domain.clone(),
            count: counted(domain.count),
            help: status(DeliveryState::Retrying, domain.reason.as_deref(), batch).help,
            next: (domain.next_at > now).then(|| clock(domain.next_at)),
        })
        .collect()
}
