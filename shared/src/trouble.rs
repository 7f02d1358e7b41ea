//! Why a worker sends no mails: reported by the worker and described by the console.

/// What keeps a worker from working.
///
/// Each kind needs a different response. Trouble with Postgres is not among them, because a worker that
/// cannot reach it cannot report it there.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, sqlx::Type)]
#[sqlx(type_name = "worker_trouble", rename_all = "snake_case")]
pub enum WorkerTrouble {
    /// The relay cannot be connected to: it is down, or its name or port is wrong.
    RelayUnreachable,
    /// The relay accepts the connection but does not answer.
    RelaySilent,
    /// The relay closes the connection.
    RelayHangsUp,
    /// No connection as private as the settings require can be established.
    RelayNotPrivate,
    /// The relay rejects our login, or offers no supported mechanism.
    RelayRefusesLogin,
    /// The relay accepts no mail from our sender address.
    RelayRefusesSender,
    /// The relay defers all mail, or the quota of our account is used up.
    RelayAsksToWait,
    /// The relay rejects us before any mail is announced, or all mail from our account.
    RelayTurnsAway,
    /// The relay's answers are not SMTP.
    RelayUnreadable,
    /// `RabbitMQ` delivers no jobs.
    BrokerAway,
}

impl WorkerTrouble {
    /// All kinds, in the order of the schema.
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

    /// Its name in SQL.
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
