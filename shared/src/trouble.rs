//! Why a worker takes no mails: the worker says so, and the console puts it into words.

/// What keeps a worker from its work.
///
/// Told apart by what a person would do about it. Trouble with Postgres is not among them, because a
/// worker that cannot reach it cannot say so there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, sqlx::Type)]
#[sqlx(type_name = "worker_trouble", rename_all = "snake_case")]
pub enum WorkerTrouble {
    /// No line to the relay comes about: it is away, or its name or port is wrong.
    RelayUnreachable,
    /// The line stands, and the relay says nothing.
    RelaySilent,
    /// The relay breaks the line off.
    RelayHangsUp,
    /// No line as private as the settings demand can be agreed on.
    RelayNotPrivate,
    /// The relay does not believe, or does not ask, who we are.
    RelayRefusesLogin,
    /// The relay takes no mail from our sender address.
    RelayRefusesSender,
    /// The relay asks everybody to wait.
    RelayAsksToWait,
    /// The relay turns us away before it has heard of a mail.
    RelayTurnsAway,
    /// What the relay says is no SMTP.
    RelayUnreadable,
    /// `RabbitMQ` gives out no jobs.
    BrokerAway,
}

impl WorkerTrouble {
    /// All of them, in the order of the schema.
    pub const ALL: [Self; 10] = [
        Self::RelayUnreachable,
        Self::RelaySilent,
        Self::RelayHangsUp,
        Self::RelayNotPrivate,
        Self::RelayRefusesLogin,
        Self::RelayRefusesSender,
        Self::RelayAsksToWait,
        Self::RelayTurnsAway,
        Self::RelayUnreadable,
        Self::BrokerAway,
    ];

    /// The word used in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RelayUnreachable => "relay_unreachable",
            Self::RelaySilent => "relay_silent",
            Self::RelayHangsUp => "relay_hangs_up",
            Self::RelayNotPrivate => "relay_not_private",
            Self::RelayRefusesLogin => "relay_refuses_login",
            Self::RelayRefusesSender => "relay_refuses_sender",
            Self::RelayAsksToWait => "relay_asks_to_wait",
            Self::RelayTurnsAway => "relay_turns_away",
            Self::RelayUnreadable => "relay_unreadable",
            Self::BrokerAway => "broker_away",
        }
    }
}
