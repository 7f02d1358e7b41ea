//! The mailer against a scripted relay, over real sockets with short deadlines.

mod admission;
mod breaker;
mod held;
mod metrics;
mod outcomes;
mod pipelining;
mod privacy;
mod replies;
mod script;
mod slots;
mod speed;
mod steps;
mod stop;
mod table;
mod urls;

use std::time::{Duration, Instant};

use prometheus::Registry;
use shared::batch::Lane;
use shared::lifecycle::Lifecycle;

use super::{Answer, Deadlines, Envelope, MailerError, Phase, RelayUrl, Settings, Shipment, TroubleClass, Verdict};
use script::{Act, Moment, Relay, usual};
use tokio::sync::oneshot;

type Mailer = super::Mailer<TestMail>;

/// A mail that a test waits for.
struct TestMail {
    envelope: Envelope,
    wire: Vec<u8>,
    lane: Lane,
    batch: uuid::Uuid,
    is_first_attempt: bool,
    may_start_body: bool,
    answer: oneshot::Sender<Answer>,
}

impl Shipment for TestMail {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn wire(&self) -> &[u8] {
        &self.wire
    }

    fn size(&self) -> usize {
        self.wire.len() - 3
    }

    fn lane(&self) -> Lane {
        self.lane
    }

    fn batch(&self) -> uuid::Uuid {
        self.batch
    }

    fn is_first_attempt(&self) -> bool {
        self.is_first_attempt
    }

    fn take_permit(&mut self) -> Option<super::Permit> {
        None
    }

    fn may_start_body(&self) -> bool {
        self.may_start_body
    }

    fn finish(self, answer: Answer) {
        // The test may no longer wait for it.
        let _ = self.answer.send(answer);
    }
}

const MESSAGE: &[u8] = b"Subject: Welcome\r\n\r\nHello Ada\r\n";

/// Deadlines that a healthy relay meets even if the machine stalls for some seconds.
fn quick() -> Settings {
    let each = Duration::from_secs(5);
    Settings {
        deadlines: Deadlines {
            connect: each,
            greeting: each,
            ehlo: each,
            starttls: each,
            auth: each,
            mail: each,
            rcpt: each,
            data: each,
            body: each,
            dot: each,
            attempt: Duration::from_secs(30),
        },
        queue_limit: Duration::from_secs(20),
        hold_alone: Duration::from_millis(20),
        first_probe: Duration::from_millis(20),
        longest_probe: Duration::from_millis(80),
        longest_refused_probe: Duration::from_millis(80),
        ..Settings::for_connections(1, "beckon.example.org")
    }
}

/// The same with a short deadline for one step, for tests in which the relay falls silent there. The other
/// deadlines stay long, so that a stall of the machine is not taken for silence.
fn with_deadline(verb: &str, deadline: Duration) -> Settings {
    let mut settings = quick();
    let deadlines = &mut settings.deadlines;
    match verb {
        "GREETING" => deadlines.greeting = deadline,
        "EHLO" => deadlines.ehlo = deadline,
        "STARTTLS" => deadlines.starttls = deadline,
        "AUTH" => deadlines.auth = deadline,
        "MAIL" => deadlines.mail = deadline,
        "RCPT" => deadlines.rcpt = deadline,
        "DATA" => deadlines.data = deadline,
        "BODY" => deadlines.body = deadline,
        // The dot's deadline starts after the body's has passed.
        "DOT" => (deadlines.body, deadlines.dot) = (deadline, deadline),
        _ => panic!("{verb} has no deadline"),
    }
    settings
}

/// Shortens the deadline only if the relay falls silent.
fn waiting_for(verb: &str, act: &Act) -> Settings {
    if act.is_silent() {
        with_deadline(verb, Duration::from_millis(250))
    } else {
        quick()
    }
}

fn mailer_with(url: &str, settings: Settings) -> Mailer {
    stoppable(url, settings, &Lifecycle::new())
}

fn stoppable(url: &str, settings: Settings, lifecycle: &Lifecycle) -> Mailer {
    let url = RelayUrl::parse(url, false).unwrap();
    Mailer::new(url, settings, &Registry::new(), lifecycle.clone()).unwrap()
}

fn shown_in(registry: &Registry, url: &str, settings: Settings) -> Result<Mailer, MailerError> {
    let url = RelayUrl::parse(url, false).unwrap();
    Mailer::new(url, settings, registry, Lifecycle::new())
}

fn mailer(relay: &Relay) -> Mailer {
    mailer_with(&relay.plain_url(), quick())
}

fn to(recipient: &str) -> Envelope {
    Envelope::new("beckon@example.org".parse().unwrap(), recipient.parse().unwrap())
}

async fn send(mailer: &Mailer, recipient: &str) -> Answer {
    send_in(Lane::Interactive, mailer, recipient).await
}

async fn send_in(lane: Lane, mailer: &Mailer, recipient: &str) -> Answer {
    begin(mailer, to(recipient), MESSAGE, lane, true).await.unwrap()
}

async fn send_message(mailer: &Mailer, message: &[u8]) -> Answer {
    let to = to("ada@example.com");
    begin(mailer, to, message, Lane::Interactive, true).await.unwrap()
}

/// Hands a mail to the mailer and returns where its answer arrives.
fn begin(
    mailer: &Mailer,
    envelope: Envelope,
    message: &[u8],
    lane: Lane,
    may_start_body: bool,
) -> oneshot::Receiver<Answer> {
    let (answer, answered) = oneshot::channel();
    mailer.send(vec![TestMail {
        envelope,
        wire: [message, b".\r\n"].concat(),
        lane,
        batch: uuid::Uuid::nil(),
        is_first_attempt: true,
        may_start_body,
        answer,
    }]);
    answered
}

/// Hands a mail to the mailer whose previous attempts were spent.
fn begin_again(mailer: &Mailer, recipient: &str) -> oneshot::Receiver<Answer> {
    let (answer, answered) = oneshot::channel();
    mailer.send(vec![TestMail {
        envelope: to(recipient),
        wire: [MESSAGE, b".\r\n"].concat(),
        lane: Lane::Bulk,
        batch: uuid::Uuid::nil(),
        is_first_attempt: false,
        may_start_body: true,
        answer,
    }]);
    answered
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let ends = Instant::now() + Duration::from_secs(20);
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

fn slow_down(class: TroubleClass) -> Verdict {
    Verdict::SlowDown { class }
}

fn at(answer: &Answer) -> (Verdict, Phase) {
    (answer.verdict, answer.phase)
}
