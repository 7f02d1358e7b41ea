//! When the relay is in trouble, mails are held back and single probes are sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::RelayState;
use super::script::reply_line;
use super::*;

fn is_up(mailer: &Mailer) -> bool {
    mailer.relay_state() == RelayState::Up
}

/// A relay that works normally or runs `act` at `verb`, depending on the switch.
async fn switched(verb: &'static str, act: Act) -> (Relay, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&is_well);
    let relay = Relay::following(move |moment| {
        if moment.verb == verb && !switch.load(Ordering::SeqCst) {
            act.clone()
        } else {
            usual(moment)
        }
    })
    .await;
    (relay, is_well)
}

#[tokio::test]
async fn mails_are_held_back_until_the_relay_recovers() {
    let (relay, is_well) = switched(
        "GREETING",
        Act::SayAndClose("421 4.3.2 down for an hour\r\n".to_owned()),
    )
    .await;
    let mailer = mailer(&relay);

    let first = send(&mailer, "ada@example.com").await;
    assert_eq!(at(&first), (trouble(TroubleClass::Throttled), Phase::Greeting));
    let RelayState::Down {
        reason,
        since,
        trouble: kind,
        ..
    } = mailer.relay_state()
    else {
        panic!("still up")
    };
    assert_eq!(kind, shared::trouble::WorkerTrouble::RelayAsksToWait);
    assert_eq!(reason, "421 4.3.2 down for an hour (at greeting)");
    assert!(since.elapsed() < Duration::from_secs(20));

    // Held back at once, without contacting the relay.
    for _ in 0..50 {
        let held_back = send(&mailer, "ada@example.com").await;
        assert_eq!(at(&held_back), (trouble(TroubleClass::Throttled), Phase::Connect));
        assert!(held_back.reply.contains("421 4.3.2 down for an hour"), "{held_back:?}");
    }
    assert!(relay.connections() < 10, "{} connections", relay.connections());
    let waited = tokio::time::timeout(Duration::from_millis(50), mailer.ready()).await;
    assert!(waited.is_err());

    is_well.store(true, Ordering::SeqCst);
    mailer.ready().await;
    assert!(!is_up(&mailer), "a probe alone does not decide");
    let answer = send(&mailer, "ada@example.com").await;

    assert_eq!(answer.verdict, Verdict::Accepted);
    assert!(is_up(&mailer));
    assert_eq!(
        (relay.mails().len(), relay.open()),
        (1, 1),
        "the probe's connection carried the mail"
    );
}

