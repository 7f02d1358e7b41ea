//! The response for a file that cannot be imported.

use crate::app::problem::{FieldError, Problem, ProblemKind};
use import::FileFault;

/// The response for a file that cannot be imported.
#[expect(clippy::needless_pass_by_value, reason = "an error is turned into another")]
pub(crate) fn file_problem(fault: FileFault) -> Problem {
    let kind = match fault {
        FileFault::Json { .. } => ProblemKind::Malformed,
        FileFault::TooManyRows { .. } => ProblemKind::TooLarge,
        FileFault::NotCsv { .. } => ProblemKind::UnsupportedFormat,
        FileFault::Unreadable(_) => {
            tracing::error!(error = %fault, "An upload could not be read back from disk");
            return Problem::internal();
        }
        _ => ProblemKind::Invalid,
    };
    let error = |fault: &FileFault| FieldError {
        row: fault.row(),
        column: fault.column().map(str::to_owned),
        field: None,
        code: fault.code().to_owned(),
        message: fault.to_string(),
    };
    let errors = fault.each().iter().map(error).collect();
    Problem::new(kind, fault.code(), fault.to_string()).with_errors(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_problem_depends_on_what_is_wrong_with_the_file() {
        let json = FileFault::Json {
            what: "trailing comma".to_owned(),
            line: 1,
            column: 2,
        };
        let web_page = FileFault::NotCsv {
            kind: "a web page",
            advice: "Save it as CSV.",
        };
        let two_email = FileFault::TwoEmailColumns {
            first: "A".to_owned(),
            second: "C".to_owned(),
        };
        let too_many = FileFault::TooManyRows { limit: 1, found: 2 };
        for (fault, kind) in [
            (json, ProblemKind::Malformed),
            (web_page, ProblemKind::UnsupportedFormat),
            (too_many, ProblemKind::TooLarge),
            (FileFault::Empty, ProblemKind::Invalid),
            (FileFault::Utf16, ProblemKind::Invalid),
            (two_email, ProblemKind::Invalid),
            (FileFault::from(std::io::Error::other("gone")), ProblemKind::Internal),
        ] {
            let code = fault.code();
            let problem = file_problem(fault);
            assert_eq!(problem.kind, kind, "{code}");
            assert!(kind == ProblemKind::Internal || problem.code == code, "{code}");
        }
    }
}
