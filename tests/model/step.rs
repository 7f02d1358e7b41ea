//! What somebody does to a delivery, or what time does.

/// What somebody does, or what time does.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The dispatcher reads what is due and publishes it.
    Publish,
    /// It marks what it published in this round; also late, or once more.
    Mark(usize),
    /// A job that was ever published reaches a worker; also late, or once more.
    Claim(usize),
    /// The answer to a claim was lost, and the worker asks again.
    ClaimAgain(usize),
    /// The worker hands its mail to the relay, which takes it.
    Send(usize),
    /// The worker records what it knows; also late, or once more.
    Settle(usize, Outcome, bool),
    /// The worker renews its lease.
    Renew(usize),
    /// A claim's lease ends, or a published job has been in the queue for too long.
    LeaseEnds(usize),
    /// The pause before an attempt ends, or the job of a later attempt has been in the queue for too long.
    FallsDue(usize),
    /// The dispatcher takes what lay in the queue too long for lost,
    RequeueLost,
    /// forgets which of it has been claimed,
    ForgetRanges,
    /// or takes everything for lost, on a new connection to the broker.
    RequeueAll,
    /// It ends attempts whose workers vanished,
    EndVanished,
    /// and what is left of stopped batches,
    EndUseless,
    /// takes back what was queued of paused ones,
    TakeBack,
    /// and closes batches.
    Finish,
    /// A person's say.
    Pause(usize),
    Resume(usize),
    Stop(usize),
}

/// What a worker records.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Accepted,
    Refused,
    TryLater,
    Unsure,
    GivenBack,
}

impl Outcome {
    /// The word of the record.
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
