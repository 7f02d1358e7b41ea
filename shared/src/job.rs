//! The message in the queue: a reference to a delivery, and nothing that a third party could use.

use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use uuid::Uuid;

/// The format version written by this release. Readers still accept earlier versions.
const VERSION: u32 = 1;

/// Maximum size of a job: `{"v":1,"delivery":"…36…","attempt":4294967295}` has under 90 bytes.
const LONGEST_BYTES: usize = 1024;

/// Requests one attempt at one delivery.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Job {
    /// The delivery to attempt.
    pub delivery: Uuid,
    /// The requested attempt, counted from 1. A worker drops the job if the delivery has advanced beyond it:
    /// another worker was faster, or the job was delivered twice.
    pub attempt: i32,
}

/// Why a message is not a valid job.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JobFault {
    /// Larger than any job.
    #[error("the message has {0} bytes; a job has at most 1024")]
    TooLong(usize),
    /// Not JSON, or JSON of another structure.
    #[error("the message is not a job: {0}")]
    Malformed(&'static str),
    /// Written by a newer release.
    #[error("the job has version {0}; this release reads versions up to 1")]
    UnknownVersion(u32),
    /// Attempts count from 1.
    #[error("the job requests attempt {0}; attempts count from 1")]
    NoSuchAttempt(i32),
}

impl JobFault {
    /// The code for metrics and for the header of the parked message.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::Malformed(_) => "malformed",
            Self::UnknownVersion(_) => "unknown_version",
            Self::NoSuchAttempt(_) => "no_such_attempt",
        }
    }

    /// All codes, for metrics that exist from the start.
    pub const CODES: [&'static str; 4] = ["too_long", "malformed", "unknown_version", "no_such_attempt"];
}

#[derive(Serialize, Deserialize)]
struct Payload {
    v: u32,
    delivery: Uuid,
    attempt: i32,
}

impl Job {
    /// Encodes the body of the message.
    pub fn encode(self) -> Vec<u8> {
        format!(
            r#"{{"v":{VERSION},"delivery":"{}","attempt":{}}}"#,
            self.delivery, self.attempt
        )
        .into_bytes()
    }

    /// Decodes the body of a message.
    ///
    /// # Errors
    ///
    /// [`JobFault`] if this is not a valid job. A retry cannot help, so the caller parks it.
    pub fn decode(body: &[u8]) -> Result<Self, JobFault> {
        if body.len() > LONGEST_BYTES {
            return Err(JobFault::TooLong(body.len()));
        }
        let form: Payload = serde_json::from_slice(body).map_err(|fault| JobFault::Malformed(reason(&fault)))?;
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

    /// The message id, the same for every copy of a job. It identifies returned messages.
    pub fn message_id(self) -> String {
        format!("{}/{}", self.delivery, self.attempt)
    }
}

/// Describes the fault without quoting the message, which may be a mail that went astray.
fn reason(fault: &serde_json::Error) -> &'static str {
    match fault.classify() {
        Category::Data => "its fields are not those of a job",
        Category::Eof => "it ends too early",
        Category::Syntax | Category::Io => "it is not JSON",
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
    fn an_invalid_job_is_rejected_with_a_reason() {
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
