//! The warning on every page while mail is stalled.
//!
//! An administrator who sees that a batch makes no progress has three questions: is something wrong, is anything lost,
//! and what must I do? The warning answers them in that order, shows when the stall began, and disappears when mail
//! moves again. A hold, a pause, a low rate or a large batch are normal and cause no warning.
//!
//! Every page needs it, so the result is cached for a moment. A page never waits long for it and never fails because of
//! it: if Postgres does not respond, the page reports that itself.

use shared::store::Db;
use shared::store::stall::{self, Cause, MAX_COUNTED, Stall};
use shared::trouble::WorkerTrouble;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tracing::debug;

/// How long a result is cached.
const KEPT: Duration = Duration::from_secs(5);

/// How long a page waits for the result.
const PATIENCE: Duration = Duration::from_secs(1);

const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute] UTC");
const DAY_AND_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");

/// The warning. Its sentences follow each other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StallBanner {
    /// The headline: "Email is delayed."
    pub headline: &'static str,
    /// The cause, up to the start time: "Your mail server has not answered".
    pub cause: &'static str,
    /// When the stall began, if known.
    pub since: Option<OffsetDateTime>,
    /// The start time as text: "14:02 UTC".
    pub since_shown: String,
    /// How many emails are waiting, and that none is lost. If only some workers are affected, their number comes first.
    pub detail: String,
    /// What happens next, or what must be done.
    pub next_step: &'static str,
    /// The error from the mail server or the connection, for operators.
    pub reply: Option<String>,
}

impl StallBanner {
    /// Describes a stall.
    pub fn of(stall: Stall) -> Self {
        let (cause, next_step) = words(&stall.cause, stall.since.is_some());
        let waiting = waiting(stall.waiting);
        let (headline, detail, reply) = match stall.cause {
            Cause::Trouble {
                troubled, live, words, ..
            } if troubled < live => (
                "Email is slower than usual.",
                format!("{} {waiting}", witnesses(troubled, live)),
                words,
            ),
            Cause::Trouble { words, .. } => ("Email is delayed.", waiting, words),
            Cause::Held => ("Email is on hold.", waiting, None),
            Cause::NoWorker | Cause::NoDispatch => ("Email is delayed.", waiting, None),
        };
        Self {
            headline,
            cause,
            since: stall.since,
            since_shown: stall
                .since
                .map(|since| moment(since, stall.asked_at))
                .unwrap_or_default(),
            detail,
            next_step,
            reply,
        }
    }

    /// The whole warning as plain text.
    pub fn text(&self) -> String {
        let Self {
            headline,
            cause,
            since_shown,
            detail,
            next_step,
            ..
        } = self;
        if since_shown.is_empty() {
            format!("{headline} {cause}. {detail} {next_step}")
        } else {
            format!("{headline} {cause} since {since_shown}. {detail} {next_step}")
        }
    }
}

/// The cause of the stall, up to "since", and the next step.
fn words(cause: &Cause, is_dated: bool) -> (&'static str, &'static str) {
    match cause {
        Cause::NoWorker if is_dated => ("No worker has been running", START_A_WORKER),
        Cause::NoWorker => ("No worker is running", START_A_WORKER),
        Cause::Held => (
            "The database has moved to another server, and sending has been on hold",
            RESUME,
        ),
        Cause::NoDispatch if is_dated => ("The queue has not accepted emails", LOOK_AT_THE_QUEUE),
        Cause::NoDispatch => ("The queue does not accept emails", LOOK_AT_THE_QUEUE),
        Cause::Trouble { trouble, refusal, .. } => match (trouble, refusal.as_deref()) {
            (_, Some("quota")) => QUOTA_USED_UP,
            (WorkerTrouble::RelayTurnsAway, Some(_)) => ACCOUNT_REFUSED,
            _ => trouble_words(*trouble),
        },
    }
}

const START_A_WORKER: &str = "The team that runs Beckon needs to start a worker.";
const LOOK_AT_THE_QUEUE: &str = "The team that runs Beckon needs to check RabbitMQ.";
const RESUME: &str = "The team that runs Beckon needs to check what was sent last, then resume sending.";
const BY_THEMSELVES: &str = "You do not need to do anything: we send them when it accepts email again.";

