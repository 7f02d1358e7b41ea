//! A batch's figures as the console shows them: few, and they add up.

use super::delivery_group::DeliveryGroup;
use crate::app::status_labels::{NextStep, Status, status};
use crate::app::watch::Seen;
use crate::console::format::{counted, lasting};
use shared::batch::BatchState;
use shared::delivery::DeliveryState;
use shared::store::counts::StateCounts;
use std::time::Duration;

/// Minimum time measured before a rate is shown.
const RATE_AFTER: Duration = Duration::from_secs(5);

/// A figure of the ledger, linked to the people it counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::console) struct Figure {
    /// What is counted.
    pub(in crate::console) word: &'static str,
    pub(in crate::console) count: i64,
    /// The part of the list that shows them; `None` for people left out, who have their own page.
    pub(in crate::console) part: Option<DeliveryGroup>,
}

impl Figure {
    pub(in crate::console) fn shown(&self) -> String {
        counted(self.count)
    }

    /// The part's query value.
    pub(in crate::console) fn show(&self) -> &'static str {
        self.part.map_or("", DeliveryGroup::as_str)
    }
}

/// Deliveries with the same status words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::console) struct Group {
    pub(in crate::console) status: Status,
    pub(in crate::console) count: i64,
    /// The part of the list that contains them.
    pub(in crate::console) part: DeliveryGroup,
    /// Their reasons within that part.
    pub(in crate::console) reasons: Vec<String>,
}

impl Group {
    pub(in crate::console) fn shown(&self) -> String {
        counted(self.count)
    }

    /// The reasons as a query value.
    pub(in crate::console) fn why(&self) -> String {
        self.reasons.join(",")
    }

    /// Whether sending again helps.
    pub(in crate::console) fn can_be_sent_again(&self) -> bool {
        self.status.next != NextStep::Nothing
    }

    /// Whether another step must come before sending again.
    pub(in crate::console) fn needs_more(&self) -> bool {
        self.status.next != NextStep::SendAgain
    }

    /// Label of the step that each person needs first.
    pub(in crate::console) fn first(&self) -> Option<&'static str> {
        match (self.status.next, self.count) {
            (NextStep::CorrectAddress, 1) => Some("Correct the address"),
            (NextStep::CorrectAddress, _) => Some("Correct the addresses"),
            (NextStep::Unblock, 1) => Some("See the address"),
            (NextStep::Unblock, _) => Some("See the addresses"),
            _ => None,
        }
    }
}

/// A batch's figures.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::console) struct LedgerCounts {
    pub(in crate::console) chosen: i64,
    pub(in crate::console) left_out: i64,
    /// Total number of deliveries.
    pub(in crate::console) owed: i64,
    pub(in crate::console) waiting: i64,
    pub(in crate::console) sending: i64,
    pub(in crate::console) trying: i64,
    pub(in crate::console) sent: i64,
    pub(in crate::console) failed: i64,
    /// Not sent because the address is blocked.
    pub(in crate::console) blocked: i64,
    pub(in crate::console) stopped: i64,
    /// Possibly sent twice. These are also counted in the other figures.
    pub(in crate::console) twice: i64,
}

impl LedgerCounts {
    /// Sums up a count.
    pub(in crate::console) fn of(seen: &Seen) -> Self {
        let counts = seen.view.counts;
        Self {
            chosen: counts.selected,
            left_out: counts.left_out,
            owed: counts.selected - counts.left_out,
            waiting: counts.waiting + counts.queued,
            sending: counts.sending,
            trying: counts.retrying,
            sent: counts.sent,
            failed: counts.failed + counts.expired,
            blocked: counts.suppressed,
            stopped: counts.cancelled,
            twice: counts.unsure,
        }
    }

    /// Emails that the relay has not accepted and may still accept.
    pub(in crate::console) const fn rest(&self) -> i64 {
        self.waiting + self.trying
    }

