//! The thread that connects a request with the relay's answer (W3C Trace Context).
//!
//! A batch is accepted in one request and its mails leave minutes or days later, so the trace id
//! is kept with the batch, put into each job's headers and logged at every step.

use uuid::Uuid;

/// The header it travels in, over HTTP and in a job.
pub const HEADER: &str = "traceparent";

/// A W3C trace id: 16 bytes, not all zero, in lower-case hex.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceId(String);

impl TraceId {
    /// A fresh one.
    pub fn fresh() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }

    /// The id in a `traceparent` header's value, if that has the form of the standard.
    pub fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let (version, id, span) = (parts.next()?, parts.next()?, parts.next()?);
        let is_hex = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_zero = id.bytes().all(|b| b == b'0');
        (is_hex(version, 2) && version != "ff" && is_hex(id, 32) && is_hex(span, 16) && !is_zero)
            .then(|| Self(id.to_owned()))
    }

    /// The id as kept by Postgres.
    pub fn from_store(id: String) -> Self {
        Self(id)
    }

    /// 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A `traceparent` for the next step: this trace, a span id of its own, sampled.
    pub fn traceparent(&self) -> String {
        let span = Uuid::new_v4().as_u64_pair().0;
        format!("00-{}-{span:016x}-01", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_survives_the_header() {
        let id = TraceId::fresh();
        assert_eq!(TraceId::from_traceparent(&id.traceparent()), Some(id));
    }

    #[test]
    fn a_header_of_another_form_is_ignored() {
        for header in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceId::from_traceparent(header), None, "{header}");
        }
    }
}
