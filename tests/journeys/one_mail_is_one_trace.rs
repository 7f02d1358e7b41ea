//! A mail leaves one trace, from the caller's request to the relay's answer, with the second attempt linked to the
//! first. Traces contain no recipient, and a failing collector affects only traces.

use crate::json;
use harness::collector::{Collected, Collector, SpanKind};
use harness::relay::Behaviour;
use harness::{Setup, World};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use uuid::Uuid;

/// The header that the caller sends, and the two ids in it.
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Longer than the two seconds allowed for the last spans, and much shorter than the shutdown grace period.
const IN_TIME: Duration = Duration::from_secs(8);

fn traced_to(endpoint: &str) -> Setup {
    Setup::default()
        .api_setting("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .worker_setting("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
}

/// Shuts down both programs, which sends the last spans.
async fn stop(world: &mut World) {
    let began = Instant::now();
    assert_eq!(world.stop_worker(0).await, 0);
    let api = world.api.take().unwrap();
    api.signal(Signal::SIGTERM);
    assert_eq!(api.ended(Duration::from_mins(1)).await.unwrap(), 0);
    assert!(began.elapsed() < 2 * IN_TIME, "{:?}", began.elapsed());
}

/// The spans with this name, earliest first.
fn named<'a>(spans: &'a [Collected], name: &str) -> Vec<&'a Collected> {
    let mut found: Vec<_> = spans.iter().filter(|one| one.span.name == name).collect();
    found.sort_by_key(|one| one.span.start_time_unix_nano);
    found
}

/// A password mail to one user in the caller's trace, deferred and then accepted. Returns the batch and the trace
/// header of the answer.
async fn a_mail_at_the_second_try(world: &World, address: &str) -> (Uuid, String) {
    let request = reqwest::Client::new()
        .post(format!("{}/v1/password-resets", world.base()))
        .bearer_auth(world.key())
        .header("traceparent", TRACEPARENT)
        .json(&json!({ "emails": [address] }));
    let answer = request.send().await.unwrap();
    let traceparent = answer.headers()["traceparent"].to_str().unwrap().to_owned();
    let accepted: serde_json::Value = answer.json().await.unwrap();
    let batch = accepted["batch"].as_str().unwrap().parse().unwrap();
    world.until(batch, "retrying", 1).await;
    world.let_pauses_pass().await;
    world.finished(batch).await;
    (batch, traceparent)
}

/// Asserts that attempts are children of their publishes, publishes children of the intake, and that steps follow.
fn assert_attempts_hang_together(spans: &[Collected], intake: &Collected, delivery: &str) {
    let published = named(spans, "publish beckon.interactive");
    let processed = named(spans, "process beckon.interactive");
    assert_eq!((published.len(), processed.len()), (2, 2));
    for (attempt, (publish, process)) in (1..).zip(published.iter().zip(&processed)) {
        assert_eq!((publish.kind(), publish.parent()), (SpanKind::Producer, intake.id()));
        assert_eq!(publish.program, "beckon-api");
        assert_eq!((process.kind(), process.parent()), (SpanKind::Consumer, publish.id()));
        assert_eq!(process.program, "beckon-worker");
        assert_eq!(process.attribute("beckon.delivery.id"), delivery);
        assert_eq!(process.attribute("beckon.attempt"), format!("{attempt}"));
        let steps = spans.iter().filter(|one| one.parent() == process.id());
        let mut steps: Vec<_> = steps.map(|step| step.span.name.as_str()).collect();
        steps.sort_unstable();
        assert_eq!(steps, ["claim", "compose", "credential", "hash", "send", "settle"]);
    }
    assert_eq!(processed[0].links(), []);
    assert_eq!(processed[1].links(), [(TRACE.to_owned(), processed[0].id())]);
    assert!(processed[0].has_failed() && !processed[1].has_failed());
    assert_eq!(processed[0].attribute("error.type"), "throttled");
}