    /// The ledger. The first figure is the sum of all others. Zeros that can no longer change are left out, so a batch
    /// without problems shows three figures.
    pub(in crate::console) fn figures(&self, state: BatchState, is_over: bool) -> Vec<Figure> {
        let is_moving = matches!(state, BatchState::Running | BatchState::Paused) && !is_over;
        let figure = |word, count, part: DeliveryGroup| Figure {
            word,
            count,
            part: Some(part),
        };
        let left_out = Figure {
            part: None,
            ..figure("left out", self.left_out, DeliveryGroup::Everyone)
        };
        [
            (true, figure("selected", self.chosen, DeliveryGroup::Everyone)),
            (false, left_out),
            (is_moving, figure("waiting", self.waiting, DeliveryGroup::Waiting)),
            (false, figure("being sent", self.sending, DeliveryGroup::Sending)),
            (is_moving, figure("trying again", self.trying, DeliveryGroup::Trying)),
            (
                is_moving || state == BatchState::Finished,
                figure("sent", self.sent, DeliveryGroup::Sent),
            ),
            (
                is_moving || state == BatchState::Finished,
                figure("failed", self.failed, DeliveryGroup::Failed),
            ),
            (false, figure("blocked address", self.blocked, DeliveryGroup::Blocked)),
            (false, figure("stopped", self.stopped, DeliveryGroup::Stopped)),
        ]
        .into_iter()
        .filter(|(is_kept, figure)| *is_kept || figure.count > 0)
        .map(|(_, figure)| figure)
        .collect()
    }

    /// Whole percentage of deliveries that have ended; 100 only once all have.
    pub(in crate::console) const fn done_percent(&self) -> i64 {
        let done = self.sent + self.failed + self.blocked + self.stopped;
        if self.owed == 0 { 100 } else { done * 100 / self.owed }
    }
}

/// Problems, the most frequent first.
pub(in crate::console) fn troubles(tally: &StateCounts, batch: BatchState) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for deliveries in &tally.counts {
        let part = match deliveries.state {
            DeliveryState::Retrying => DeliveryGroup::Trying,
            DeliveryState::Failed | DeliveryState::Expired => DeliveryGroup::Failed,
            DeliveryState::Suppressed => DeliveryGroup::Blocked,
            DeliveryState::Cancelled => DeliveryGroup::Stopped,
            _ => continue,
        };
        let status = status(deliveries.state, deliveries.reason.as_deref(), batch);
        match groups
            .iter_mut()
            .find(|group| group.status == status && group.part == part)
        {
            Some(group) => {
                group.count += deliveries.count;
                group.reasons.extend(deliveries.reason.clone());
            }
            None => groups.push(Group {
                status,
                count: deliveries.count,
                part,
                reasons: deliveries.reason.iter().cloned().collect(),
            }),
        }
    }
    for group in &mut groups {
        group.reasons.sort_unstable();
        group.reasons.dedup();
    }
    groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.status.word.cmp(b.status.word)));
    groups
}

/// Rate and remaining time, based on what was sent in the last minute. `None` while the measurement is too short or
/// nothing is left.
pub(in crate::console) fn pace(sums: &LedgerCounts, tally: &StateCounts, rate_limit: Option<f64>) -> Option<String> {
    if tally.lately < RATE_AFTER {
        return None;
    }
    let rest = sums.waiting + sums.sending;
    if rest == 0 {
        return None;
    }
    if tally.sent_lately == 0 {
        return Some("No emails were sent in the last minute.".to_owned());
    }
    let lately = i64::try_from(tally.lately.as_millis()).unwrap_or(60_000).max(1);
    let rate = match (tally.sent_lately * 60_000 + lately / 2) / lately {
        a_minute @ 0..600 => format!("{} a minute", counted(a_minute.max(1))),
        a_minute => format!("{} a second", counted(a_minute / 60)),
    };
    let rate = match rate_limit {
        Some(limit) if limit >= 1.0 => {
            format!("The mail server accepts only {} emails a second", counted(whole(limit)))
        }
        Some(limit) => format!(
            "The mail server accepts only {} emails a minute",
            counted(whole(limit * 60.0).max(1))
        ),
        None => rate,
    };
    let left = match rest * lately / tally.sent_lately / 1_000 {
        0..50 => "less than a minute left".to_owned(),
        50..90 => "about a minute left".to_owned(),
        seconds => format!("about {} left", lasting(seconds)),
    };
    Some(format!("{rate}, {left}"))
}

