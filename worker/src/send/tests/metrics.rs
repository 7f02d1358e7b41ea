//! The metrics of a conversation.

use super::script::reply_line;
use super::*;

#[tokio::test]
async fn metrics_match_what_happened() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("unknown") => reply_line("550 5.1.1 no"),
        _ => usual(moment),
    })
    .await;
    let registry = Registry::new();
    let mailer = shown_in(&registry, &relay.plain_url(), quick()).unwrap();
    send(&mailer, "unknown@example.com").await;
    send(&mailer, "ada@example.com").await;

    until("the connection is idle", || {
        shows(&registry, "beckon_smtp_connections{state=\"idle\"} 1")
    })
    .await;
    assert_shows(
        &registry,
        &[
            "beckon_smtp_connections{state=\"in_use\"} 0",
            "beckon_smtp_connections_max 1",
            "beckon_smtp_connection_wait_seconds_count 2",
            "beckon_smtp_connects_total{outcome=\"ok\"} 1",
            "beckon_smtp_connects_total{outcome=\"tls\"} 0",
            "beckon_smtp_phase_duration_seconds_count{phase=\"dot\"} 1",
            "beckon_smtp_replies_total{class=\"5xx\"} 1",
            "beckon_smtp_replies_total{class=\"none\"} 0",
            "beckon_relay_up 1",
        ],
    );
}

/// The metrics after one mail on a connection of its own.
async fn after_one_mail(plot: impl Fn(&Moment<'_>) -> Act + Send + Sync + 'static) -> Registry {
    let relay = Relay::following(plot).await;
    let registry = Registry::new();
    let url = format!("smtp://ada:secret@127.0.0.1:{}?tls=none", relay.port);
    let settings = Settings {
        // Keeps probes from being counted as well.
        first_probe: Duration::from_mins(5),
        longest_probe: Duration::from_mins(5),
        longest_refused_probe: Duration::from_mins(5),
        ..quick()
    };
    let mailer = shown_in(&registry, &url, settings).unwrap();
    send(&mailer, "ada@example.com").await;
    registry
}

#[tokio::test]
async fn each_step_is_timed_separately_and_each_reply_is_counted() {
    let registry = after_one_mail(|moment| match moment.verb {
        "GREETING" => Act::SayLater(Duration::from_millis(1200), "220 at last\r\n".to_owned()),
        "EHLO" => Act::Line("250-relay\r\n250 AUTH LOGIN\r\n".to_owned()),
        "AUTH" => reply_line("334 VXNlcm5hbWU6"),
        "YWRH" => reply_line("334 UGFzc3dvcmQ6"),
        "C2VJCMV0" => reply_line("235 welcome"),
        _ => usual(moment),
    })
    .await;

    assert_shows(
        &registry,
        &[
            "beckon_smtp_phase_duration_seconds_bucket{phase=\"greeting\",le=\"1\"} 0",
            "beckon_smtp_phase_duration_seconds_count{phase=\"greeting\"} 1",
            "beckon_smtp_phase_duration_seconds_bucket{phase=\"ehlo\",le=\"1\"} 1",
            "beckon_smtp_phase_duration_seconds_count{phase=\"ehlo\"} 1",
            "beckon_smtp_phase_duration_seconds_count{phase=\"auth\"} 1",
            "beckon_smtp_phase_duration_seconds_count{phase=\"dot\"} 1",
            "beckon_smtp_replies_total{class=\"2xx\"} 6",
            "beckon_smtp_replies_total{class=\"3xx\"} 3",
            "beckon_smtp_replies_total{class=\"none\"} 0",
        ],
    );
}

#[tokio::test]
async fn a_step_that_fails_is_timed_and_its_reply_counted() {
    let at_greeting = after_one_mail(|moment| match moment.verb {
        "GREETING" => Act::SayAndClose("421 too many\r\n".to_owned()),
        _ => usual(moment),
    });
    let at_ehlo = after_one_mail(|moment| match moment.verb {
        "EHLO" => Act::SayAndClose("550 not you\r\n".to_owned()),
        _ => usual(moment),
    });
    let in_silence = after_one_mail(|moment| match moment.verb {
        "GREETING" => Act::Close,
        _ => usual(moment),
    });

    for (registry, greetings, hellos, replies) in [
        (at_greeting.await, 1, 0, ["2xx\"} 0", "4xx\"} 1", "none\"} 0"]),
        (at_ehlo.await, 1, 1, ["2xx\"} 1", "5xx\"} 1", "none\"} 0"]),
        (in_silence.await, 1, 0, ["2xx\"} 0", "4xx\"} 0", "none\"} 1"]),
    ] {
        let count = |phase, count| format!("beckon_smtp_phase_duration_seconds_count{{phase=\"{phase}\"}} {count}");
        assert_shows(&registry, &[&count("greeting", greetings), &count("ehlo", hellos)]);
        let replies = replies.map(|reply| format!("beckon_smtp_replies_total{{class=\"{reply}"));
        assert_shows(&registry, &replies.each_ref().map(String::as_str));
    }
}

#[tokio::test]
async fn an_aborted_body_has_no_time_for_its_dot() {
    let relay = Relay::following(|moment| match moment.verb {
        "DATA" => Act::SayReadAndClose("354 go\r\n".to_owned(), 100_000),
        _ => usual(moment),
    })
    .await;
    let registry = Registry::new();
    let mailer = shown_in(&registry, &relay.plain_url(), quick()).unwrap();
    let message = ("x".repeat(70) + "\r\n").repeat(300_000);

    send_message(&mailer, message.as_bytes()).await;

    assert_shows(
        &registry,
        &[
            "beckon_smtp_phase_duration_seconds_count{phase=\"body\"} 1",
            "beckon_smtp_phase_duration_seconds_count{phase=\"dot\"} 0",
        ],
    );
}

fn page(registry: &Registry) -> String {
    prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap()
}

fn shows(registry: &Registry, line: &str) -> bool {
    page(registry).lines().any(|found| found == line)
}

fn assert_shows(registry: &Registry, lines: &[&str]) {
    for line in lines {
        assert!(shows(registry, line), "{line} is not in\n{}", page(registry));
    }
}
