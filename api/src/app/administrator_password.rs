//! Checks an administrator's password, at sign-in and wherever it must be confirmed.

use crate::app::credentials::attempt_limiter::{self, Attempt, AttemptToken, ExhaustedLimit, Realm, Refusal};
use crate::app::problem::Problem;
use crate::app::sessions::AdministratorSession;
use crate::app::state::AppState;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::address::EmailAddress;
use shared::password::{HashFault, PasswordOrigin, Verifier};
use shared::store::administrators::{self, Lock};
use shared::store::audit::{Action, Actor};
use shared::store::known_clients;
use std::net::IpAddr;
use std::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Longer passwords are rejected without hashing.
const PASSWORD_MOST_BYTES: usize = 1_024;

/// Why a password was not checked.
pub(crate) enum Unchecked {
    /// The rate limit is exhausted.
    Refused(Refusal),
    /// The queue for hashing is full.
    Busy,
    /// Postgres or hashing failed.
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
    /// Label for the sign-in metric; `None` for internal failures.
    pub(crate) fn outcome(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) if refusal.used_up == ExhaustedLimit::Overall => Some("busy"),
            Self::Refused(_) => Some("throttled"),
            Self::Busy => Some("busy"),
            Self::Problem(_) => None,
        }
    }
}

/// Outcome of a check.
enum Checked {
    /// The password is right.
    Right(Lock),
    /// The password is wrong, or no administrator with this address can sign in.
    Wrong {
        /// The administrator with this address.
        concerned: Option<Uuid>,
    },
}

/// A browser, identified by its device cookie.
pub(crate) struct DeviceIdentity {
    /// Key of its rate limit.
    pub(crate) name: String,
    /// The digest of the cookie, as stored for each administrator who signed in there.
    pub(crate) digest: Vec<u8>,
}

/// The client whose password is checked, for rate limiting and the audit log.
pub(crate) struct Client {
    who: attempt_limiter::Client,
    is_known: bool,
    origin: Actor,
    /// The administrator who is signed in.
    administrator: Option<Uuid>,
}

impl Client {
    /// A browser that is not signed in. It is identified by its device cookie if it has signed in as this administrator
    /// before, otherwise by its address.
    pub(crate) async fn for_sign_in(
        api: &AppState,
        origin: Actor,
        typed: &str,
        address: IpAddr,
        device: Option<DeviceIdentity>,
    ) -> Result<Self, Problem> {
        if let Some(device) = device
            && known_clients::is_device_known(&api.db, &identity(typed), &device.digest).await?
        {
            return Ok(Self {
                who: attempt_limiter::Client::named(device.name),
                is_known: true,
                origin,
                administrator: None,
            });
        }
        Ok(Self {
            who: attempt_limiter::Client::at(address),
            is_known: false,
            origin,
            administrator: None,
        })
    }

    /// A browser that is signed in as the administrator, identified by its session.
    pub(crate) fn in_session(session: &AdministratorSession<'_>) -> Self {
        Self {
            who: attempt_limiter::Client::named(format!("session {}", URL_SAFE_NO_PAD.encode(session.digest))),
            is_known: true,
            origin: session.actor.clone(),
            administrator: Some(session.id),
        }
    }

    /// Records an attempt that did not succeed.
    fn record(&self, api: &AppState, action: Action, concerned: Option<Uuid>) {
        // The typed address is not recorded, because it may be a password in the wrong field.
        let subject = concerned.map(|id| format!("administrator {id}"));
        api.record_access(action, &self.origin, subject);
    }
}

/// Compares a password with that of the administrator with this address, who is returned if it is right. Wrong and
/// throttled attempts are recorded in the audit log.
///
/// # Errors
///
/// [`Unchecked`] if the password was not compared.
pub(crate) async fn check(
    api: &AppState,
    typed: &str,
    password: Zeroizing<String>,
    client: &Client,
) -> Result<Option<Lock>, Unchecked> {
    let checked = attempted(api, typed, password, client).await;
    match checked {
        Ok(Checked::Right(lock)) => Ok(Some(lock)),
        Ok(Checked::Wrong { concerned }) => {
            client.record(api, Action::SignInFailed, concerned);
            Ok(None)
        }
        Err(unchecked) => {
            if unchecked.outcome().is_some() {
                client.record(api, Action::SignInThrottled, client.administrator);
            }
            Err(unchecked)
        }
    }
}

/// Compares a password within the limits for attempts.
async fn attempted(
    api: &AppState,
    typed: &str,
    password: Zeroizing<String>,
    client: &Client,
) -> Result<Checked, Unchecked> {
    let key = identity(typed);
    let attempt = Attempt {
        realm: Realm::Console,
        person: &key,
        client: Some(&client.who),
        is_known: client.is_known,
        is_like_mailed: false,
    };
    let spent = api
        .attempt_limiter
        .take(attempt, Instant::now())
        .map_err(Unchecked::Refused)?;
    let found = compared(api, &key, password, &spent).await;
    // An internal failure reveals nothing about the password, so the attempt is refunded. A client that met a full queue
    // keeps its worse rank, so that a flood makes room for others.
    if !matches!(found, Ok(Checked::Wrong { .. }) | Err(Unchecked::Busy)) {
        api.attempt_limiter.refund(spent);
    }
    found
}

async fn compared(
    api: &AppState,
    key: &str,
    password: Zeroizing<String>,
    spent: &AttemptToken,
) -> Result<Checked, Unchecked> {
    // Reserved before the query, so that a flood costs Postgres little too.
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
            PasswordOrigin::Generated
        } else {
            PasswordOrigin::Chosen
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

/// The normalised address, or the typed text if it is not an address.
pub(crate) fn identity(typed: &str) -> String {
    EmailAddress::parse(typed).map_or_else(|_| typed.to_lowercase(), |address| address.key())
}
