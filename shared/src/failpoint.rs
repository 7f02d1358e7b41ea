//! Failpoints: steps at which tests kill a process.
//!
//! Every step of a mail, from the request to the acknowledged job, ends at a point. A program started with
//! `BECKON_FAILPOINT=W4:3:/a/file` stops at the third end of step W4, creates that file and is killed from
//! outside: by SIGKILL, as a machine out of memory would do, with its other tasks in any state. So a crash is
//! tested at every step that matters, and not only at those that a test happens to hit.
//!
//! Release builds have no points: [`reach`] is empty in them, and the setting is not read.

/// The end of a step of a mail.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Point {
    /// The API has read a request for a batch.
    RequestRead,
    /// The request is valid.
    RequestChecked,
    /// A transaction has begun.
    TransactionBegun,
    /// The batch and its deliveries are written.
    BatchWritten,
    /// The transaction is committed.
    BatchCommitted,
    /// The response is about to be sent.
    AnswerReady,
    /// The dispatcher has read the due deliveries.
    DueRead,
    /// Their jobs are written to the broker's connection.
    JobsPublished,
    /// The broker has confirmed them.
    JobsConfirmed,
    /// The cursors of their batches have moved.
    JobsMarked,
    /// A worker has received a job.
    JobReceived,
    /// The delivery is claimed.
    Claimed,
    /// A password is generated and hashed.
    PasswordHashed,
    /// Its verifier is committed.
    VerifierStored,
    /// The mail is composed.
    MailComposed,
    /// A connection to the relay is ready.
    RelayConnected,
    /// The sender is sent.
    SenderNamed,
    /// The recipient is sent.
    RecipientNamed,
    /// The relay waits for the body.
    BodyInvited,
    /// Half of the body is written.
    BodyHalfWritten,
    /// The final dot is written.
    DotWritten,
    /// The reply to the dot is read.
    ReplyRead,
    /// The outcome is recorded.
    OutcomeRecorded,
    /// The job is acknowledged.
    JobAcknowledged,
}

impl Point {
    /// All points, in the order of a mail's path: A in the API, R in its dispatcher, W in a worker.
    pub const ALL: [(Self, &'static str); 24] = [
        (Self::RequestRead, "A1"),
        (Self::RequestChecked, "A2"),
        (Self::TransactionBegun, "A3"),
        (Self::BatchWritten, "A4"),
        (Self::BatchCommitted, "A5"),
        (Self::AnswerReady, "A6"),
        (Self::DueRead, "R1"),
        (Self::JobsPublished, "R2"),
        (Self::JobsConfirmed, "R3"),
        (Self::JobsMarked, "R4"),
        (Self::JobReceived, "W1"),
        (Self::Claimed, "W2"),
        (Self::PasswordHashed, "W3"),
        (Self::VerifierStored, "W4"),
        (Self::MailComposed, "W5"),
        (Self::RelayConnected, "W6"),
        (Self::SenderNamed, "W7"),
        (Self::RecipientNamed, "W8"),
        (Self::BodyInvited, "W9"),
        (Self::BodyHalfWritten, "W10"),
        (Self::DotWritten, "W11"),
        (Self::ReplyRead, "W12"),
        (Self::OutcomeRecorded, "W13"),
        (Self::JobAcknowledged, "W14"),
    ];
}

#[cfg(debug_assertions)]
pub use armed::{is_next, reach};

#[cfg(debug_assertions)]
mod armed {
    use super::Point;
    use std::fs::File;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// The point at which this process stops.
    struct Armed {
        point: Point,
        /// How many more times it is passed before that.
        passes: AtomicUsize,
        /// The file that is created then.
        sign: PathBuf,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(from_environment);

    #[expect(
        clippy::disallowed_methods,
        reason = "it is not a setting of the product, so --help must not list it"
    )]
    fn from_environment() -> Option<Armed> {
        let setting = std::env::var("BECKON_FAILPOINT").ok()?;
        let armed = read(&setting);
        if armed.is_none() {
            eprintln!("BECKON_FAILPOINT is {setting:?}; write a step, how often, and a file: W4:3:/a/file");
        }
        armed
    }

    fn read(setting: &str) -> Option<Armed> {
        let mut parts = setting.splitn(3, ':');
        let step = parts.next()?;
        let (point, _) = *Point::ALL.iter().find(|(_, known)| *known == step)?;
        let times: usize = parts.next()?.parse().ok()?;
        Some(Armed {
            point,
            passes: AtomicUsize::new(times.checked_sub(1)?),
            sign: parts.next()?.into(),
        })
    }

    fn armed_at(point: Point) -> Option<&'static Armed> {
        ARMED.as_ref().filter(|armed| armed.point == point)
    }

    /// Marks the end of a step. Never returns if the process is to stop here.
    pub fn reach(point: Point) {
        let Some(armed) = armed_at(point) else { return };
        let passed = armed
            .passes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if passed.is_err() {
            let _ = File::create(&armed.sign);
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether the process stops when it next reaches this point.
    pub fn is_next(point: Point) -> bool {
        armed_at(point).is_some_and(|armed| armed.passes.load(Ordering::Relaxed) == 0)
    }
}

/// Marks the end of a step. Does nothing in release builds.
#[cfg(not(debug_assertions))]
pub const fn reach(_: Point) {}

/// Whether the process stops when it next reaches this point: never in release builds.
#[cfg(not(debug_assertions))]
pub const fn is_next(_: Point) -> bool {
    false
}
