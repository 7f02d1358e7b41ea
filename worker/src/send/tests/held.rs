//! Refusals of unclear scope are held until answers to other mails show their scope.

use super::script::reply_line;
use super::*;

fn bulk(mailer: &Mailer, recipient: &str) -> oneshot::Receiver<Answer> {
    begin(mailer, to(recipient), MESSAGE, Lane::Bulk, true)
}

async fn answers(waiting: Vec<oneshot::Receiver<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for answer in waiting {
        answers.push(answer.await.unwrap());
    }
    answers
}

fn with_hold(relay: &Relay) -> Mailer {
    let settings = Settings {
        hold_alone: Duration::from_secs(1),
        ..quick()
    };
    mailer_with(&relay.plain_url(), settings)
}

#[tokio::test]
async fn the_same_reply_to_all_recipients_fails_no_mail_and_sets_the_batch_aside() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => reply_line("554 not verified"),
        _ => usual(moment),
    })
    .await;
    let mailer = with_hold(&relay);

    let waiting = (0..30)
        .map(|n| bulk(&mailer, &format!("person{n}@example.com")))
        .collect();
    let answers = answers(waiting).await;
    let reports = mailer.take_account_refusals();

    for answer in &answers {
        let is_spared = matches!(answer.verdict, Verdict::RelayTrouble { .. } | Verdict::NotBegun);
        assert!(is_spared && answer.retry_after.is_some(), "{answer:?}");
    }
    assert!(
        relay.count("DOT") <= 13 && relay.mails().len() <= 13,
        "{}",
        relay.mails().len()
    );
    assert_eq!(reports.len(), 1, "{reports:?}");
    let report = &reports[0];
    assert!(report.is_everybodys && report.affected >= 10, "{report:?}");
    assert_eq!((report.code, report.words.as_str()), (Some(554), "not verified"));
}

#[tokio::test]
async fn interactive_mails_are_set_aside_together_when_the_relay_refuses_our_account() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => reply_line("554 5.2.0 submission quota exceeded"),
        _ => usual(moment),
    })
    .await;
    let mailer = with_hold(&relay);
    let waiting = (0..30)
        .map(|n| {
            begin(
                &mailer,
                to(&format!("person{n}@example.com")),
                MESSAGE,
                Lane::Interactive,
                true,
            )
        })
        .collect();

    let answers = answers(waiting).await;
    let probes = relay.count("DOT");
    let later = send(&mailer, "ada@example.com").await;

    for answer in &answers {
        let is_spared = matches!(answer.verdict, Verdict::RelayTrouble { .. } | Verdict::NotBegun);
        assert!(is_spared && answer.retry_after.is_some(), "{answer:?}");
    }
    assert!(probes <= 13, "{probes}");
    assert_eq!((later.verdict, relay.count("DOT")), (Verdict::NotBegun, probes));
    assert!(later.retry_after.is_some(), "{later:?}");
}

#[tokio::test]
async fn a_single_refusal_is_attributed_to_its_recipient_after_a_moment() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("eve") => reply_line("550 no"),
        _ => usual(moment),
    })
    .await;
    let mailer = with_hold(&relay);
    let began = Instant::now();

    let refused_one = bulk(&mailer, "eve@example.com");
    let others = (0..5)
        .map(|n| bulk(&mailer, &format!("person{n}@example.com")))
        .collect();

    assert!(
        answers(others)
            .await
            .iter()
            .all(|answer| answer.verdict == Verdict::Accepted)
    );
    assert_eq!(refused_one.await.unwrap().verdict, refused(TroubleClass::Refused));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(mailer.take_account_refusals().is_empty());
}

