//! The actors of the audit log.

use std::net::IpAddr;
use uuid::Uuid;

/// An actor and the origin of its request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Actor {
    /// The kind of actor.
    pub kind: ActorKind,
    /// The name at this time: an administrator's name, `key <name>`, or that of a program.
    pub name: String,
    /// The client's address; `None` if no client asked for the action.
    pub client: Option<IpAddr>,
    /// The trace id of the request, which its log lines also contain.
    pub request: Option<String>,
}

/// The kind of an actor.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ActorKind {
    /// An administrator of the console.
    Administrator(Uuid),
    /// A program with an API key.
    Key(Uuid),
    /// A command on the machine itself.
    CommandLine,
    /// Beckon itself, without a request.
    Beckon,
    /// An unauthenticated client.
    Unknown,
}

impl ActorKind {
    /// Its name in the log.
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

    /// Beckon itself.
    pub fn beckon() -> Self {
        Self::program(ActorKind::Beckon, "beckon")
    }

    /// An unauthenticated client. The name it gave is not recorded, because passwords are easily typed into
    /// the wrong field.
    pub fn unknown() -> Self {
        Self::program(ActorKind::Unknown, "unknown")
    }

    /// The authenticated sender of the request that this actor was read from.
    #[must_use]
    pub fn identified_as(self, kind: ActorKind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            ..self
        }
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