#[tokio::test]
async fn one_trace_from_the_request_to_the_second_reply_without_personal_data() {
    let collector = Collector::start().await.unwrap();
    World::run_with(traced_to(&collector.endpoint()), async |world| {
        let address = "451-then-ok@example.org";
        let row = format!("email,first_name,last_name\n{address},Zebedee,Quillfeather\n");
        world.import(&row).await.expect(201);

        let (batch, traceparent) = a_mail_at_the_second_try(world, address).await;
        let delivery = world.deliveries(batch).await[0]["id"].as_str().unwrap().to_owned();
        stop(world).await;

        let mut spans = collector.spans();
        spans.retain(|one| one.trace() == TRACE);
        let [asked] = named(&spans, "POST /v1/password-resets")[..] else {
            panic!("{spans:#?}")
        };
        assert_eq!((asked.kind(), asked.parent().as_str()), (SpanKind::Server, CALLER));
        assert_eq!(asked.attribute("http.response.status_code"), "202");
        assert_eq!(traceparent, format!("00-{TRACE}-{}-01", asked.id()));
        let [intake] = named(&spans, "intake")[..] else {
            panic!("{spans:#?}")
        };
        assert_eq!(intake.parent(), asked.id());
        assert_eq!(intake.attribute("beckon.batch.id"), batch.to_string());
        assert_attempts_hang_together(&spans, intake, &delivery);
        let answers: Vec<_> = named(&spans, "send")
            .iter()
            .map(|send| {
                (
                    send.kind(),
                    send.attribute("smtp.code"),
                    send.attribute("beckon.verdict"),
                )
            })
            .collect();
        let answer = |code: &str, verdict: &str| (SpanKind::Client, code.to_owned(), verdict.to_owned());
        assert_eq!(answers, [answer("451", "try_later"), answer("250", "accepted")]);
        assert_eq!(named(&spans, "send")[0].attribute("smtp.enhanced_code"), "4.7.1");

        let bytes = String::from_utf8_lossy(&collector.bytes()).into_owned();
        let mail = world.relay.mails_to(address).unwrap().remove(0);
        let secrets = [mail.header("Subject").unwrap(), mail.password().unwrap(), world.key()];
        for word in [address, "Zebedee", "Quillfeather"].into_iter().chain(secrets) {
            assert!(!bytes.contains(word), "a trace contains {word}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_a_large_batch_failures_and_a_small_sample_are_traced() {
    let collector = Collector::start().await.unwrap();
    World::run_with(traced_to(&collector.endpoint()), async |world| {
        let import = world.people(300).await;
        for refused in ["person7@example.org", "person70@example.org"] {
            world.relay.set(refused, Behaviour::from_local_part("550").unwrap());
        }

        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;
        stop(world).await;

        assert_eq!(finished["counts"]["sent"], 298, "{finished}");
        let spans = collector.spans();
        let processed = named(&spans, "process beckon.bulk");
        let (refused, sent): (Vec<_>, Vec<_>) = processed.into_iter().partition(|one| one.has_failed());
        assert_eq!(refused.len(), 2);
        let [intake] = named(&spans, "intake")[..] else {
            panic!("one batch")
        };
        assert!(refused.iter().all(|one| one.trace() == intake.trace()));
        let parents = refused.iter().map(|one| one.parent());
        let known: Vec<_> = spans.iter().map(Collected::id).collect();
        assert!(
            parents.into_iter().all(|parent| known.contains(&parent)),
            "no span is its parent"
        );
        // Three of 298 are expected; not one in a million such batches has twenty.
        assert!(sent.len() < 20, "{} of 298", sent.len());
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_does_not_answer_delays_no_mail_and_no_stop() {
    // Accepts connections but never responds.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    World::run_with(traced_to(&endpoint), async |world| {
        let import = world.people(200).await;

        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;
        world.person("ada@example.org").await;
        let one = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(one).await;
        // By then the first request to the collector has timed out.
        let losses = |logs: &str| logs.matches("Traces are lost").count();
        world
            .eventually("the API to report that traces are lost", async || {
                (losses(&world.logs()) > 0).then_some(())
            })
            .await;
        world.assert_promises_kept().await;
        stop(world).await;

        assert_eq!(finished["counts"]["sent"], 200, "{finished}");
        assert_eq!(world.relay.accepted_count(), 201);
        let logs = world.logs();
        assert!(losses(&logs) <= 2, "once a minute and program:\n{logs}");
    })
    .await;
}
