//! The metrics that dashboards and alerts read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use harness::program::Program;
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::json;

/// One sample: the metric, its labels, its value.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
}

/// A parsed metrics page.
pub(crate) struct Page {
    text: String,
    helped: BTreeSet<String>,
    typed: Vec<(String, String)>,
    samples: Vec<Sample>,
}

impl Page {
    fn read(text: String) -> Self {
        let described = |line: &str, word: &str| {
            let rest = line.strip_prefix(word)?;
            let (name, rest) = rest.split_once(' ')?;
            Some((name.to_owned(), rest.to_owned()))
        };
        let helped = text.lines().filter_map(|line| described(line, "# HELP "));
        let helped = helped
            .filter(|(_, help)| help.ends_with('.') && help.len() > 10)
            .map(|(name, _)| name)
            .collect();
        let typed = text.lines().filter_map(|line| described(line, "# TYPE ")).collect();
        let samples = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(sample)
            .collect();
        Self {
            text,
            helped,
            typed,
            samples,
        }
    }

    /// The names of its metrics.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.typed.iter().map(|(name, _)| name.as_str())
    }

    /// The metric that a sample belongs to: a histogram has several samples.
    fn family(&self, sample: &Sample) -> Option<&(String, String)> {
        let parts = ["", "_bucket", "_sum", "_count"];
        self.typed.iter().find(|(name, kind)| {
            let endings = if kind == "histogram" { &parts[1..] } else { &parts[..1] };
            endings.iter().any(|ending| sample.name == format!("{name}{ending}"))
        })
    }
}

fn sample(line: &str) -> Sample {
    let (head, _) = line.rsplit_once(' ').unwrap();
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    let labels = labels
        .trim_end_matches('}')
        .split("\",")
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (label, value) = part.split_once("=\"").unwrap();
            (label.to_owned(), value.trim_end_matches('"').to_owned())
        });
    Sample {
        name: name.to_owned(),
        labels: labels.collect(),
    }
}

async fn page_at(base: &str) -> Page {
    let answer = reqwest::get(format!("{base}/metrics")).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    Page::read(answer.text().await.unwrap())
}

/// The metrics pages of an API and a worker that have done some of everything.
pub(crate) async fn pages() -> [Page; 2] {
    World::run_with(Setup::default().workers(0), async |world| {
        let probes = world.spare_address().unwrap();
        let mut settings = world.settings().to_vec();
        settings.push(("BECKON_PROBES_LISTEN".to_owned(), probes.to_string()));
        settings.push((
            "SMTP_URL".to_owned(),
            format!("smtp://{}?tls=none", world.relay.address()),
        ));
        let worker = Program::start("beckon-worker", world.folder(), "measured", &[], &settings)
            .await
            .unwrap();
        world.person("ada@example.org").await;
        let batch = world
            .reset_passwords(json!({ "emails": ["ada@example.org", "550@example.org"] }))
            .await;
        world.relay.wait_for(1, PATIENCE).await.unwrap();
        world.finished(batch).await;
        world.verify("ada@example.org", "wrong").await;
        world.get(&format!("/v1/batches/{batch}")).await.expect(200);
        world.get("/v1/nowhere/ada@example.org").await.expect(404);

        let pages = [
            page_at(world.probes()).await,
            page_at(&format!("http://{probes}")).await,
        ];

        drop(worker);
        pages
    })
    .await
}

#[tokio::test]
async fn metrics_have_names_and_help_and_no_personal_data() {
    let pages = pages().await;

    for page in &pages {
        assert!(page.samples.len() > 20, "{}", page.text);
        for (name, kind) in &page.typed {
            assert!(name.starts_with("beckon_") || name.starts_with("process_"), "{name}");
            assert!(
                page.helped.contains(name) || name.starts_with("process_"),
                "{name} is not explained in a sentence"
            );
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            assert!(!name.contains("unnamed"), "{name}");
            for unit in ["_ms", "_millis", "_milliseconds", "_minutes", "_kb", "_mb"] {
                assert!(
                    !name.trim_end_matches("_total").ends_with(unit),
                    "{name} is in no base unit"
                );
            }
        }
        for sample in &page.samples {
            assert!(page.family(sample).is_some(), "{} has no TYPE", sample.name);
            for (label, value) in &sample.labels {
                assert!(is_one_of_few(value), "{} has {label}={value}", sample.name);
            }
        }
        let labels: BTreeSet<&str> = page
            .samples
            .iter()
            .flat_map(|s| &s.labels)
            .map(|(label, _)| label.as_str())
            .collect();
        for label in labels {
            assert!(
                !["id", "user", "email", "batch", "delivery", "path", "address"].contains(&label),
                "label {label}"
            );
        }
        linted(&page.text);
    }
}

#[tokio::test]
async fn outcomes_of_emails_are_counted() {
    let [api, worker] = pages().await;

    for line in [
        "beckon_sends_total{kind=\"password_reset\",lane=\"interactive\",on_time=\"true\"} 1",
        "beckon_sends_total{kind=\"password_reset\",lane=\"interactive\",on_time=\"false\"} 0",
        "beckon_attempt_failures_total{class=\"address_unknown\"} 0",
        "beckon_attempts_per_delivery_bucket{le=\"1\"} 1",
        "beckon_database_connections{state=\"in_use\"} ",
    ] {
        assert!(worker.text.contains(line), "no {line} in\n{}", worker.text);
    }
    for line in [
        "beckon_late_deliveries{lane=\"bulk\"} 0",
        "beckon_log_lines_total{level=\"error\"} 0",
    ] {
        assert!(api.text.contains(line), "no {line} in\n{}", api.text);
    }
}

/// Whether a label value comes from a fixed set: no id, no address, nothing from a caller.
fn is_one_of_few(value: &str) -> bool {
    let is_id = value
        .split(['-', '/'])
        .any(|part| part.len() >= 8 && part.chars().all(|c| c.is_ascii_hexdigit()));
    !is_id && !value.contains('@') && !value.contains("nowhere") && value.len() <= 60
}

/// Runs Prometheus's own linter, which `deploy/setup --tests` installs.
fn linted(page: &str) {
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
