//! Several mails on one connection with one round trip each, and how a slow or broken one affects the next.

use std::collections::HashSet;
use std::sync::Mutex;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::script::reply_line;
use super::*;

fn bulk(mailer: &Mailer, recipient: &str) -> oneshot::Receiver<Answer> {
    begin(mailer, to(recipient), MESSAGE, Lane::Bulk, true)
}

/// Reads until `end` arrives and returns everything that was read.
async fn read_until(tcp: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(end.as_bytes()) {
        let read = tokio::time::timeout(Duration::from_secs(20), tcp.read_buf(&mut seen)).await;
        let read = read.unwrap_or_else(|_| panic!("waits for {end:?} after {:?}", String::from_utf8_lossy(&seen)));
        assert!(read.unwrap() > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
    }
    String::from_utf8(seen).unwrap()
}

#[tokio::test]
async fn the_next_envelope_is_pipelined_after_the_body() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    let mailer = mailer_with(&url, quick());
    let answers: Vec<_> = ["a@example.com", "b@example.com", "c@example.com"]
        .into_iter()
        .map(|recipient| bulk(&mailer, recipient))
        .collect();

    let (mut tcp, _) = listener.accept().await.unwrap();
    tcp.write_all(b"220 relay\r\n").await.unwrap();
    read_until(&mut tcp, "\r\n").await;
    tcp.write_all(b"250-relay\r\n250 PIPELINING\r\n").await.unwrap();
    read_until(&mut tcp, "DATA\r\n").await;
    let envelope = b"250 sender\r\n250 recipient\r\n354 go\r\n";
    tcp.write_all(envelope).await.unwrap();
    let first = read_until(
        &mut tcp,
        "\r\n.\r\nMAIL FROM:<beckon@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n",
    )
    .await;
    tcp.write_all(b"250 first\r\n").await.unwrap();
    tcp.write_all(envelope).await.unwrap();
    read_until(&mut tcp, "RCPT TO:<c@example.com>\r\nDATA\r\n").await;
    // The reply to the third's recipient arrives in the same packet as the answer to the second.
    tcp.write_all(b"250 second\r\n250 sender\r\n550 5.1.1 unknown\r\n554 no recipients\r\n")
        .await
        .unwrap();

    assert!(first.starts_with("Subject: Welcome"), "{first}");
    let answers: Vec<_> = join_all(answers).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        answers.iter().map(|answer| answer.reply.as_str()).collect::<Vec<_>>(),
        ["first", "second", "5.1.1 unknown"]
    );
    assert_eq!(at(&answers[2]), (refused(TroubleClass::AddressUnknown), Phase::Rcpt));
}

/// A relay that runs `act` at the dot of mails to addresses beginning with `word`.
async fn relay_with(word: &'static str, act: Act) -> Relay {
    let marked: Mutex<HashSet<usize>> = Mutex::default();
    Relay::following(move |moment| {
        let mut marked = marked.lock().unwrap();
        match moment.verb {
            "RCPT" if moment.line.contains(word) => {
                marked.insert(moment.connection);
                usual(moment)
            }
            "RCPT" => {
                marked.remove(&moment.connection);
                usual(moment)
            }
            "DOT" if marked.contains(&moment.connection) => act.clone(),
            _ => usual(moment),
        }
    })
    .await
}

#[tokio::test]
async fn a_disconnect_at_the_dot_makes_one_mail_unsure() {
    let relay = relay_with("broken", Act::Close).await;
    let mailer = mailer(&relay);
    send(&mailer, "ada@example.com").await;

    let recipients = ["a@example.com", "broken@example.com", "c@example.com", "d@example.com"];
    let answers = join_all(recipients.map(|recipient| bulk(&mailer, recipient))).await;

    let verdicts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().verdict).collect();
    let accepted = Verdict::Accepted;
    assert_eq!(verdicts, [accepted, Verdict::Unsure, accepted, accepted]);
    assert_eq!(relay.mails().len(), 5, "each body went out once");
}

