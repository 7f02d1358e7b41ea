//! The number, choice and lifetime of connections.

use super::script::reply_line;
use super::*;

#[tokio::test]
async fn mails_share_a_connection_and_a_stop_sends_quit() {
    let relay = Relay::following(usual).await;
    let lifecycle = Lifecycle::new();
    let mailer = stoppable(&relay.plain_url(), quick(), &lifecycle);
    for _ in 0..5 {
        assert_eq!(send(&mailer, "ada@example.com").await.verdict, Verdict::Accepted);
    }
    assert_eq!((relay.connections(), relay.mails().len()), (1, 5));

    assert!(lifecycle.finished(Duration::from_secs(20)).await);

    assert_eq!((relay.count("QUIT"), relay.open()), (1, 0));
    assert_eq!(send(&mailer, "ada@example.com").await.verdict, Verdict::NotBegun);
}

#[tokio::test]
async fn there_are_never_more_connections_than_slots() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => Act::SayLater(Duration::from_millis(5), "250 ok\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer_with(
        &relay.plain_url(),
        Settings {
            connections: 3,
            ..quick()
        },
    );

    let sends = (0..30).map(|_| send(&mailer, "ada@example.com"));
    let answers = futures_util::future::join_all(sends).await;

    assert!(answers.iter().all(|answer| answer.verdict == Verdict::Accepted));
    assert_eq!(
        (relay.connections(), relay.most_open(), relay.mails().len()),
        (3, 3, 30)
    );
}

#[tokio::test]
async fn an_interactive_mail_overtakes_stuck_bulk_mails() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("bulk") => Act::Freeze,
        _ => usual(moment),
    })
    .await;
    let settings = Settings {
        connections: 3,
        ..with_deadline("RCPT", Duration::from_mins(1))
    };
    let mailer = mailer_with(&relay.plain_url(), settings);
    let stuck: Vec<_> = (0..10)
        .map(|_| {
            let mailer = mailer.clone();
            tokio::spawn(async move { send_in(Lane::Bulk, &mailer, "bulk@example.com").await })
        })
        .collect();
    until("bulk mails have all they may have", || relay.count("RCPT") == 2).await;

    for _ in 0..3 {
        let answer = tokio::time::timeout(Duration::from_secs(20), send(&mailer, "ada@example.com")).await;
        assert_eq!(answer.unwrap().verdict, Verdict::Accepted);
    }

    assert_eq!(relay.most_open(), 3);
    assert_eq!(relay.count("RCPT"), 5, "no further bulk mail took a connection");
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn bulk_mails_use_the_only_connection_if_it_is_free() {
    let relay = Relay::following(usual).await;
    let mailer = mailer(&relay);
    let (bulk, interactive) = tokio::join!(
        futures_util::future::join_all((0..5).map(|_| send_in(Lane::Bulk, &mailer, "bulk@example.com"))),
        send(&mailer, "ada@example.com"),
    );
    assert!(bulk.iter().all(|answer| answer.verdict == Verdict::Accepted));
    assert_eq!(interactive.verdict, Verdict::Accepted);
    assert_eq!(relay.most_open(), 1);
}

#[tokio::test]
async fn the_most_recent_connection_is_used_first_and_idle_ones_are_closed() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => Act::SayLater(Duration::from_millis(20), "250 ok\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let settings = Settings {
        connections: 3,
        idle_limit: Duration::from_millis(1500),
        ..quick()
    };
    let mailer = mailer_with(&relay.plain_url(), settings);
    futures_util::future::join_all((0..3).map(|_| send(&mailer, "ada@example.com"))).await;
    assert_eq!(relay.open(), 3);

    let ends = Instant::now() + Duration::from_secs(20);
    while relay.open() > 1 && Instant::now() < ends {
        send(&mailer, "ada@example.com").await;
    }

    assert_eq!((relay.open(), relay.count("QUIT"), relay.connections()), (1, 2, 3));
    until("the last one is let go", || relay.open() == 0).await;
    assert_eq!(relay.count("QUIT"), 3);
}

#[tokio::test]
async fn a_connection_past_its_maximum_age_gets_no_further_mail() {
    let relay = Relay::following(usual).await;
    let mailer = mailer_with(
        &relay.plain_url(),
        Settings {
            age_limit: Duration::from_millis(50),
            ..quick()
        },
    );
    send(&mailer, "ada@example.com").await;
    tokio::time::sleep(Duration::from_millis(60)).await;
    send(&mailer, "ada@example.com").await;
    assert_eq!(relay.connections(), 2);
    until("the old connection sent QUIT", || relay.count("QUIT") >= 1).await;
}

