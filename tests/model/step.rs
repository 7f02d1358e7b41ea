//! Steps in the life of a delivery.

/// An action, or the passing of time.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The dispatcher reads due deliveries and publishes them.
    Publish,
    /// It marks what it published in this round, possibly late or again.
    Mark(usize),
    /// Any job that was ever published reaches a worker, possibly late or again.
    Claim(usize),
    /// The answer to a claim was lost, and the worker repeats the request.
    ClaimAgain(usize),
    /// The worker hands its mail to the relay, which accepts it.
    Send(usize),
    /// The worker records the outcome, possibly late or again.
    Settle(usize, Outcome, bool),
    /// The worker renews its lease.
    Renew(usize),
    /// A claim's lease ends, or a published job has been in the queue for too long.
    LeaseEnds(usize),
    /// The back-off before an attempt ends, or the job of a later attempt has been in the queue for too long.
    FallsDue(usize),
    /// The dispatcher treats jobs that were in the queue for too long as lost,
    RequeueLost,
    /// forgets which of them have been claimed,
    ForgetRanges,
    /// or treats all jobs as lost, on a new connection to the broker.
    RequeueAll,
    /// It ends attempts whose workers have disappeared,
    EndExpiredLeases,
    /// ends the remaining deliveries of stopped batches,
    EndUseless,
    /// takes back queued deliveries of paused ones,
    TakeBack,
    /// and closes batches.
    Finish,
    /// An administrator's action.
    Pause(usize),
    Resume(usize),
    Stop(usize),
}

/// The outcome that a worker records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Accepted,
    Refused,
    TryLater,
    Unsure,
    GivenBack,
}

impl Outcome {
    /// The recorded verdict.
    pub(crate) const fn verdict(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::TryLater => "try_later",
            Self::Unsure => "unsure",
            Self::GivenBack => "given_back",
        }
    }
}
