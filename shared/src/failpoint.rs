//! Moments at which the tests kill a program.
//!
//! Every step of a mail's way, from the request to the acknowledged job, ends at a point. A program
//! that is started with `BECKON_FAILPOINT=W4:3:/a/file` stops for good when step W4 has ended for
//! the third time, makes that file, and is killed from outside while it stands there: by SIGKILL, as
//! a machine out of memory does it, with whatever its other tasks were doing. So "what if we die
//! exactly here" is asked of every line that matters, and not of those a test happens to hit.
//!
//! Release builds have no points: [`reach`] is empty in them and nobody reads the setting.

/// The end of a step of a mail's way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Point {
    /// A request for a batch is read,
    RequestRead,
    /// found in order,
    RequestChecked,
    /// has a transaction,
    TransactionBegun,
    /// in which batch and deliveries are written,
    BatchWritten,
    /// which is committed,
    BatchCommitted,
    /// and the answer is about to be given.
    AnswerReady,
    /// The dispatcher has read what is due,
    DueRead,
    /// given its jobs to the broker's connection,
    JobsPublished,
    /// seen them confirmed,
    JobsConfirmed,
    /// and noted how far each batch has come.
    JobsMarked,
    /// A worker has received a job,
    JobReceived,
    /// claimed its delivery,
    Claimed,
    /// made and hashed a password,
    PasswordHashed,
    /// committed its verifier,
    VerifierStored,
    /// composed the mail,
    MailComposed,
    /// got a connection to the relay,
    RelayConnected,
    /// named the sender,
    SenderNamed,
    /// named the recipient,
    RecipientNamed,
    /// heard that the body may come,
    BodyInvited,
    /// written half of it,
    BodyHalfWritten,
    /// written its final dot,
    DotWritten,
    /// read the reply to it,
    ReplyRead,
    /// recorded the outcome,
    OutcomeRecorded,
    /// and acknowledged the job.
    JobAcknowledged,
}

impl Point {
    /// All of them, in the order of a mail's way: A in the API, R in its dispatcher, W in a worker.
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

    /// The point at which this process is to stop.
    struct Armed {
        point: Point,
        /// How many more times it is passed before that.
        passes: AtomicUsize,
        /// What is made then.
        sign: PathBuf,
    }

    static ARMED: LazyLock<Option<Armed>> = LazyLock::new(asked_for);

    #[expect(
        clippy::disallowed_methods,
        reason = "it is no setting of the product, and --help must not know it"
    )]
    fn asked_for() -> Option<Armed> {
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

    /// The step has ended. Does not come back when the process is to stop here.
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

/// The step has ended.
#[cfg(not(debug_assertions))]
pub const fn reach(_: Point) {}

/// Whether the process stops when it next reaches this point: never.
#[cfg(not(debug_assertions))]
pub const fn is_next(_: Point) -> bool {
    false
}
