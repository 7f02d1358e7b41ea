//! Metrics: one registry per process, with every label combination present from the start.
//!
//! A counter that appears with its first event hides that event from `rate()`. So a labelled metric is
//! declared with all values of its labels, which are enums and never ids.
//!
//! Name, help and labels of a metric are in one call, which also creates it. A macro that generates the struct of
//! metrics as well does not fit: label values are computed from enums, and some fields hold the metric of one label
//! value, or an array of them.

mod pool;

use crate::release::{REVISION, VERSION};
use crate::store::Db;
use crate::telemetry;
use pool::PoolGauges;
use prometheus::core::{MetricVec, MetricVecBuilder};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::UNIX_EPOCH;

/// Records that a heartbeat has reached a stage.
pub fn set_heartbeat(heartbeats: &GaugeVec, stage: &str) {
    let now = crate::trace::now().duration_since(UNIX_EPOCH);
    heartbeats
        .with_label_values(&[stage])
        .set(now.unwrap_or_default().as_secs_f64());
}

/// Buckets for work inside one process, in seconds: from half a millisecond to ten seconds.
pub const WORK_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Buckets for the time until a mail is sent, in seconds. There is a boundary at each promise: 1 and 2 s for
/// a single mail, 10 s for the interactive lane, minutes and hours for a batch.
pub const SEND_SECONDS: &[f64] = &[
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0,
    14400.0,
];

/// The name of a label and its values.
pub type Label<'a> = (&'a str, &'a [&'a str]);

/// All combinations of the values of labels.
fn combinations<'a>(labels: &[Label<'a>]) -> Vec<Vec<&'a str>> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for (_, values) in labels {
        all = all
            .iter()
            .flat_map(|start| values.iter().map(move |value| [start.as_slice(), &[*value]].concat()))
            .collect();
    }
    all
}