#[tokio::test]
async fn one_probe_at_a_time_with_growing_pauses() {
    let (relay, _) = switched("AUTH", reply_line("535 5.7.8 bad password")).await;
    let url = format!("smtp://ada:wrong@127.0.0.1:{}?tls=none", relay.port);
    let settings = Settings {
        connections: 10,
        first_probe: Duration::from_millis(20),
        longest_probe: Duration::from_millis(200),
        longest_refused_probe: Duration::from_millis(200),
        ..quick()
    };
    let mailer = mailer_with(&url, settings);

    let answers = futures_util::future::join_all((0..100).map(|_| send(&mailer, "ada@example.com"))).await;
    assert!(answers.iter().all(|answer| matches!(
        answer.verdict,
        Verdict::RelayTrouble {
            class: TroubleClass::Auth
        }
    )));
    until("those first connections are gone", || relay.open() == 0).await;
    let before = relay.connections();
    assert!(before <= 10, "{before}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    until("probes came", || relay.connections() >= before + 2).await;

    let probes = relay.connections() - before;
    assert!(probes <= 12, "{probes} probes");
    assert!(relay.most_open() <= 10);
    assert!(!is_up(&mailer));
}

#[tokio::test]
async fn one_mail_goes_first_and_the_others_wait_for_its_answer() {
    let (relay, is_well) = switched("MAIL", reply_line("550 5.7.1 sender not allowed")).await;
    let mailer = mailer_with(
        &relay.plain_url(),
        Settings {
            connections: 5,
            ..quick()
        },
    );

    // Each connection is accepted, and each first mail is refused.
    let mut refusals = 0;
    while refusals < 3 {
        mailer.ready().await;
        let answer = send(&mailer, "ada@example.com").await;
        assert!(
            matches!(
                answer.verdict,
                Verdict::RelayTrouble {
                    class: TroubleClass::SenderRefused
                }
            ),
            "{answer:?}"
        );
        refusals += usize::from(answer.phase == Phase::Mail);
    }
    assert_eq!(relay.count("MAIL"), 3);

    is_well.store(true, Ordering::SeqCst);
    mailer.ready().await;
    let answers = futures_util::future::join_all((0..20).map(|_| send(&mailer, "ada@example.com"))).await;

    assert!(
        answers.iter().all(|answer| answer.verdict == Verdict::Accepted),
        "{answers:?}"
    );
    assert!(is_up(&mailer));
}

#[tokio::test]
async fn a_relay_that_accepts_few_connections_gets_few() {
    for refusal in [
        Act::SayAndClose("421 4.7.0 too many connections from you\r\n".to_owned()),
        Act::Close,
    ] {
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        let relay = Relay::following(move |moment| match moment.verb {
            "GREETING" if moment.connection > 0 && count.fetch_add(1, Ordering::SeqCst) >= 2 => refusal.clone(),
            "DOT" => Act::SayLater(Duration::from_millis(10), "250 ok\r\n".to_owned()),
            _ => usual(moment),
        })
        .await;
        let mailer = mailer_with(
            &relay.plain_url(),
            Settings {
                connections: 8,
                ..quick()
            },
        );
        // One connection works before the others are opened.
        send(&mailer, "ada@example.com").await;

        let answers = futures_util::future::join_all((0..60).map(|_| send(&mailer, "ada@example.com"))).await;

        let sent = answers
            .iter()
            .filter(|answer| answer.verdict == Verdict::Accepted)
            .count();
        assert_eq!(sent, 60, "{answers:?}");
        assert!(is_up(&mailer));
        assert!(relay.connections() <= 8, "{}", relay.connections());
    }
}

/// The relay restarts: open connections hang, and new ones fail.
#[tokio::test]
async fn failed_connects_open_the_circuit_despite_hanging_ones() {
    for refusal in [Act::Close, Act::SayAndClose("421 4.3.2 going down\r\n".to_owned())] {
        let is_well = Arc::new(AtomicBool::new(false));
        let switch = Arc::clone(&is_well);
        let relay = Relay::following(move |moment| match moment.verb {
            "RCPT" if moment.line.contains("stuck") => Act::Freeze,
            "GREETING" if moment.connection > 0 && !switch.load(Ordering::SeqCst) => refusal.clone(),
            "DOT" => Act::SayLater(Duration::from_millis(50), "250 ok\r\n".to_owned()),
            _ => usual(moment),
        })
        .await;
        let settings = Settings {
            connections: 4,
            doubt: Duration::from_millis(100),
            ..with_deadline("RCPT", Duration::from_mins(1))
        };
        let mailer = mailer_with(&relay.plain_url(), settings);
        send(&mailer, "ada@example.com").await;
        let stuck = mailer.clone();
        let stuck = tokio::spawn(async move { send(&stuck, "stuck@example.com").await });
        until("a conversation hangs", || relay.count("RCPT") == 2).await;

        let answers = (0..30).map(|_| send(&mailer, "ada@example.com"));
        let answers = tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(answers)).await;

        assert!(!is_up(&mailer));
        for answer in answers.unwrap() {
            assert!(
                matches!(answer.verdict, Verdict::RelayTrouble { .. }) && answer.phase.is_before_mail(),
                "{answer:?}"
            );
        }

        is_well.store(true, Ordering::SeqCst);
        mailer.ready().await;
        let answers = futures_util::future::join_all((0..30).map(|_| send(&mailer, "ada@example.com"))).await;

        assert!(answers.iter().all(|answer| answer.verdict == Verdict::Accepted));
        assert_eq!(relay.open(), 4, "all connections are there again, one of them stuck");
        stuck.abort();
    }
}

