//! Who acts.

use std::net::IpAddr;
use uuid::Uuid;

/// Who does something, and from where.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// Their name at this moment: an administrator's name, `key <name>`, or that of a program.
    pub name: String,
    /// The client's address; none for what no client asked for.
    pub client: Option<IpAddr>,
    /// The trace id of the request, which its log lines carry too.
    pub request: Option<String>,
}

/// What an actor is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ActorKind {
    /// An administrator of the console.
    Administrator(Uuid),
    /// A program with an API key.
    Key(Uuid),
    /// A command on the machine itself.
    CommandLine,
    /// Beckon on its own, without a request.
    Beckon,
    /// A client that has not proved who it is.
    Unknown,
}

impl ActorKind {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator(_) => "administrator",
            Self::Key(_) => "key",
            Self::CommandLine => "command_line",
            Self::Beckon => "beckon",
            Self::Unknown => "unknown",
        }
    }

    /// The administrator's or the key's id.
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::Administrator(id) | Self::Key(id) => Some(id),
            Self::CommandLine | Self::Beckon | Self::Unknown => None,
        }
    }
}

impl Actor {
    /// A command on the machine itself.
    pub fn command_line() -> Self {
        Self::program(ActorKind::CommandLine, "the command line")
    }

    /// Beckon on its own.
    pub fn beckon() -> Self {
        Self::program(ActorKind::Beckon, "beckon")
    }

    /// A client that has not proved who it is. What it claims to be is not recorded: a password is easily typed
    /// into the wrong field.
    pub fn unknown() -> Self {
        Self::program(ActorKind::Unknown, "unknown")
    }

    fn program(kind: ActorKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            client: None,
            request: None,
        }
    }
}