#[tokio::test]
async fn a_slow_mail_delays_no_other() {
    let pause = Duration::from_secs(6);
    let relay = relay_with("slow", Act::SayLater(pause, "250 at last\r\n".to_owned())).await;
    let settings = Settings {
        connections: 3,
        ..with_deadline("DOT", Duration::from_secs(20))
    };
    let mailer = mailer_with(&relay.plain_url(), settings);
    // Fast answers first, so that envelopes are sent ahead.
    join_all((0..20).map(|_| bulk(&mailer, "ada@example.com"))).await;
    let began = Instant::now();

    let slow = bulk(&mailer, "slow@example.com");
    let others: Vec<_> = (0..40).map(|_| bulk(&mailer, "bob@example.com")).collect();
    let interactive = send(&mailer, "eve@example.com").await;
    let others = join_all(others).await;

    assert!(
        began.elapsed() + Duration::from_secs(1) < pause,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(interactive.verdict, Verdict::Accepted);
    assert!(
        others
            .into_iter()
            .all(|answer| answer.unwrap().verdict == Verdict::Accepted)
    );
    assert_eq!(slow.await.unwrap().reply, "at last");
    assert_eq!(relay.mails().len(), 62, "each body went out once");
}

#[tokio::test]
async fn an_interactive_mail_does_not_wait_for_a_dot() {
    let relay = relay_with(
        "slow",
        Act::SayLater(Duration::from_secs(3), "250 at last\r\n".to_owned()),
    )
    .await;
    let mailer = mailer_with(
        &relay.plain_url(),
        Settings {
            connections: 3,
            ..quick()
        },
    );
    join_all((0..10).map(|_| bulk(&mailer, "ada@example.com"))).await;
    let _slow = bulk(&mailer, "slow@example.com");
    until("the slow one is at its dot", || relay.mails().len() == 11).await;
    let began = Instant::now();

    for _ in 0..5 {
        assert_eq!(send(&mailer, "ada@example.com").await.verdict, Verdict::Accepted);
    }

    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_refused_mail_resets_what_it_began() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("unknown") => reply_line("550 5.1.1 no such user"),
        "DATA" if moment.mail % 2 == 1 => reply_line("554 5.5.1 no valid recipients"),
        _ => usual(moment),
    })
    .await;
    let mailer = mailer(&relay);

    let recipients = [
        "a@example.com",
        "unknown@example.com",
        "c@example.com",
        "unknown@example.com",
    ];
    let answers = join_all(recipients.map(|recipient| bulk(&mailer, recipient))).await;

    let is_sent = |answer: Answer| answer.verdict == Verdict::Accepted;
    let sent: Vec<_> = answers.into_iter().map(|answer| is_sent(answer.unwrap())).collect();
    assert_eq!(sent, [true, false, true, false]);
    assert_eq!((relay.connections(), relay.mails().len()), (1, 2));
}

/// A server that crashes with the reply to a body if the next envelope has already arrived.
#[tokio::test]
async fn a_relay_that_breaks_on_an_envelope_behind_a_body_loses_few_replies() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            tokio::spawn(crashes_on_envelopes_ahead(tcp));
        }
    });
    let settings = Settings {
        connections: 5,
        ..quick()
    };
    let mailer = mailer_with(&url, settings);
    send(&mailer, "ada@example.com").await;

    let answers = join_all((0..100).map(|n| bulk(&mailer, &format!("person{n}@example.com")))).await;

    let verdicts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().verdict).collect();
    let unsure = verdicts.iter().filter(|verdict| **verdict == Verdict::Unsure).count();
    let accepted = verdicts.iter().filter(|verdict| **verdict == Verdict::Accepted).count();
    assert_eq!((unsure, accepted), (2, 98), "{verdicts:?}");
}

async fn crashes_on_envelopes_ahead(mut tcp: TcpStream) {
    let mut seen = Vec::new();
    let mut next = "220 relay\r\n".to_owned();
    loop {
        if tcp.write_all(next.as_bytes()).await.is_err() {
            return;
        }
        seen.clear();
        next.clear();
        while next.is_empty() {
            if tcp.read_buf(&mut seen).await.unwrap_or(0) == 0 {
                return;
            }
            let text = String::from_utf8_lossy(&seen);
            if text.starts_with("EHLO") {
                "250-relay\r\n250 PIPELINING\r\n".clone_into(&mut next);
            } else if text.starts_with("QUIT") {
                return;
            } else if let Some((_, behind)) = text.split_once("\r\n.\r\n") {
                if !behind.is_empty() {
                    return;
                }
                "250 taken\r\n".clone_into(&mut next);
            } else if text.ends_with("DATA\r\n") {
                "250 sender\r\n250 recipient\r\n354 go\r\n".clone_into(&mut next);
            }
        }
    }
}
