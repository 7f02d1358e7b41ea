use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::{Behaviour, HangUp, Keep, Limit, Login, Mode, Relay, Script, Step, Transaction};

const SOON: Duration = Duration::from_secs(5);
const MAIL: &str = "From: Beckon <noreply@beckon.example>\r\nTo: ada@example.org\r\n\
    Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <m1@beckon.example>\r\n\
    X-Beckon-Delivery: d1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
    Welcome.\r\n\r\nPassword:\r\n  k7-pq9\r\n\r\n..A line with a dot.\r\n.\r\n";

/// A client that sends the given lines.
struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(relay: &Relay) -> Self {
        Self(BufReader::new(TcpStream::connect(relay.address()).await.unwrap()))
    }

    /// Connects and sends EHLO.
    async fn greet(relay: &Relay) -> Self {
        let mut client = Self::connect(relay).await;
        assert!(client.reply().await.starts_with("220 "));
        client.ask("EHLO test").await;
        client
    }

    async fn write(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// The last line of the next reply; empty when the relay closed the connection.
    async fn reply(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            // A reset counts as an end, like an orderly close.
            let read = tokio::time::timeout(SOON, read).await.unwrap();
            if read.is_err() || line.is_empty() {
                return String::new();
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.trim_end().to_owned();
            }
        }
    }

    async fn ask(&mut self, line: &str) -> String {
        self.write(&format!("{line}\r\n")).await;
        self.reply().await
    }

    /// Sends a mail one command at a time and returns the last reply.
    async fn mail(&mut self, recipient: &str) -> String {
        self.ask("MAIL FROM:<noreply@beckon.example>").await;
        let reply = self.ask(&format!("RCPT TO:<{recipient}>")).await;
        if !reply.starts_with("250") {
            self.ask("RSET").await;
            return reply;
        }
        let reply = self.ask("DATA").await;
        if !reply.starts_with("354") {
            return reply;
        }
        self.write(MAIL).await;
        self.reply().await
    }
}

/// Sends one mail on a connection of its own and returns the reply and its transaction from the log.
async fn send(relay: &Relay, recipient: &str) -> (String, Transaction) {
    let before = relay.log().len();
    let reply = Client::greet(relay).await.mail(recipient).await;
    let settled = |counts: &super::Counts| counts.accepted + counts.refused > before;
    relay.wait_until("an outcome", SOON, settled).await.unwrap();
    (reply, relay.log().remove(before))
}

#[tokio::test]
async fn an_accepted_mail_is_in_its_mailbox() {
    let relay = Relay::start(Script::default()).await.unwrap();

    let (reply, transaction) = send(&relay, "ada@example.org").await;

    assert_eq!(reply, "250 2.0.0 taken");
    assert!(transaction.kept && transaction.reply_written);
    assert_eq!(transaction.connection, 1);
    assert_eq!(transaction.message_id.as_deref(), Some("<m1@beckon.example>"));
    assert_eq!(transaction.delivery.as_deref(), Some("d1"));
    let mails = relay.mails_to("Ada@example.org").unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].subject, "Grüße");
    assert_eq!(mails[0].from, "noreply@beckon.example");
    assert_eq!(mails[0].to, ["ada@example.org"]);
    assert_eq!(mails[0].header("message-id"), Some("<m1@beckon.example>"));
    assert_eq!(mails[0].password(), Some("k7-pq9"));
    assert!(mails[0].text.contains("\n.A line"));
    assert_eq!(mails[0].html, "");
}

