//! Totals of a selection: how many people get the email, how many are left out, and what each option changes.
//!
//! Every number is computed from the same counts and the rule in [`left_out`], so the numbers on the page agree with
//! each other and with the batch.
//!
//! [`left_out`]: shared::store::left_out

use shared::store::left_out::{Facts, Inclusions, LeftOutReason, UserCount};
use shared::system_email::SystemEmailKind;

/// The numbers of the check page. `sent` and `left_out` add up to `chosen`.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct SelectionCounts {
    /// Number of selected people.
    pub(super) chosen: i64,
    /// Number of people who get the email.
    pub(super) sent: i64,
    /// Number of people left out, by reason, in the order of the rule.
    pub(super) left_out: Vec<(LeftOutReason, i64)>,
    /// People who have signed in, whom the administrator can include.
    pub(super) signed_in: Optional,
    /// People who got the email recently, whom the administrator can include.
    pub(super) recent: Optional,
    /// Number of recipients who have signed in.
    pub(super) signed_in_sent: i64,
    /// Number of people who would get the email if no address were blocked.
    pub(super) sent_if_unblocked: i64,
}

/// People affected by an option.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Optional {
    /// Number of people left out for this reason unless they are included.
    pub(super) people: i64,
    /// Number of additional emails if they are included. The others are left out for another reason.
    pub(super) added: i64,
}

impl SelectionCounts {
    pub(super) fn of(counts: &[UserCount], kind: SystemEmailKind, including: Inclusions) -> Self {
        let count = |is: &dyn Fn(Facts) -> bool| -> i64 {
            let those = counts.iter().filter(|those| is(those.facts));
            those.map(|those| those.count).sum()
        };
        let with_reason = |reason, including| count(&|facts| facts.reason(kind, including) == reason);
        let optional = |reason, without, with| Optional {
            people: with_reason(Some(reason), without),
            added: with_reason(None, with) - with_reason(None, without),
        };
        let each = LeftOutReason::ALL.map(|reason| (reason, with_reason(Some(reason), including)));
        Self {
            chosen: count(&|_| true),
            sent: with_reason(None, including),
            left_out: each.into_iter().filter(|(_, count)| *count > 0).collect(),
            signed_in: optional(
                LeftOutReason::SignedIn,
                Inclusions {
                    signed_in: false,
                    ..including
                },
                Inclusions {
                    signed_in: true,
                    ..including
                },
            ),
            recent: optional(
                LeftOutReason::MailedRecently,
                Inclusions {
                    recent: false,
                    ..including
                },
                Inclusions {
                    recent: true,
                    ..including
                },
            ),
            signed_in_sent: count(&|facts| facts.has(Facts::SIGNED_IN) && facts.reason(kind, including).is_none()),
            sent_if_unblocked: count(&|facts| facts.without(Facts::BLOCKED).reason(kind, including).is_none()),
        }
    }

    /// Number of people left out for this reason.
    pub(super) fn without(&self, reason: LeftOutReason) -> i64 {
        let found = self.left_out.iter().find(|(left_out, _)| *left_out == reason);
        found.map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(facts: &[Facts], count: i64) -> UserCount {
        let facts = facts.iter().fold(Facts::default(), |all, fact| all.with(*fact));
        UserCount { facts, count }
    }

    fn people() -> [UserCount; 7] {
        [
            counts(&[], 1_000),
            counts(&[Facts::SIGNED_IN], 37),
            counts(&[Facts::SIGNED_IN, Facts::RECENT], 5),
            counts(&[Facts::SIGNED_IN, Facts::WAITING], 1),
            counts(&[Facts::WAITING, Facts::RECENT], 8),
            counts(&[Facts::BLOCKED], 9),
            counts(&[Facts::BLOCKED, Facts::WAITING, Facts::SIGNED_IN], 1),
        ]
    }

    #[test]
    fn the_numbers_add_up_and_each_option_is_about_the_people_it_counts() {
        for kind in SystemEmailKind::ALL {
            for (signed_in, recent) in [(false, false), (true, false), (false, true), (true, true)] {
                let sums = SelectionCounts::of(&people(), kind, Inclusions { signed_in, recent });
                let left_out: i64 = sums.left_out.iter().map(|(_, count)| count).sum();

                assert_eq!((sums.sent + left_out, sums.chosen), (1_061, 1_061));
                assert_eq!(sums.without(LeftOutReason::AddressBlocked), 10);
                // If both are shown, the total and the option have the same number.
                let shown = |is_included: bool, people| if is_included { 0 } else { people };
                assert_eq!(
                    sums.without(LeftOutReason::SignedIn),
                    shown(signed_in, sums.signed_in.people)
                );
                assert_eq!(
                    sums.without(LeftOutReason::MailedRecently),
                    shown(recent, sums.recent.people)
                );
            }
        }
    }

    #[test]
    fn an_option_adds_no_one_who_is_left_out_for_another_reason() {
        let usual = SelectionCounts::of(&people(), SystemEmailKind::Invite, Inclusions::default());
        let all = SelectionCounts::of(&people(), SystemEmailKind::Invite, Inclusions::ALL);

        assert_eq!((usual.sent, all.sent), (1_000, 1_042));
        assert_eq!(usual.signed_in, Optional { people: 42, added: 37 });
        assert_eq!(usual.recent, Optional { people: 0, added: 0 });
        assert_eq!(all.recent, Optional { people: 5, added: 5 });
        assert_eq!((usual.signed_in_sent, all.signed_in_sent), (0, 42));
        assert_eq!(usual.sent_if_unblocked, 1_009);
    }
}
