//! Why a worker sends no mails: reported by the worker and described by the console.

crate::named_enum! {
    /// What keeps a worker from working.
    ///
    /// Each kind needs a different response. Trouble with Postgres is not among them, because a worker that
    /// cannot reach it cannot report it there.
    #[derive(Clone, Copy, Debug, Eq, PartialEq, Hash, sqlx::Type)]
    #[sqlx(type_name = "worker_trouble", rename_all = "snake_case")]
    pub enum WorkerTrouble {
        /// The relay cannot be connected to: it is down, or its name or port is wrong.
        RelayUnreachable = "relay_unreachable",
        /// The relay accepts the connection but does not answer.
        RelaySilent = "relay_silent",
        /// The relay closes the connection.
        RelayHangsUp = "relay_hangs_up",
        /// No connection as private as the settings require can be established.
        RelayNotPrivate = "relay_not_private",
        /// The relay rejects our login, or offers no supported mechanism.
        RelayRefusesLogin = "relay_refuses_login",
        /// The relay accepts no mail from our sender address.
        RelayRefusesSender = "relay_refuses_sender",
        /// The relay defers all mail, or the quota of our account is used up.
        RelayAsksToWait = "relay_asks_to_wait",
        /// The relay rejects us before any mail is announced, or all mail from our account.
        RelayTurnsAway = "relay_turns_away",
        /// The relay's answers are not SMTP.
        RelayUnreadable = "relay_unreadable",
        /// `RabbitMQ` delivers no jobs.
        BrokerAway = "broker_away",
    }
}