#[tokio::test]
async fn local_parts_select_the_behaviour() {
    let relay = Relay::start(Script::default()).await.unwrap();
    let long = format!("250 {}", "x".repeat(64 * 1024));
    // (local part, last reply the client got, kept, written, step)
    for (local_part, reply, kept, written, step) in [
        (
            "451-then-ok-2",
            "451 4.7.1 greylisted, try again later",
            false,
            true,
            Step::Rcpt,
        ),
        (
            "451-then-ok-2",
            "451 4.7.1 greylisted, try again later",
            false,
            true,
            Step::Rcpt,
        ),
        ("451-then-ok-2", "250 2.0.0 taken", true, true, Step::Dot),
        ("550+ada", "550 5.1.1 no such user", false, true, Step::Rcpt),
        ("552-after-dot", "552 5.2.2 mailbox full", false, true, Step::Dot),
        (
            "554-after-dot",
            "554 5.7.1 message refused as spam",
            false,
            true,
            Step::Dot,
        ),
        ("drop-before-data", "", false, false, Step::Data),
        ("drop-in-data", "", false, false, Step::Data),
        ("drop-after-dot-lost", "", false, false, Step::Dot),
        ("drop-after-dot", "", true, false, Step::Dot),
        ("slow-dot-30ms", "250 2.0.0 taken", true, true, Step::Dot),
        (
            "421-at-dot",
            "421 4.3.2 service not available, closing channel",
            false,
            true,
            Step::Dot,
        ),
        ("garbage", "\u{7}ok then?!", false, true, Step::Dot),
        ("bare250", "250", true, true, Step::Dot),
        ("huge-reply", long.as_str(), true, true, Step::Dot),
    ] {
        let (got, transaction) = send(&relay, &format!("{local_part}@example.org")).await;

        assert_eq!(got, reply, "{local_part}");
        assert_eq!(transaction.kept, kept, "{local_part}");
        assert_eq!(transaction.reply_written, written, "{local_part}");
        assert_eq!(transaction.step, step, "{local_part}");
    }
}

#[tokio::test]
async fn a_client_that_disconnects_during_a_slow_reply_did_not_receive_it() {
    let relay = Relay::start(Script::default()).await.unwrap();
    for (local_part, kept) in [
        ("slow-dot-60s", true),
        ("trickle", true),
        ("multiline", false),
        ("354-never", false),
    ] {
        let before = relay.log().len();
        let mut client = Client::greet(&relay).await;
        let recipient = format!("{local_part}@example.org");
        let attempt = tokio::time::timeout(Duration::from_millis(200), client.mail(&recipient));
        assert!(attempt.await.is_err(), "{local_part} answered");
        drop(client);

        let settled = |counts: &super::Counts| counts.accepted + counts.refused > before;
        relay.wait_until("an outcome", SOON, settled).await.unwrap();
        let transaction = relay.log().remove(before);
        assert_eq!((transaction.kept, transaction.reply_written), (kept, false));
    }
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_one_write() {
    let relay = Relay::start(Script::default()).await.unwrap();
    let mut client = Client::greet(&relay).await;
    let envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<550@c.example>\r\n\
        RCPT TO:<ok@c.example>\r\nRCPT TO:<too@c.example>\r\nDATA\r\n";

    client.write(envelope).await;

    let mut replies = [0; 512];
    let length = client.0.get_mut().read(&mut replies).await.unwrap();
    let replies = std::str::from_utf8(&replies[..length]).unwrap();
    let codes: Vec<&str> = replies.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["250", "550", "250", "250", "354"]);
    client.write(&format!("{MAIL}QUIT\r\n")).await;
    assert!(client.reply().await.starts_with("250"));
    assert!(client.reply().await.starts_with("221"));
    let counts = relay.wait_for(2, SOON).await.unwrap();
    assert_eq!((counts.accepted, counts.refused, counts.dots), (2, 1, 1));
}

#[tokio::test]
async fn rules_change_while_it_runs() {
    let relay = Relay::start(Script {
        default: Behaviour::no_such_user(),
        ..Script::default()
    })
    .await
    .unwrap();
    let mut client = Client::greet(&relay).await;

    assert!(client.mail("a@x.example").await.starts_with("550"));
    relay.set_default(Behaviour::closing(Step::Rcpt));
    relay.set_where(|to| to.ends_with("@x.example"), Behaviour::Accept);
    assert!(client.mail("a@x.example").await.starts_with("250"));
    relay.set("A@x.example", Behaviour::answer(Step::Rcpt, "452 4.2.2 full"));
    assert!(client.mail("a@x.example").await.starts_with("452"));
    relay.set("b@x.example", Behaviour::HangUp(HangUp::BeforeData));
    assert_eq!(client.mail("b@x.example").await, "");
    let mut client = Client::greet(&relay).await;
    client.ask("MAIL FROM:<s@t.example>").await;
    assert!(client.ask("RCPT TO:<c@y.example>").await.starts_with("421"));
    assert_eq!(client.reply().await, "");
}

