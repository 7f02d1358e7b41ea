//! How long mailed passwords work. Workers apply it, previews show it.

use super::{Faults, SharedArgs, duration};
use std::time::Duration;

/// How long mailed passwords work at least, counted from the relay's 250.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// The first password of a user.
    pub first: Duration,
    /// The password of a user who has signed in before.
    pub reset: Duration,
}

impl Lifetimes {
    /// The lifetime for a user.
    pub const fn of(&self, has_signed_in: bool) -> Duration {
        if has_signed_in { self.reset } else { self.first }
    }
}

impl SharedArgs {
    pub(super) fn lifetimes(&self, faults: &mut Faults) -> Option<Lifetimes> {
        let first = faults.read(
            "BECKON_FIRST_PASSWORD_LIFETIME",
            &self.beckon_first_password_lifetime,
            lifetime,
        );
        let reset = faults.read(
            "BECKON_RESET_PASSWORD_LIFETIME",
            &self.beckon_reset_password_lifetime,
            lifetime,
        );
        Some(Lifetimes {
            first: first?,
            reset: reset?,
        })
    }
}

/// ASVS 5.0 section 6.4.1 requires initial passwords to be short-lived; we allow at most seven days.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = duration(text)?;
    if (Duration::from_mins(1)..=Duration::from_hours(168)).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err(format!("is {text:?}; write a time from 1min to 7d"))
    }
}
