//! When the process stops, bodies that have begun are completed and no other begins.

use super::*;

fn sent(mailer: &Mailer, recipient: &'static str) -> tokio::task::JoinHandle<Answer> {
    let mailer = mailer.clone();
    tokio::spawn(async move { send(&mailer, recipient).await })
}

/// Returns long before any deadline.
async fn soon(task: tokio::task::JoinHandle<Answer>) -> Answer {
    let answer = tokio::time::timeout(Duration::from_secs(20), task).await;
    answer.expect("the mail is notified of the stop").unwrap()
}

fn patient() -> Settings {
    let mut settings = with_deadline("DOT", Duration::from_mins(1));
    settings.deadlines.attempt = Duration::from_mins(5);
    settings
}

#[tokio::test]
async fn at_a_stop_a_started_body_completes_and_waiting_mails_are_given_back() {
    let relay = Relay::following(|moment| match moment.verb {
        "DOT" => Act::SayLater(Duration::from_secs(2), "250 2.0.0 at last\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let lifecycle = Lifecycle::new();
    let mailer = stoppable(&relay.plain_url(), patient(), &lifecycle);
    let begun = sent(&mailer, "ada@example.com");
    until("the body is out", || relay.mails().len() == 1).await;
    let waiting = sent(&mailer, "bob@example.com");
    tokio::task::yield_now().await;

    lifecycle.stopping().cancel();

    assert_eq!(soon(waiting).await.verdict, Verdict::NotBegun);
    assert_eq!(send(&mailer, "cleo@example.com").await.verdict, Verdict::NotBegun);
    assert!(!begun.is_finished());
    assert_eq!(soon(begun).await.verdict, Verdict::Accepted);
    assert_eq!(relay.mails().len(), 1);
}

#[tokio::test]
async fn no_step_before_the_body_lasts_longer_than_a_stop() {
    for verb in ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"] {
        let relay = Relay::following(move |moment| match moment.verb {
            at if at == verb => Act::Freeze,
            _ => usual(moment),
        })
        .await;
        let lifecycle = Lifecycle::new();
        let mut settings = patient();
        let each = Duration::from_mins(1);
        let deadlines = &mut settings.deadlines;
        (deadlines.greeting, deadlines.ehlo) = (each, each);
        (deadlines.mail, deadlines.rcpt, deadlines.data) = (each, each, each);
        let mailer = stoppable(&relay.plain_url(), settings, &lifecycle);
        let begun = sent(&mailer, "ada@example.com");
        until("the relay is at that step", || match verb {
            "GREETING" => relay.connections() == 1,
            _ => relay.count(verb) == 1,
        })
        .await;

        lifecycle.stopping().cancel();

        let answer = soon(begun).await;
        assert_eq!(answer.verdict, Verdict::NotBegun, "{verb}: {answer:?}");
        assert_eq!(mailer.relay_state(), super::super::RelayState::Up, "{verb}");
    }
}

#[tokio::test]
async fn a_stop_at_the_last_moment_prevents_the_body() {
    let lifecycle = Lifecycle::new();
    let stop = lifecycle.clone();
    let relay = Relay::following(move |moment| {
        if moment.verb == "DATA" {
            // The 354 and the stop arrive at the same time.
            stop.stopping().cancel();
        }
        usual(moment)
    })
    .await;
    let mailer = stoppable(&relay.plain_url(), quick(), &lifecycle);

    let answer = send(&mailer, "ada@example.com").await;

    assert_eq!(answer.verdict, Verdict::NotBegun);
    until("the connection is closed", || relay.open() == 0).await;
    assert_eq!(relay.mails().len(), 0);
}

#[tokio::test]
async fn a_mail_that_waits_after_an_outage_is_given_back_at_a_stop() {
    let relay = Relay::following(|moment| match (moment.connection, moment.verb) {
        (0, "GREETING") => Act::SayAndClose("421 not yet\r\n".to_owned()),
        (_, "DOT") => Act::SayLater(Duration::from_secs(2), "250 2.0.0 at last\r\n".to_owned()),
        _ => usual(moment),
    })
    .await;
    let lifecycle = Lifecycle::new();
    let mailer = stoppable(&relay.plain_url(), patient(), &lifecycle);
    send(&mailer, "ada@example.com").await;
    mailer.ready().await;
    let first = sent(&mailer, "ada@example.com");
    until("one mail goes first", || relay.mails().len() == 1).await;
    let waiting = sent(&mailer, "bob@example.com");
    tokio::task::yield_now().await;

    lifecycle.stopping().cancel();

    assert_eq!(soon(waiting).await.verdict, Verdict::NotBegun);
    assert!(!first.is_finished());
    assert_eq!(soon(first).await.verdict, Verdict::Accepted);
}
