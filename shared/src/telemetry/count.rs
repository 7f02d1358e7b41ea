//! Counts log lines, so that a process that begins to complain is noticed where logs are not read.

use prometheus::{IntCounterVec, Opts};
use std::sync::LazyLock;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The levels that are counted. Finer ones are only written while debugging.
const LEVELS: [(Level, &str); 3] = [(Level::ERROR, "error"), (Level::WARN, "warn"), (Level::INFO, "info")];

static LINES: LazyLock<IntCounterVec> = LazyLock::new(|| {
    let opts = Opts::new("beckon_log_lines_total", "Lines written to the log, by level.");
    #[expect(
        clippy::unwrap_used,
        reason = "constant names, declared in every test of a process's page"
    )]
    let lines = IntCounterVec::new(opts, &["level"]).unwrap();
    for (_, level) in LEVELS {
        lines.with_label_values(&[level]);
    }
    lines
});

/// The counter, for the metrics page.
pub fn counter() -> IntCounterVec {
    LINES.clone()
}

/// Counts the events that pass the filter.
pub(super) struct LogLineCounter;

impl<S: Subscriber> Layer<S> for LogLineCounter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = LEVELS.iter().find(|(level, _)| level == event.metadata().level());
        if let Some((_, level)) = level {
            LINES.with_label_values(&[level]).inc();
        }
    }
}