#[tokio::test]
async fn the_whole_relay_can_be_faulty() {
    let relay = Relay::start(Script::default()).await.unwrap();

    relay.set_mode(Mode::Greets("554 5.3.2 no service for you".into()));
    let mut client = Client::connect(&relay).await;
    assert!(client.reply().await.starts_with("554 "));
    assert_eq!(client.reply().await, "");
    relay.set_mode(Mode::NeverGreets);
    let mut silent = Client::connect(&relay).await;
    let wait = tokio::time::timeout(Duration::from_millis(100), silent.reply());
    assert!(wait.await.is_err());
    relay.hang_up();
    assert_eq!(silent.reply().await, "");
    relay.set_mode(Mode::Normal);
    let mut client = Client::greet(&relay).await;
    relay.set_mode(Mode::RefusesSender);
    assert!(client.ask("MAIL FROM:<a@b.example>").await.starts_with("550 5.7.1"));
    relay.set_mode(Mode::Busy);
    assert!(client.ask("MAIL FROM:<a@b.example>").await.starts_with("451"));

    relay.pause_listening().await;
    assert!(TcpStream::connect(relay.address()).await.is_err());
    assert!(client.ask("NOOP").await.starts_with("250"));
    relay.resume_listening().await.unwrap();
    relay.set_mode(Mode::Normal);
    Client::greet(&relay).await;
}

#[tokio::test]
async fn only_authenticated_clients_may_send() {
    let relay = Relay::start(Script {
        login: Some(Login {
            user: "beckon".to_owned(),
            password: "secret".to_owned(),
        }),
        keep: Keep::Counts,
        ..Script::default()
    })
    .await
    .unwrap();
    let mut client = Client::greet(&relay).await;

    assert!(client.ask("MAIL FROM:<a@b.example>").await.starts_with("530"));
    // \0beckon\0wrong, and \0beckon\0secret
    assert!(client.ask("AUTH PLAIN AGJlY2tvbgB3cm9uZw==").await.starts_with("535"));
    assert!(client.ask("AUTH PLAIN").await.starts_with("334"));
    assert!(client.ask("AGJlY2tvbgBzZWNyZXQ=").await.starts_with("235"));
    assert!(client.mail("ada@example.org").await.starts_with("250"));
    let mut client = Client::greet(&relay).await;
    assert!(client.ask("AUTH LOGIN").await.starts_with("334"));
    assert!(client.ask("YmVja29u").await.starts_with("334"));
    relay.set_mode(Mode::RefusesLogin);
    assert!(client.ask("c2VjcmV0").await.starts_with("535"));

    let accepted: Vec<bool> = relay.logins().iter().map(|login| login.is_accepted).collect();
    assert_eq!(accepted, [false, true, false]);
    assert!(relay.logins().iter().all(|login| !login.is_encrypted));
    assert_eq!(relay.accepted_count(), 1);
    assert!(relay.log().is_empty());
}

#[tokio::test]
async fn several_limits_apply_at_once_and_greylisting_ends() {
    let relay = Relay::start(Script::default()).await.unwrap();
    let wait = Duration::from_secs(1);
    relay.set_where(|address| address.ends_with("@grey.example"), Behaviour::Greylist(wait));
    relay.set_limits(vec![Limit::per_day(3, "454 4.7.0 quota"), Limit::per_second(2)]);
    let mut client = Client::greet(&relay).await;

    assert!(client.mail("ada@grey.example").await.starts_with("451 4.7.1"));
    for reply in ["250", "250", "454 throttled"] {
        assert!(client.mail("ada@example.org").await.starts_with(reply), "{reply}");
    }
    tokio::time::sleep(wait).await;
    for (recipient, reply) in [
        ("ada@grey.example", "250"),
        ("grace@grey.example", "451 4.7.1"),
        ("ada@example.org", "454 4.7.0 quota"),
    ] {
        assert!(client.mail(recipient).await.starts_with(reply), "{recipient}");
    }
    assert_eq!(relay.accepted_count(), 3);
}

#[tokio::test]
async fn connections_beyond_the_most_are_turned_away() {
    let script = Script {
        max_connections: 1,
        ..Script::default()
    };
    let relay = Relay::start(script).await.unwrap();
    let first = Client::greet(&relay).await;

    assert!(Client::connect(&relay).await.reply().await.starts_with("421 "));
    drop(first);
    relay
        .wait_until("no open connection", SOON, |counts| counts.open == 0)
        .await
        .unwrap();
    assert!(Client::connect(&relay).await.reply().await.starts_with("220 "));
    assert_eq!(relay.counts().turned_away, 1);
}