#[tokio::test]
async fn one_421_between_good_replies_holds_back_no_mail() {
    let relay = Relay::following(|moment| match (moment.verb, moment.mail) {
        ("RCPT", 3) => Act::SayAndClose("421 4.3.2 this connection ends\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);
    let mut troubles = 0;
    for _ in 0..20 {
        let answer = send(&mailer, "ada@example.com").await;
        troubles += usize::from(matches!(answer.verdict, Verdict::RelayTrouble { .. }));
        assert!(is_up(&mailer));
    }
    assert_eq!((troubles, relay.mails().len()), (5, 15));
}

#[tokio::test]
async fn three_failures_in_a_row_open_the_circuit() {
    let (relay, is_well) = switched("RCPT", Act::SayAndClose("421 4.3.2 going down\r\n".to_owned())).await;
    is_well.store(true, Ordering::SeqCst);
    let mailer = mailer(&relay);
    send(&mailer, "ada@example.com").await;
    is_well.store(false, Ordering::SeqCst);

    for expected_up in [true, true, false] {
        send(&mailer, "ada@example.com").await;
        assert_eq!(is_up(&mailer), expected_up);
    }
}

#[tokio::test]
async fn trouble_of_the_relay_is_described_without_an_address() {
    let words = "421 4.3.2 <ada@example.com> closing\r\n".to_owned();
    let (relay, _) = switched("RCPT", Act::SayAndClose(words)).await;
    let mailer = mailer(&relay);

    let first = send(&mailer, "ada@example.com").await;
    // It may be trouble of the domain until other domains have it too.
    for domain in ["example.net", "example.org"] {
        send(&mailer, &format!("ada@{domain}")).await;
    }
    let held_back = send(&mailer, "bob@example.com").await;

    assert!(first.reply.contains("ada@example.com"), "{first:?}");
    let RelayState::Down { reason, .. } = mailer.relay_state() else {
        panic!("still up")
    };
    assert_eq!(reason, "421 4.3.2 (throttled, at rcpt)");
    assert_eq!(at(&held_back), (trouble(TroubleClass::Throttled), Phase::Connect));
    assert!(held_back.reply.contains("421 4.3.2 (throttled"), "{held_back:?}");
    assert!(!held_back.reply.contains("ada"), "{held_back:?}");
}

#[tokio::test]
async fn a_recovery_of_the_relay_is_detected_without_mail() {
    let (relay, is_well) = switched("GREETING", Act::Close).await;
    let mailer = mailer(&relay);
    send(&mailer, "ada@example.com").await;
    is_well.store(true, Ordering::SeqCst);
    until("the probe was let in", || relay.count("EHLO") >= 1).await;
    let before = relay.connections();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(relay.connections(), before, "no probe follows a good one");
}

#[tokio::test]
async fn a_used_up_quota_is_probed_at_once_on_request() {
    let (relay, is_well) = switched("DOT", reply_line("550 5.4.5 Daily user sending quota exceeded")).await;
    let settings = Settings {
        first_probe: Duration::from_hours(1),
        longest_quota_probe: Duration::from_hours(1),
        ..quick()
    };
    let mailer = mailer_with(&relay.plain_url(), settings);
    let refused = send(&mailer, "ada@example.com").await;
    assert_eq!(at(&refused), (trouble(TroubleClass::Quota), Phase::Dot));
    is_well.store(true, Ordering::SeqCst);
    let waited = tokio::time::timeout(Duration::from_millis(300), mailer.ready()).await;
    assert!(waited.is_err(), "the pause is an hour");

    mailer.probe_now();
    until("the relay is probed", || mailer.is_ready()).await;
    let answer = send(&mailer, "ada@example.com").await;

    assert_eq!(answer.verdict, Verdict::Accepted);
    assert!(is_up(&mailer));
}

#[tokio::test]
async fn a_relay_that_is_silent_after_the_dot_makes_few_mails_unsure() {
    let (relay, is_well) = switched("DOT", Act::Close).await;
    is_well.store(true, Ordering::SeqCst);
    let mailer = mailer(&relay);
    send(&mailer, "ada@example.com").await;
    is_well.store(false, Ordering::SeqCst);

    let mut unsure = 0;
    for _ in 0..100 {
        unsure += usize::from(send(&mailer, "ada@example.com").await.verdict == Verdict::Unsure);
    }

    // Three that open the circuit, and the few that go first after a probe.
    assert!((3..10).contains(&unsure), "{unsure}");
    assert!(!is_up(&mailer));
}

/// The first mails that the relay is offered are to twenty users of an unreachable domain.
#[tokio::test]
async fn a_relay_is_not_judged_by_one_domain() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("away.example") => Act::SayAndClose("421 4.3.2 try later\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    let away = send(&mailer, "bob@away.example").await;
    let was_up = is_up(&mailer);
    let set_aside = send(&mailer, "eve@away.example").await;
    let healthy = send(&mailer, "ada@example.com").await;

    assert_eq!(at(&away), (trouble(TroubleClass::Throttled), Phase::Rcpt));
    assert!(!was_up, "nothing has gone well yet");
    assert_eq!(at(&set_aside), (Verdict::NotBegun, Phase::Connect));
    assert!(
        set_aside
            .retry_after
            .is_some_and(|after| after <= Duration::from_secs(5)),
        "{set_aside:?}"
    );
    assert_eq!(healthy.verdict, Verdict::Accepted);
    assert!(is_up(&mailer));
    assert_eq!(relay.count("RCPT"), 2);
}
