//! Exports spans to the collector in the background.
//!
//! Spans are buffered in memory and sent once a second. If the collector is away or slow, or the buffer is
//! full, spans are lost, and once a minute a log line reports how many; mail continues in either case. A stop
//! waits briefly for the last ones.
//!
//! The SDK's own queue is not used: it has a thread and waits for its exporter there, outside the runtime
//! that the connection needs, and it must know at the start of a span whether to keep it. Its variant for async
//! runtimes is experimental (`opentelemetry_sdk` 0.33).

use super::span::Span;
use crate::release::VERSION;
use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

/// Maximum number of buffered spans, about a kilobyte each: a round of retries has two thousand.
const MAX_WAITING: usize = 8_192;

/// Maximum number of spans per request, the SDK's own default.
const MAX_REQUEST: usize = 512;

/// Time between two exports.
const PACE: Duration = Duration::from_secs(1);

/// Timeout for one request to the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a stop waits for the last spans.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Time between two reports of lost spans.
const REPORT_INTERVAL: Duration = Duration::from_mins(1);

/// The buffered spans, unset if no collector is configured. One per process, like the log.
static WAITING: OnceLock<Mutex<Waiting>> = OnceLock::new();

#[derive(Default)]
struct Waiting {
    spans: Vec<SpanData>,
    lost: usize,
}

impl Waiting {
    fn add(&mut self, spans: Vec<Span>) {
        if self.spans.len() + spans.len() > MAX_WAITING {
            self.lost += spans.len();
        } else {
            self.spans.extend(spans.into_iter().map(|span| span.0));
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Exports spans if a collector is configured. Otherwise they are not even created.
pub fn export(make: impl FnOnce() -> Vec<Span>) {
    if let Some(waiting) = WAITING.get() {
        let spans = make();
        lock(waiting).add(spans);
    }
}

/// The background export, for as long as the process runs.
pub struct Exporting(Option<(JoinHandle<()>, CancellationToken)>);

/// Starts the export to a collector. Without one, no spans are created or sent.
pub fn start(program: &'static str, collector: Option<&str>) -> Exporting {
    let Some(address) = collector else {
        return Exporting(None);
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(address)
        .with_timeout(PATIENCE)
        .build();
    let mut exporter = match exporter {
        Ok(exporter) => exporter,
        Err(fault) => {
            error!(error = %fault, "Could not prepare the export of traces (OTEL_EXPORTER_OTLP_ENDPOINT); continuing without");
            return Exporting(None);
        }
    };
    let process = Resource::builder()
        .with_service_name(program)
        .with_attribute(KeyValue::new("service.version", VERSION));
    exporter.set_resource(&process.build());
    let stopping = CancellationToken::new();
    let waiting = WAITING.get_or_init(Mutex::default);
    let task = tokio::spawn(keep_sending(exporter, waiting, stopping.clone()));
    Exporting(Some((task, stopping)))
}

impl Exporting {
    /// Exports the remaining spans and ends.
    pub async fn end(self) {
        let Some((task, stopping)) = self.0 else { return };
        stopping.cancel();
        let ending = task.abort_handle();
        if timeout(LAST_PATIENCE, task).await.is_err() {
            ending.abort();
            warn!("Exited without exporting the last traces: the collector did not accept them in time");
        }
    }
}

async fn keep_sending(exporter: SpanExporter, waiting: &Mutex<Waiting>, stopping: CancellationToken) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut losses = Losses::default();
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            () = stopping.cancelled() => {}
        }
        // Checked before the spans are taken, so that those of the last steps are included.
        let is_last = stopping.is_cancelled();
        let Waiting { spans, lost } = std::mem::take(&mut *lock(waiting));
        losses.add(lost, "they were produced faster than they could be exported");
        send(&exporter, spans, &mut losses).await;
        losses.report(Instant::now());
        if is_last {
            return;
        }
    }
}

async fn send(exporter: &SpanExporter, mut spans: Vec<SpanData>, losses: &mut Losses) {
    while !spans.is_empty() {
        let rest = spans.split_off(spans.len().min(MAX_REQUEST));
        let count = spans.len() + rest.len();
        let fault = match timeout(PATIENCE, exporter.export(spans)).await {
            Ok(Ok(())) => {
                spans = rest;
                continue;
            }
            Ok(Err(fault)) => fault.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        // The next requests would wait for the same timeout, and newer spans behind them.
        return losses.add(count, &fault);
    }
}

/// Spans lost since the last report.
#[derive(Default)]
struct Losses {
    spans: usize,
    why: String,
    reported_at: Option<Instant>,
}

impl Losses {
    fn add(&mut self, spans: usize, why: &str) {
        if spans > 0 {
            self.spans += spans;
            why.clone_into(&mut self.why);
        }
    }

    fn report(&mut self, now: Instant) {
        if self.spans > 0 && self.reported_at.is_none_or(|at| now - at >= REPORT_INTERVAL) {
            warn!(
                spans = self.spans,
                error = self.why,
                "Traces are lost on their way to the collector (OTEL_EXPORTER_OTLP_ENDPOINT); mail is not affected"
            );
            self.spans = 0;
            self.reported_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{SpanKind, TraceContext, now};

    #[test]
    fn spans_over_the_limit_are_counted_and_dropped() {
        let spans = |count: usize| {
            let span = || {
                Span::root(
                    TraceContext::fresh(),
                    SpanKind::Server,
                    "GET".to_owned(),
                    (now(), now()),
                )
            };
            std::iter::repeat_with(span).take(count).collect::<Vec<_>>()
        };
        let mut waiting = Waiting::default();

        waiting.add(spans(MAX_WAITING - 1));
        waiting.add(spans(2));
        waiting.add(spans(1));

        assert_eq!((waiting.spans.len(), waiting.lost), (MAX_WAITING, 2));
    }

    #[test]
    fn losses_are_reported_once_a_minute() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        losses.add(1, "away");
        losses.report(start);
        losses.add(2, "away");
        losses.report(start + REPORT_INTERVAL / 2);
        assert_eq!(losses.spans, 2, "reported again too early");
        losses.report(start + REPORT_INTERVAL);
        assert_eq!(losses.spans, 0);
    }
}