/// Creates metrics in a registry.
///
/// The names are constants of this project, so a clash is a bug: the second metric is left out of the page
/// and the clash is logged, with no other effect.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// A registry with the metrics that every process has.
    pub fn for_process() -> Self {
        let metrics = Self {
            registry: Registry::new(),
        };
        #[cfg(target_os = "linux")]
        metrics.add(prometheus::process_collector::ProcessCollector::for_self());
        let info = metrics.gauges(
            "beckon_build_info",
            "Version and commit of the running program, as labels; always 1.",
            &[("version", &[VERSION]), ("revision", &[REVISION])],
        );
        info.with_label_values(&[VERSION, REVISION]).set(1);
        metrics.add(telemetry::counter());
        metrics
    }

    /// Metrics in this registry, and no others.
    pub fn in_registry(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
        }
    }

    /// The registry, for modules with collectors of their own.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Exports the number of connections of a pool that are in use.
    pub fn show_connections(&self, db: &Db) {
        match PoolGauges::of(db.clone()) {
            Ok(gauges) => self.add(gauges),
            Err(fault) => tracing::error!(error = %fault, "A metric could not be declared"),
        }
    }

    fn add(&self, collector: impl prometheus::core::Collector + 'static) {
        if let Err(fault) = self.registry.register(Box::new(collector)) {
            tracing::error!(error = %fault, "A metric could not be registered");
        }
    }

    /// Creates and registers a metric. If its name is invalid, the metric exists outside of the registry, so that only
    /// its values are lost and not the process.
    fn registered<T>(&self, name: &str, create: impl Fn(&str) -> prometheus::Result<T>) -> T
    where
        T: Clone + prometheus::core::Collector + 'static,
    {
        match create(name) {
            Ok(metric) => {
                self.add(metric.clone());
                metric
            }
            Err(fault) => {
                tracing::error!(error = %fault, metric = name, "A metric could not be declared");
                #[expect(clippy::unwrap_used, reason = "constant labels and buckets, covered by a unit test")]
                create("beckon_unnamed").unwrap()
            }
        }
    }

    /// A counter without labels.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(name, |name| IntCounter::new(name, help))
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(name, |name| IntGauge::new(name, help))
    }

    /// A gauge with fractions, such as a rate, or a timestamp in seconds since 1970.
    pub fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.registered(name, |name| Gauge::new(name, help))
    }

    /// Timestamps of the last heartbeat at this process's stages (see [`set_heartbeat`]).
    pub fn heartbeats(&self, stages: &[&str]) -> GaugeVec {
        self.timestamp_gauges(
            "beckon_heartbeat_timestamp_seconds",
            "When a heartbeat, sent every 30 seconds on the path of the jobs, was last published, consumed and recorded; 0 before the first.",
            &[("stage", stages)],
        )
    }

    /// Creates a metric with labels, and every combination of their values. A label without values gets them later.
    fn labelled<B: MetricVecBuilder + 'static>(
        &self,
        name: &str,
        labels: &[Label<'_>],
        create: impl Fn(&str, &[&str]) -> prometheus::Result<MetricVec<B>>,
    ) -> MetricVec<B> {
        let names: Vec<&str> = labels.iter().map(|(label, _)| *label).collect();
        let metric = self.registered(name, |name| create(name, &names));
        for combination in combinations(labels) {
            metric.with_label_values(&combination);
        }
        metric
    }

    /// A gauge of timestamps in seconds since 1970, with labels.
    pub fn timestamp_gauges(&self, name: &str, help: &str, labels: &[Label<'_>]) -> GaugeVec {
        self.labelled(name, labels, |name, labels| {
            GaugeVec::new(Opts::new(name, help), labels)
        })
    }

    /// A counter with labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[Label<'_>]) -> IntCounterVec {
        self.labelled(name, labels, |name, labels| {
            IntCounterVec::new(Opts::new(name, help), labels)
        })
    }

    /// A gauge with labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[Label<'_>]) -> IntGaugeVec {
        self.labelled(name, labels, |name, labels| {
            IntGaugeVec::new(Opts::new(name, help), labels)
        })
    }

    /// A histogram without labels.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = |name: &str| HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(name, |name| Histogram::with_opts(options(name)))
    }

    /// A histogram with labels.
    pub fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[Label<'_>]) -> HistogramVec {
        let options = |name: &str| HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.labelled(name, labels, |name, labels| HistogramVec::new(options(name), labels))
    }

    /// The metrics page that Prometheus scrapes.
    pub fn page(&self) -> String {
        let mut page = Vec::new();
        if let Err(fault) = TextEncoder::new().encode(&self.registry.gather(), &mut page) {
            tracing::error!(error = %fault, "The metrics page could not be written");
        }
        String::from_utf8(page).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_combination_exists_from_the_start() {
        let metrics = Metrics::for_process();
        let labels: [Label<'_>; 2] = [("kind", &["a", "b"]), ("lane", &["c", "d"])];
        metrics.counters("beckon_things_total", "Things that were counted.", &labels);
        let page = metrics.page();
        for sample in ["a\",lane=\"c", "a\",lane=\"d", "b\",lane=\"c", "b\",lane=\"d"] {
            let line = format!("beckon_things_total{{kind=\"{sample}\"}} 0");
            assert!(page.contains(&line), "no {line} in\n{page}");
        }
        let build = format!("beckon_build_info{{revision=\"{REVISION}\",version=\"{VERSION}\"}} 1");
        assert!(page.contains(&build), "{page}");
    }

    #[test]
    fn an_invalid_name_affects_only_its_metric() {
        let metrics = Metrics::for_process();
        metrics.counter("not a name", "-").inc();
        metrics.gauge("nor this", "-").inc();
        metrics.counters("nor this", "-", &[("kind", &["a"])]);
        metrics.histogram("nor this", "-", WORK_SECONDS).observe(1.0);
        metrics.histograms("nor this", "-", WORK_SECONDS, &[("kind", &["a"])]);
    }
}