#[tokio::test]
async fn a_stop_gives_back_held_mails() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" => reply_line("550 no"),
        _ => usual(moment),
    })
    .await;
    let lifecycle = Lifecycle::new();
    let settings = Settings {
        hold_alone: Duration::from_mins(1),
        ..quick()
    };
    let mailer = stoppable(&relay.plain_url(), settings, &lifecycle);
    let kept = bulk(&mailer, "ada@example.com");
    until("it was refused", || relay.count("RCPT") == 1).await;

    assert!(lifecycle.finished(Duration::from_secs(20)).await);

    let answer = kept.await.unwrap();
    assert!(matches!(answer.verdict, Verdict::RelayTrouble { .. }), "{answer:?}");
    assert!(answer.retry_after.is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_rate_limit_at_the_dot_costs_few_transactions_and_no_attempt() {
    let taken = std::sync::Arc::new(std::sync::Mutex::new(Vec::<Instant>::new()));
    let relay = Relay::following(move |moment| {
        if moment.verb != "DOT" {
            return usual(moment);
        }
        let (now, mut taken) = (Instant::now(), taken.lock().unwrap());
        let recent = taken
            .iter()
            .filter(|at| now.duration_since(**at) < Duration::from_secs(1))
            .count();
        if recent >= 20 {
            return reply_line("454 throttled");
        }
        taken.push(now);
        usual(moment)
    })
    .await;
    let settings = Settings {
        connections: 5,
        ..quick()
    };
    let mailer = mailer_with(&relay.plain_url(), settings);

    let waiting = (0..60)
        .map(|n| bulk(&mailer, &format!("person{n}@example.com")))
        .collect();
    let answers = answers(waiting).await;

    let slowed = answers
        .iter()
        .filter(|answer| answer.verdict == slow_down(TroubleClass::Throttled))
        .count();
    let sent = answers
        .iter()
        .filter(|answer| answer.verdict == Verdict::Accepted)
        .count();
    assert_eq!(slowed + sent, 60, "{answers:?}");
    assert!(slowed <= 15, "{slowed} were throttled");
    assert!(
        mailer.rate_limit().is_some_and(|rate| (5.0..25.0).contains(&rate)),
        "{:?}",
        mailer.rate_limit()
    );
}

#[tokio::test]
async fn greylisting_is_no_rate_limit_even_if_it_accepts_second_attempts() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("new") => reply_line("450 4.2.0 greylisted"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    for n in 0..5 {
        let second = begin_again(&mailer, &format!("known{n}@example.com"));
        assert_eq!(second.await.unwrap().verdict, Verdict::Accepted);
    }
    let waiting = (0..20).map(|n| bulk(&mailer, &format!("new{n}@example.com"))).collect();

    for answer in answers(waiting).await {
        assert_eq!(answer.verdict, later(TroubleClass::Throttled), "{answer:?}");
    }
    assert_eq!(mailer.rate_limit(), None);
}

/// Submission services refuse every recipient of a client that has not logged in, in words about anything else.
#[tokio::test]
async fn a_refusal_of_all_recipients_without_the_offered_login_demands_it() {
    for (words, is_offered, class) in [
        ("554 5.7.1 Client host rejected", true, TroubleClass::Auth),
        ("554 5.7.1 Client host rejected", false, TroubleClass::Policy),
        ("454 4.7.1 Relay access denied", true, TroubleClass::Auth),
        ("454 4.7.1 Relay access denied", false, TroubleClass::RelayingDenied),
    ] {
        let relay = Relay::following(move |moment| match moment.verb {
            "EHLO" if is_offered => Act::Line("250-relay\r\n250 AUTH PLAIN LOGIN\r\n".to_owned()),
            "EHLO" => Act::Line("250 relay\r\n".to_owned()),
            "RCPT" => reply_line(words),
            _ => usual(moment),
        })
        .await;
        let mailer = with_hold(&relay);

        let waiting = (0..12)
            .map(|n| bulk(&mailer, &format!("person{n}@example.com")))
            .collect();
        let answers = answers(waiting).await;
        let reports = mailer.take_account_refusals();

        assert_eq!(
            reports.first().map(|report| report.class),
            Some(class),
            "{words}: {reports:?}"
        );
        assert!(
            answers
                .iter()
                .all(|answer| !matches!(answer.verdict, Verdict::Refused { .. })),
            "{words}: {answers:?}"
        );
    }
}
