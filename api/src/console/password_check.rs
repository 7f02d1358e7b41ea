//! Checking an administrator's password: at the sign-in, and wherever they prove who they are again.

use super::device::Device;
use crate::client_address::ClientAddress;
use crate::credentials::tries::{self, Attempt, Place, Refusal, Try, UsedUp};
use crate::problem::Problem;
use crate::state::Api;
use shared::address::EmailAddress;
use shared::password::{Form, HashFault, Verifier};
use shared::store::administrators::{self, Lock};
use shared::store::known_clients;
use std::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Longer passwords are refused before hashing.
const PASSWORD_MOST_BYTES: usize = 1_024;

/// Why there is no answer.
pub(super) enum Unchecked {
    /// No try is left.
    Refused(Refusal),
    /// Too many wait for a hash.
    Busy,
    /// Postgres or the hashing failed.
    Problem(Problem),
}

impl From<Unchecked> for Problem {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::Refused(refusal) => refusal.into(),
            Unchecked::Busy => HashFault::Busy.into(),
            Unchecked::Problem(problem) => problem,
        }
    }
}

impl Unchecked {
    /// What it counts as; a failure of ours counts as none.
    pub(super) fn outcome(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) if refusal.used_up == UsedUp::Everybody => Some("busy"),
            Self::Refused(_) => Some("throttled"),
            Self::Busy => Some("busy"),
            Self::Problem(_) => None,
        }
    }
}

/// What came of a check.
pub(super) enum Checked {
    /// The administrator's password.
    Right(Lock),
    /// Not the password of the administrator with this address, if there is one who can sign in.
    Wrong {
        /// Who that is.
        concerned: Option<Uuid>,
    },
}

/// Who asks for a password to be checked.
pub(super) struct Client {
    who: tries::Client,
    is_known: bool,
}

impl Client {
    /// A browser that is not signed in: by its device cookie if it has signed in as this person before,
    /// else by its address.
    pub(super) async fn at_sign_in(
        api: &Api,
        typed: &str,
        address: ClientAddress,
        device: Option<&Device>,
    ) -> Result<Self, Problem> {
        if let Some(device) = device
            && known_clients::is_device_known(&api.db, &identity(typed), &device.digest()).await?
        {
            return Ok(Self {
                who: tries::Client::named(device.name()),
                is_known: true,
            });
        }
        Ok(Self {
            who: tries::Client::at(address.0),
            is_known: false,
        })
    }

    /// A browser that is signed in as the person: its session proves it.
    pub(super) fn in_session(proof: &str) -> Self {
        Self {
            who: tries::Client::named(format!("session {proof}")),
            is_known: true,
        }
    }
}

/// Compares a password with that of the administrator with this address.
///
/// # Errors
///
/// [`Unchecked`] where the password was not compared.
pub(super) async fn check(
    api: &Api,
    typed: &str,
    password: Zeroizing<String>,
    client: &Client,
) -> Result<Checked, Unchecked> {
    let key = identity(typed);
    let attempt = Attempt {
        place: Place::Console,
        person: &key,
        client: Some(&client.who),
        is_known: client.is_known,
        is_like_mailed: false,
    };
    let spent = api.tries.take(attempt, Instant::now()).map_err(Unchecked::Refused)?;
    let found = compared(api, &key, password, &spent).await;
    // Nobody learnt anything from a failure of ours. One who met a full line keeps the worse rank, so that a
    // flood makes room for others.
    if !matches!(found, Ok(Checked::Wrong { .. }) | Err(Unchecked::Busy)) {
        api.tries.give_back(spent);
    }
    found
}

async fn compared(api: &Api, key: &str, password: Zeroizing<String>, spent: &Try) -> Result<Checked, Unchecked> {
    // Before Postgres is asked: a flood costs it little either.
    let Some(_place) = api.console_hashing.reserve(spent.rank) else {
        return Err(Unchecked::Busy);
    };
    let lock = administrators::lock_of(&api.db, key).await;
    let lock = lock.map_err(|fault| Unchecked::Problem(fault.into()))?;
    let is_plausible = password.len() <= PASSWORD_MOST_BYTES;
    let candidate = if is_plausible {
        password
    } else {
        Zeroizing::new("-".to_owned())
    };
    let verifiers = lock.iter().map(|lock| {
        let form = if lock.must_choose {
            Form::Generated
        } else {
            Form::Chosen
        };
        (Verifier::from_stored(lock.verifier.clone()), form)
    });
    let found = api.console_hashing.verify(spent.rank, verifiers.collect(), candidate);
    match found.await {
        Ok(found) => Ok(match lock {
            Some(lock) if found.is_some() && is_plausible => Checked::Right(lock),
            other => Checked::Wrong {
                concerned: other.map(|lock| lock.id),
            },
        }),
        Err(HashFault::Busy) => Err(Unchecked::Busy),
        Err(fault) => Err(Unchecked::Problem(fault.into())),
    }
}

/// The address as identity, or what was typed in its stead.
pub(super) fn identity(typed: &str) -> String {
    EmailAddress::parse(typed).map_or_else(|_| typed.to_lowercase(), |address| address.key())
}
