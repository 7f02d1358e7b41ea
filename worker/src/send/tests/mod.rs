//! The mailer against a relay that follows a script, over real sockets with short deadlines.

mod breaker;
mod outcomes;
mod privacy;
mod script;
mod slots;
mod speed;
mod steps;
mod table;
mod urls;

use std::time::{Duration, Instant};

use prometheus::Registry;

use super::{Answer, Deadlines, Envelope, Mailer, Phase, RelayUrl, Settings, TroubleClass, Verdict};
use script::{Act, Moment, Relay, usual};

const MESSAGE: &[u8] = b"Subject: Welcome\r\n\r\nHello Ada\r\n";

/// Deadlines that a good relay on a busy machine keeps.
fn quick() -> Settings {
    with_deadlines(Duration::from_secs(3), Duration::from_secs(3))
}

/// Deadlines for tests that wait for them to pass.
fn hasty() -> Settings {
    with_deadlines(Duration::from_millis(250), Duration::from_millis(400))
}

fn with_deadlines(each: Duration, dot: Duration) -> Settings {
    Settings {
        deadlines: Deadlines {
            connect: each,
            greeting: each,
            ehlo: each,
            starttls: Duration::from_secs(3),
            auth: each,
            mail: each,
            rcpt: each,
            data: each,
            body: each,
            dot,
            attempt: Duration::from_secs(20),
        },
        first_probe: Duration::from_millis(20),
        longest_probe: Duration::from_millis(80),
        ..Settings::for_connections(1, "beckon.example.org")
    }
}

fn mailer_with(url: &str, settings: Settings) -> Mailer {
    Mailer::new(RelayUrl::parse(url, false).unwrap(), settings, &Registry::new()).unwrap()
}

fn mailer(relay: &Relay) -> Mailer {
    mailer_with(&relay.plain_url(), quick())
}

fn to(recipient: &str) -> Envelope {
    Envelope::new("beckon@example.org".parse().unwrap(), recipient.parse().unwrap())
}

async fn send(mailer: &Mailer, recipient: &str) -> Answer {
    mailer.send(&to(recipient), MESSAGE, &|| true).await
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let ends = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < ends, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn later(class: TroubleClass) -> Verdict {
    Verdict::TryLater { class }
}

fn refused(class: TroubleClass) -> Verdict {
    Verdict::Refused { class }
}

fn trouble(class: TroubleClass) -> Verdict {
    Verdict::RelayTrouble { class }
}

fn at(answer: &Answer) -> (Verdict, Phase) {
    (answer.verdict, answer.phase)
}
