//! How long mailed passwords work: the workers set it, and a preview says it.

use super::{Faults, SharedArgs, duration};
use std::time::Duration;

/// How long mailed passwords work, from the relay's 250.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Somebody's first.
    pub first: Duration,
    /// For somebody who has signed in before.
    pub reset: Duration,
}

impl Lifetimes {
    /// For this person.
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

/// ASVS 5.0 6.4.1 wants initial passwords short-lived; seven days is the most we call that.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = duration(text)?;
    if (Duration::from_mins(1)..=Duration::from_hours(168)).contains(&lifetime) {
        Ok(lifetime)
    } else {
        Err(format!("is {text:?}; write a time from 1min to 7d"))
    }
}