#[tokio::test]
async fn a_connection_that_is_closing_still_counts() {
    let relay = Relay::following(|moment| match moment.verb {
        "QUIT" => Act::SayAndCloseLater(Duration::from_millis(100), "221 bye\r\n".to_owned()),
        "DOT" => Act::SayLater(Duration::from_millis(10), "250 ok\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    for (idle_limit, age_limit) in [(300, 50), (50, 10_000)] {
        let settings = Settings {
            connections: 3,
            idle_limit: Duration::from_millis(idle_limit),
            age_limit: Duration::from_millis(age_limit),
            ..quick()
        };
        let lifecycle = Lifecycle::new();
        let mailer = stoppable(&relay.plain_url(), settings, &lifecycle);
        for _ in 0..5 {
            let answers = futures_util::future::join_all((0..9).map(|_| send(&mailer, "ada@example.com"))).await;
            assert!(answers.iter().all(|answer| answer.verdict == Verdict::Accepted));
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        assert!(lifecycle.finished(Duration::from_secs(20)).await);
        until("all are gone", || relay.open() == 0).await;
    }

    assert!(relay.count("QUIT") >= 10, "{} goodbyes", relay.count("QUIT"));
    assert_eq!(relay.most_open(), 3);
}

#[tokio::test]
async fn an_idle_connection_that_died_costs_no_attempt() {
    for (verb, act) in [
        // Closed while idle, with and without a reply.
        ("DOT", Act::SayAndClose("250 ok\r\n".to_owned())),
        (
            "DOT",
            Act::SayAndClose("250 ok\r\n421 4.4.2 idle too long\r\n".to_owned()),
        ),
        // Closed, silent or refusing when the next mail comes.
        ("MAIL", Act::Close),
        ("MAIL", Act::Freeze),
        (
            "MAIL",
            Act::SayAndClose("421 4.7.0 enough mails on this connection\r\n".to_owned()),
        ),
        ("MAIL", reply_line("what?")),
    ] {
        let context = format!("{act:?} at {verb}");
        let relay = Relay::following(move |moment| match (moment.connection, moment.verb, moment.mail) {
            (0, "DOT", 0) if verb == "DOT" => act.clone(),
            (0, "MAIL", 1) if verb == "MAIL" => act.clone(),
            _ => usual(moment),
        })
        .await;
        let mailer = mailer(&relay);

        let first = send(&mailer, "ada@example.com").await;
        let second = send(&mailer, "bob@example.com").await;

        assert_eq!(
            (first.verdict, second.verdict),
            (Verdict::Accepted, Verdict::Accepted),
            "{context}: {second:?}"
        );
        assert_eq!((relay.connections(), relay.mails().len()), (2, 2), "{context}");
        assert_eq!(mailer.relay_state(), super::super::RelayState::Up);
    }
}

/// The bug in lettre: a reply after its deadline is taken for the next mail's.
#[tokio::test]
async fn a_late_reply_belongs_to_no_mail() {
    // Concurrently, because each one waits.
    futures_util::future::join_all(["MAIL", "RCPT", "DATA", "DOT"].map(a_late_reply_at)).await;
}

async fn a_late_reply_at(verb: &'static str) {
    let relay = Relay::following(move |moment| match (moment.connection, moment.verb) {
        (0, at) if at == verb => {
            let reply = if verb == "DATA" {
                "354 go\r\n"
            } else {
                "250 2.0.0 for the first mail\r\n"
            };
            Act::SayLater(Duration::from_millis(3500), reply.to_owned())
        }
        (_, "DOT") => reply_line("550 5.7.1 rejected"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer_with(&relay.plain_url(), with_deadline(verb, Duration::from_millis(1500)));

    let first = send(&mailer, "ada@example.com").await;
    mailer.ready().await;
    let second = send(&mailer, "bob@example.com").await;
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let third = send(&mailer, "cleo@example.com").await;

    assert_eq!(
        first.verdict,
        if verb == "DOT" {
            Verdict::Unsure
        } else {
            later(TroubleClass::Timeout)
        }
    );
    for answer in [second, third] {
        assert_eq!(
            at(&answer),
            (refused(TroubleClass::Policy), Phase::Dot),
            "{verb}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn no_mail_starts_without_time_for_its_reply() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => Act::SayLater(Duration::from_secs(2), "250 ok\r\n".to_owned()),
        "RCPT" if moment.line.contains("slow") => Act::SayLater(Duration::from_secs(2), "250 ok\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let mut settings = quick();
    // The body must begin within one and a half seconds.
    settings.deadlines.dot = Duration::from_secs(4);
    settings.deadlines.attempt = Duration::from_millis(5500);
    settings.queue_limit = Duration::from_millis(500);
    let mailer = mailer_with(&relay.plain_url(), settings);

    let (first, waiting) = tokio::join!(send(&mailer, "ada@example.com"), send(&mailer, "bob@example.com"));
    let slow = send(&mailer, "slow@example.com").await;

    assert_eq!(first.verdict, Verdict::Accepted);
    assert_eq!(
        at(&waiting),
        (Verdict::NotBegun, Phase::Connect),
        "no connection became free"
    );
    assert_eq!(
        at(&slow),
        (Verdict::NotBegun, Phase::Data),
        "the relay was slow before the body"
    );
    assert_eq!(relay.mails().len(), 1);
    assert_eq!(
        mailer.relay_state(),
        super::super::RelayState::Up,
        "that was not the relay's fault"
    );
}

/// Postfix slows down after ten errors on a connection and disconnects after twenty.
#[tokio::test]
async fn a_connection_is_closed_after_five_refusals() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("unknown") => reply_line("550 5.1.1 no such user"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    for _ in 0..4 {
        send(&mailer, "unknown@example.com").await;
    }
    send(&mailer, "ada@example.com").await;
    for _ in 0..4 {
        send(&mailer, "unknown@example.com").await;
    }
    let before = relay.connections();
    for _ in 0..2 {
        send(&mailer, "unknown@example.com").await;
    }

    assert_eq!((before, relay.connections()), (1, 2));
    until("the first connection sent QUIT", || relay.count("QUIT") == 1).await;
}
