//! Errors of the harness itself.

use std::error::Error;
use std::fmt;

/// What the harness attempted and what went wrong.
///
/// It describes the environment (a server that does not start, a port that is taken), never the system under test. A
/// test that gets one fails.
#[derive(Debug)]
pub struct HarnessError {
    sentence: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// Result of the harness's own steps.
pub type Result<T> = std::result::Result<T, HarnessError>;

impl HarnessError {
    /// An error without a cause.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            cause: None,
        }
    }

    /// An error caused by another error.
    pub fn because(sentence: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            sentence: sentence.into(),
            cause: Some(cause.into()),
        }
    }
}

// The cause is printed too: a failed test prints Display or Debug and does not follow sources.
impl fmt::Display for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "{}: {cause}", self.sentence),
            None => f.write_str(&self.sentence),
        }
    }
}

impl Error for HarnessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
