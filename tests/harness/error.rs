//! What the harness says when it cannot do its part.

use std::error::Error;
use std::fmt;

/// Something the harness was attempting, and what stood in the way.
///
/// It speaks of the surroundings (a server that does not come up, a port that is taken), never
/// of the system under test: a test that meets one ends with it.
#[derive(Debug)]
pub struct HarnessError {
    sentence: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What the harness's own steps return.
pub type Result<T> = std::result::Result<T, HarnessError>;

impl HarnessError {
    /// An error that has no deeper cause.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            cause: None,
        }
    }

    /// An error whose cause is another error.
    pub fn because(sentence: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            sentence: sentence.into(),
            cause: Some(cause.into()),
        }
    }
}

// The cause is printed too: a failed test shows Display or Debug, and walks no sources.
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