const QUOTA_USED_UP: (&str, &str) = (
    "Your mail server has been refusing further email from our account",
    "Its sending quota is probably used up. We try again every few minutes. Paused batches continue when you resume \
     them.",
);
const ACCOUNT_REFUSED: (&str, &str) = (
    "Your mail server has been refusing all our email",
    "The team that runs Beckon needs to ask the mail server's operators to allow it.",
);

const fn trouble_words(trouble: WorkerTrouble) -> (&'static str, &'static str) {
    match trouble {
        WorkerTrouble::RelayUnreachable => ("Your mail server has been unreachable", BY_THEMSELVES),
        WorkerTrouble::RelaySilent => ("Your mail server has not answered", BY_THEMSELVES),
        WorkerTrouble::RelayHangsUp => ("Your mail server has been closing connections", BY_THEMSELVES),
        WorkerTrouble::RelayAsksToWait => ("Your mail server has been asking us to wait", BY_THEMSELVES),
        WorkerTrouble::RelayUnreadable => (
            "Your mail server has been sending invalid replies",
            "The team that runs Beckon needs to check the mail server (SMTP_URL).",
        ),
        WorkerTrouble::RelayTurnsAway => (
            "Your mail server has been rejecting our connections",
            "The team that runs Beckon needs to ask the mail server's operators to allow them.",
        ),
        WorkerTrouble::RelayNotPrivate => (
            "No secure connection to your mail server has been possible",
            "The team that runs Beckon needs to check the mail server's certificate and SMTP_URL.",
        ),
        WorkerTrouble::RelayRefusesLogin => (
            "Your mail server has been rejecting our sign-in",
            "The team that runs Beckon needs to check the user name and password in SMTP_URL.",
        ),
        WorkerTrouble::RelayRefusesSender => (
            "Your mail server has been rejecting our sender address",
            "The team that runs Beckon needs to check BECKON_MAIL_FROM, or allow that sender at the mail server.",
        ),
        WorkerTrouble::BrokerAway => ("The queue has been unreachable", LOOK_AT_THE_QUEUE),
    }
}

fn witnesses(troubled: i64, live: i64) -> String {
    let verb = if troubled == 1 { "reports" } else { "report" };
    format!("{troubled} of {live} workers {verb} this; the others continue sending.")
}

fn waiting(count: i64) -> String {
    match count {
        ..=1 => "1 email is waiting; it is not lost.".to_owned(),
        count if count > MAX_COUNTED => {
            format!("More than {} emails are waiting; none is lost.", grouped(MAX_COUNTED))
        }
        count => format!("{} emails are waiting; none is lost.", grouped(count)),
    }
}

/// Formats 1204 as 1,204.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// The time of day, with the date unless it is today.
fn moment(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let (at, now) = (at.to_offset(time::UtcOffset::UTC), now.to_offset(time::UtcOffset::UTC));
    let format = if at.date() == now.date() { TIME } else { DAY_AND_TIME };
    at.format(format).unwrap_or_default()
}

/// Caches the warning of this process for a few seconds.
#[derive(Debug, Default)]
pub struct StallBanners {
    last: Mutex<Option<(Instant, Option<StallBanner>)>>,
}

impl StallBanners {
    /// The current warning, if any. Concurrent pages share one query.
    pub async fn now(&self, db: &Db) -> Option<StallBanner> {
        let mut last = self.last.lock().await;
        if let Some((asked_at, stall_banner)) = last.as_ref()
            && asked_at.elapsed() < KEPT
        {
            return stall_banner.clone();
        }
        let stall_banner = match timeout(PATIENCE, stall::find_stall(db)).await {
            Ok(Ok(stall)) => stall.map(StallBanner::of),
            Ok(Err(fault)) => {
                debug!(error = %fault, "Could not check whether mail is stalled");
                None
            }
            Err(_) => {
                debug!("Postgres did not answer in time whether mail is stalled");
                None
            }
        };
        *last = Some((Instant::now(), stall_banner.clone()));
        stall_banner
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-23 14:30 UTC);
    const SINCE: OffsetDateTime = datetime!(2026-11-23 15:02:59 +1);

    fn stall(cause: Cause) -> Stall {
        Stall {
            cause,
            since: Some(SINCE),
            waiting: 1_204,
            asked_at: NOW,
        }
    }

    fn trouble(trouble: WorkerTrouble, troubled: i64) -> Cause {
        Cause::Trouble {
            trouble,
            refusal: None,
            words: Some("Connection refused (at connect)".to_owned()),
            troubled,
            live: 3,
        }
    }