#[expect(clippy::cast_possible_truncation, reason = "a rate far below 2^52")]
fn whole(rate: f64) -> i64 {
    rate.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::store::counts::DeliveryCount;

    fn sums(waiting: i64, sent: i64) -> LedgerCounts {
        LedgerCounts {
            chosen: waiting + sent + 20,
            left_out: 6,
            owed: waiting + sent + 14,
            waiting,
            sending: 0,
            trying: 0,
            sent,
            failed: 11,
            blocked: 3,
            stopped: 0,
            twice: 3,
        }
    }

    fn paced(rest: i64, sent_lately: i64, seconds: u64) -> Option<String> {
        let tally = StateCounts {
            sent_lately,
            lately: Duration::from_secs(seconds),
            ..StateCounts::default()
        };
        pace(&sums(rest, 100), &tally, None)
    }

    #[test]
    fn the_first_figure_is_the_sum_of_the_others_whatever_is_shown() {
        for state in BatchState::ALL {
            for is_over in [false, true] {
                for sums in [sums(0, 1_184), sums(592, 612), sums(0, 0)] {
                    let figures = sums.figures(state, is_over);
                    let all: i64 = figures.iter().skip(1).map(|figure| figure.count).sum();
                    // During the hold nothing has been sent, so that figure is not shown.
                    if state != BatchState::Held || sums.sent == 0 {
                        assert_eq!(
                            figures.first().map(|figure| figure.count),
                            Some(all),
                            "{state:?} {figures:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_rate_is_shown_before_it_is_meaningful() {
        assert_eq!(paced(592, 3, 4), None);
        assert_eq!(paced(0, 0, 60), None);
        assert_eq!(
            paced(592, 0, 60).as_deref(),
            Some("No emails were sent in the last minute.")
        );
    }

    #[test]
    fn a_throttling_mail_server_is_the_reason_for_the_pace() {
        let at = |rate_limit| {
            let tally = StateCounts {
                sent_lately: 840,
                lately: Duration::from_mins(1),
                ..StateCounts::default()
            };
            pace(&sums(8_400, 100), &tally, Some(rate_limit))
        };
        assert_eq!(
            at(14.2).as_deref(),
            Some("The mail server accepts only 14 emails a second, about 10 minutes left")
        );
        assert_eq!(
            at(0.5).as_deref(),
            Some("The mail server accepts only 30 emails a minute, about 10 minutes left")
        );
    }

    #[test]
    fn the_time_left_is_the_rest_at_the_pace_of_the_last_minute() {
        assert_eq!(
            paced(592, 50, 60).as_deref(),
            Some("50 a minute, about 12 minutes left")
        );
        assert_eq!(
            paced(80_000, 15_000, 10).as_deref(),
            Some("1,500 a second, about a minute left")
        );
        assert_eq!(
            paced(10, 50, 10).as_deref(),
            Some("300 a minute, less than a minute left")
        );
        // Retries have their own times.
        assert_eq!(paced(0, 50, 60), None);
    }

    #[test]
    fn a_batch_is_done_to_the_last_per_cent_only_at_its_end() {
        assert_eq!(sums(1, 1_000_000).done_percent(), 99);
        assert_eq!(sums(0, 1_000_000).done_percent(), 100);
    }

    #[test]
    fn problems_with_the_same_label_are_grouped() {
        let delivery_count = |state, reason: &str, count| DeliveryCount {
            state,
            reason: Some(reason.to_owned()),
            count,
            unsure: 0,
        };
        let tally = StateCounts {
            counts: vec![
                delivery_count(DeliveryState::Failed, "address_unknown", 9),
                delivery_count(DeliveryState::Expired, "timeout", 3),
                delivery_count(DeliveryState::Failed, "protocol", 7),
                delivery_count(DeliveryState::Sent, "x", 1_190),
            ],
            ..StateCounts::default()
        };
        let shown: Vec<_> = troubles(&tally, BatchState::Finished)
            .into_iter()
            .map(|group| (group.status.word, group.count, group.why()))
            .collect();
        assert_eq!(
            shown,
            [
                ("Gave up", 10, "protocol,timeout".to_owned()),
                ("Address does not exist", 9, "address_unknown".to_owned())
            ]
        );
    }
}
