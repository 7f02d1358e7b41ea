//! What travels in the queue: a pointer at a delivery, and nothing a stranger could use.

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use uuid::Uuid;

/// The version of the job's form written today. Readers keep reading the versions before it.
const VERSION: u32 = 1;

/// No job is longer: `{"v":1,"delivery":"…36…","attempt":4294967295}` is under 90 bytes.
const LONGEST_BYTES: usize = 1024;

/// Asks for one attempt at one delivery.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Job {
    /// The delivery to attempt.
    pub delivery: Uuid,
    /// Which attempt this asks for, counted from 1. A worker that finds the delivery further on
    /// drops the job: somebody was faster, or the queue gave it twice.
    pub attempt: i32,
}

/// A message that is not a job of ours, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JobFault {
    /// Larger than any job.
    #[error("the message has {0} bytes, and no job has more than 1024")]
    TooLong(usize),
    /// Not JSON, or JSON of another shape.
    #[error("the message is not a job: {0}")]
    Malformed(&'static str),
    /// Written by a newer release.
    #[error("the job has version {0}, and this release reads up to version 1")]
    UnknownVersion(u32),
    /// Attempts count from 1.
    #[error("the job asks for attempt {0}, and attempts count from 1")]
    NoSuchAttempt(i32),
}

impl JobFault {
    /// The word for metrics and the parked message's header.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::Malformed(_) => "malformed",
            Self::UnknownVersion(_) => "unknown_version",
            Self::NoSuchAttempt(_) => "no_such_attempt",
        }
    }

    /// Every code, for metrics that exist from the start.
    pub const CODES: [&'static str; 4] = ["too_long", "malformed", "unknown_version", "no_such_attempt"];
}

#[derive(Serialize, Deserialize)]
struct Form {
    v: u32,
    delivery: Uuid,
    attempt: i32,
}

impl Job {
    /// The message's body.
    pub fn encode(self) -> Vec<u8> {
        format!(
            r#"{{"v":{VERSION},"delivery":"{}","attempt":{}}}"#,
            self.delivery, self.attempt
        )
        .into_bytes()
    }

    /// Reads a message's body.
    ///
    /// # Errors
    ///
    /// [`JobFault`] when this is no job of ours; asking again cannot help, so the caller parks it.
    pub fn decode(body: &[u8]) -> Result<Self, JobFault> {
        if body.len() > LONGEST_BYTES {
            return Err(JobFault::TooLong(body.len()));
        }
        let form: Form = serde_json::from_slice(body).map_err(|fault| JobFault::Malformed(said(&fault)))?;
        if form.v != VERSION {
            return Err(JobFault::UnknownVersion(form.v));
        }
        if form.attempt < 1 {
            return Err(JobFault::NoSuchAttempt(form.attempt));
        }
        Ok(Self {
            delivery: form.delivery,
            attempt: form.attempt,
        })
    }

    /// The message id: the same for every copy of the same request, which is how a returned
    /// message is told from its neighbours.
    pub fn message_id(self) -> String {
        format!("{}/{}", self.delivery, self.attempt)
    }
}

/// What is wrong with it, without a word of it: it may be a mail that went astray.
fn said(fault: &serde_json::Error) -> &'static str {
    match fault.classify() {
        Category::Data => "its fields are others than a job's",
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "it is no JSON",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_reads_back_as_it_was_written() {
        let job = Job {
            delivery: Uuid::from_u128(7),
            attempt: 3,
        };
        assert_eq!(
            String::from_utf8(job.encode()).unwrap(),
            r#"{"v":1,"delivery":"00000000-0000-0000-0000-000000000007","attempt":3}"#
        );
        assert_eq!(Job::decode(&job.encode()), Ok(job));
    }

    #[test]
    fn what_is_no_job_says_why() {
        let fault = |body: &[u8]| Job::decode(body).unwrap_err().code();
        assert_eq!(fault(b"hello"), "malformed");
        assert_eq!(fault(&[0xff; 8]), "malformed");
        assert_eq!(fault(&[b' '; 2000]), "too_long");
        let newer = br#"{"v":2,"delivery":"00000000-0000-0000-0000-000000000007","attempt":3}"#;
        assert_eq!(fault(newer), "unknown_version");
        let none = br#"{"v":1,"delivery":"00000000-0000-0000-0000-000000000007","attempt":0}"#;
        assert_eq!(fault(none), "no_such_attempt");
    }
}