    #[test]
    fn the_warning_explains_the_cause_that_nothing_is_lost_and_what_to_do() {
        let stall_banner = StallBanner::of(stall(trouble(WorkerTrouble::RelaySilent, 3)));

        assert_eq!(
            stall_banner.text(),
            "Email is delayed. Your mail server has not answered since 14:02 UTC. 1,204 emails are waiting; none is \
             lost. You do not need to do anything: we send them when it accepts email again."
        );
        assert_eq!(stall_banner.reply.as_deref(), Some("Connection refused (at connect)"));
    }

    #[test]
    fn a_used_up_quota_and_a_refused_account_are_not_called_refused_connections() {
        let refused = |trouble, refusal: &str| {
            let cause = Cause::Trouble {
                trouble,
                refusal: Some(refusal.to_owned()),
                words: Some(format!("550 5.4.5 ({refusal}, at dot)")),
                troubled: 3,
                live: 3,
            };
            StallBanner::of(stall(cause)).text()
        };

        assert_eq!(
            refused(WorkerTrouble::RelayAsksToWait, "quota"),
            "Email is delayed. Your mail server has been refusing further email from our account since 14:02 UTC. \
             1,204 emails are waiting; none is lost. Its sending quota is probably used up. We try again every few \
             minutes. Paused batches continue when you resume them."
        );
        // A worker of the previous release reports a used-up quota as refused connections.
        assert_eq!(
            refused(WorkerTrouble::RelayTurnsAway, "quota"),
            refused(WorkerTrouble::RelayAsksToWait, "quota")
        );
        let blocked = refused(WorkerTrouble::RelayTurnsAway, "policy");
        assert!(blocked.contains("has been refusing all our email since"), "{blocked}");
    }

    #[test]
    fn every_trouble_reads_as_a_sentence_with_and_without_a_time() {
        let of_workers = WorkerTrouble::ALL.map(|kind| trouble(kind, 3));
        for cause in of_workers
            .into_iter()
            .chain([Cause::NoWorker, Cause::NoDispatch, Cause::Held])
        {
            let dated = StallBanner::of(stall(cause.clone())).text();
            assert!(dated.contains(" since 14:02 UTC. 1,204 emails are waiting"), "{dated}");
            let verb = [" has ", " has been ", " has not "]
                .iter()
                .any(|verb| dated.contains(verb));
            assert!(verb && dated.ends_with('.') && !dated.contains(".."), "{dated}");
        }
        for (cause, wanted) in [
            (Cause::NoWorker, "Email is delayed. No worker is running. 1,204"),
            (
                Cause::NoDispatch,
                "Email is delayed. The queue does not accept emails. 1,204",
            ),
        ] {
            let undated = StallBanner::of(Stall {
                since: None,
                ..stall(cause)
            });
            assert!(undated.text().starts_with(wanted), "{}", undated.text());
        }
    }

    #[test]
    fn it_shows_how_many_workers_are_affected() {
        let one = StallBanner::of(stall(trouble(WorkerTrouble::RelayUnreachable, 1))).text();
        assert!(
            one.starts_with(
                "Email is slower than usual. Your mail server has been unreachable since 14:02 UTC. 1 of 3 workers \
                 reports this; the others continue sending. 1,204 emails are waiting"
            ),
            "{one}"
        );
        let two = StallBanner::of(stall(trouble(WorkerTrouble::BrokerAway, 2))).text();
        assert!(two.contains("2 of 3 workers report this"), "{two}");
    }

    #[test]
    fn one_mail_is_not_some_mails_and_very_many_are_not_counted() {
        let of = |waiting| {
            StallBanner::of(Stall {
                waiting,
                ..stall(Cause::NoWorker)
            })
            .detail
        };
        assert_eq!(of(1), "1 email is waiting; it is not lost.");
        assert_eq!(of(999), "999 emails are waiting; none is lost.");
        assert_eq!(of(MAX_COUNTED), "100,000 emails are waiting; none is lost.");
        assert_eq!(
            of(MAX_COUNTED + 1),
            "More than 100,000 emails are waiting; none is lost."
        );
    }

    #[test]
    fn another_day_is_named() {
        assert_eq!(moment(SINCE, NOW), "14:02 UTC");
        assert_eq!(moment(datetime!(2026-11-22 23:59 UTC), NOW), "22 Nov 2026, 23:59 UTC");
    }
}
