//! One generated case: the selection, the changes, and the checks of every count.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::app::status_labels::left_out;
use harness::World;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use shared::system_email::SystemEmailKind;
use uuid::Uuid;

use super::numbers::{Ledger, legend};
use super::people::{self, Fact};
use crate::console_session::{ConsoleSession, Page};

/// A generated case.
#[derive(Clone, Debug)]
pub(super) struct Story {
    /// The conditions of each user.
    people: Vec<Vec<Fact>>,
    kind: SystemEmailKind,
    /// Selects all users with this status in the list,
    status: Option<&'static str>,
    /// except these, ticked or unticked by number.
    ticks: Vec<(usize, bool)>,
    include_signed_in: bool,
    include_recent: bool,
    /// Changes between the check page and the button.
    meanwhile: Vec<(usize, Fact)>,
    /// Changes before the first email is sent.
    while_held: Vec<(usize, Fact)>,
}

/// All cases.
pub(super) fn stories() -> impl Strategy<Value = Story> {
    let statuses = vec![
        Some(""),
        Some("not_invited"),
        Some("invited"),
        Some("failed"),
        Some("blocked"),
        Some("not_signed_in"),
        Some("password_unused"),
        Some("signed_in"),
        Some("locked"),
        None,
    ];
    let ticks = prop::collection::vec((0..12_usize, any::<bool>()), 0..4);
    (
        prop::collection::vec(people::facts(), 1..12),
        select(SystemEmailKind::ALL.to_vec()),
        prop_oneof![2 => Just(Some("")), 3 => select(statuses)],
        ticks,
        any::<(bool, bool)>(),
        people::later(),
        people::while_held(),
    )
        .prop_map(
            |(people, kind, status, ticks, including, meanwhile, while_held)| Story {
                people,
                kind,
                status,
                ticks,
                include_signed_in: including.0,
                include_recent: including.1,
                meanwhile,
                while_held,
            },
        )
}

/// Runs cases in one world, each with its own users.
pub(super) struct Teller {
    world: World,
    session: ConsoleSession,
    /// Batches that wait for a day, one of each kind.
    waiting: [Uuid; 2],
    stories_run: AtomicUsize,
    last: Mutex<String>,
}

/// The users of a case, and their import.
struct Cast {
    users: Vec<Uuid>,
    import: Uuid,
}

impl Cast {
    fn user(&self, number: usize) -> Uuid {
        self.users[number % self.users.len()]
    }
}

impl Teller {
    pub(super) async fn of(world: World) -> Self {
        world.skip_promises("deliveries are added to accepted batches");
        let administrator = world.administrator().await.clone();
        let session = ConsoleSession::of(&world, &administrator).await;
        world.person("waits@example.org").await;
        let recipients = json!({ "emails": ["waits@example.org"], "hold_seconds": 86_400 });
        let waiting = [
            world.invite(recipients.clone()).await,
            world.reset_passwords(recipients).await,
        ];
        Self {
            world,
            session,
            waiting,
            stories_run: AtomicUsize::new(0),
            last: Mutex::new(String::new()),
        }
    }

    pub(super) async fn end(self) {
        self.world.end().await;
    }

    /// The content of the last page.
    pub(super) fn last_words(&self) -> String {
        self.last.lock().unwrap().clone()
    }

    pub(super) async fn run(&self, story: &Story) {
        let cast = self.cast(story).await;
        let mut session = self.session.clone();
        let Some(path) = self.choose(&mut session, story, &cast).await else {
            return;
        };
        let first = self.check(&session, story, &path).await;
        self.change(&cast, &story.meanwhile).await;
        let second = self.check(&session, story, &path).await;
        if first.to_send == 0 || second.to_send == 0 {
            let is_shown = first.page.text.contains("No one will be emailed.");
            assert_eq!(first.to_send == 0, is_shown);
            return;
        }
        let mut pressed = press(&mut session, &path, story, &first).await;
        // An address blocked since is not unblocked by a button that did not announce it.
        let is_blocked_since = second.is_unblocking && !first.is_unblocking;
        if first.to_send != second.to_send || is_blocked_since {
            Self::assert_change_is_shown(&pressed, &first, &second);
            pressed = press(&mut session, &path, story, &second).await;
        }
        assert_eq!(pressed.status, 303, "{}", pressed.text);
        let again = session.get(&path).await;
        let batch = again.location.rsplit('/').next().unwrap().parse().unwrap();
        self.the_batch_has_its_numbers(&session, batch, story, &second).await;
        self.change(&cast, &story.while_held).await;
        session.post(&format!("/console/batches/{batch}/start"), &[]).await;
        self.the_end_adds_up(&session, batch, &second).await;
    }

    /// Imports the users and makes their conditions hold.
    async fn cast(&self, story: &Story) -> Cast {
        let number = self.stories_run.fetch_add(1, Ordering::Relaxed);
        let rows = (0..story.people.len()).map(|person| format!("s{number}p{person}@example.org\n"));
        let file: String = std::iter::once("email\n".to_owned()).chain(rows).collect();
        let answer = self.world.import(&file).await.expect(201);
        let import: Uuid = answer["id"].as_str().unwrap().parse().unwrap();
        let users = self
            .world
            .rows("import_users")
            .with("import_id", import)
            .ordered_by("row_number");
        let users: Vec<Uuid> = users.column("user_id").await;
        for (user, facts) in std::iter::zip(&users, &story.people) {
            for fact in facts {
                people::make(&self.world, self.waiting, *user, *fact).await;
            }
        }
        Cast { users, import }
    }

    async fn change(&self, cast: &Cast, changes: &[(usize, Fact)]) {
        for (number, fact) in changes {
            people::make(&self.world, self.waiting, cast.user(*number), *fact).await;
        }
    }

    /// Selects users in the console and returns the address of the check page; `None` when the selection is empty.
    async fn choose(&self, session: &mut ConsoleSession, story: &Story, cast: &Cast) -> Option<String> {
        let kind = story.kind.as_str();
        let import = cast.import.to_string();
        let begun = session
            .get(&format!("/console/selections/new?kind={kind}&import={import}"))
            .await;
        let path = begun.location;
        let all = [
            ("do", if story.status.is_some() { "all" } else { "nobody" }),
            ("status", story.status.unwrap_or_default()),
            ("import", &import),
        ];
        session.post(&path, &all).await;
        let mut fields = vec![("do", "check".to_owned()), ("import", import)];
        // The last tick for a user counts.
        let ticks: BTreeMap<Uuid, bool> = story.ticks.iter().map(|(n, tick)| (cast.user(*n), *tick)).collect();
        for (user, is_ticked) in ticks {
            fields.push(("shown", user.to_string()));
            if is_ticked {
                fields.push(("user", user.to_string()));
            }
        }
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = session.post(&path, &fields).await;
        (page.status == 303).then_some(path)
    }

    /// Reads the check page and asserts that its numbers agree.
    async fn check(&self, session: &ConsoleSession, story: &Story, path: &str) -> Check {
        let (signed_in, recent) = (story.include_signed_in, story.include_recent);
        let page = session
            .get(&format!("{path}/check?signed_in={signed_in}&recent={recent}"))
            .await;
        self.last.lock().unwrap().clone_from(&page.text);
        assert_eq!(page.status, 200, "{}", page.text);
        let ledger = Ledger::of(&page.text);
        let check = Check {
            chosen: ledger.get("selected").unwrap(),
            left_out: ledger.left_out(),
            sent: ledger.get("will be emailed").unwrap(),
            to_send: page.field("to_send").parse().unwrap_or_default(),
            is_unblocking: page.text.contains("name=\"unblock\""),
            page,
        };
        assert_eq!(check.chosen, check.sent + check.left_out.values().sum::<i64>());
        if check.is_unblocking {
            assert_eq!((check.chosen, check.sent, check.to_send), (1, 0, 1));
        } else {
            assert_eq!(check.sent, check.to_send);
        }
        let noun = match story.kind {
            SystemEmailKind::Invite => "invite email",
            SystemEmailKind::PasswordReset => "password email",
        };
        let button = format!("end {} {noun}", check.to_send);
        assert_eq!(check.to_send > 0, check.page.text.contains(&button), "{button}");
        for (is_included, legend_has, line) in [
            (signed_in, "already signed in", "has already signed in"),
            (
                recent,
                "this email in the last 24 hours",
                "got this email in the last 24 hours",
            ),
        ] {
            let line = check.left_out.get(line).copied();
            let about = legend(&check.page.text, legend_has);
            assert_eq!(line, if is_included { None } else { about }, "{legend_has}");
        }
        check
    }

    /// Asserts that a changed number is reported and nothing is sent.
    fn assert_change_is_shown(pressed: &Page, first: &Check, second: &Check) {
        assert_eq!(pressed.status, 409, "{}", pressed.text);
        let sentence = format!(" to {} while you were checking.", second.sent);
        assert!(
            pressed.text.contains(&sentence)
                && pressed
                    .text
                    .contains(&format!("The number of emails changed from {} ", first.to_send)),
            "{sentence}\n{}",
            pressed.text
        );
        assert_eq!(pressed.field("to_send"), second.to_send.to_string());
    }

    /// Asserts that every view counts as many accepted deliveries as the check page announced.
    async fn the_batch_has_its_numbers(&self, session: &ConsoleSession, batch: Uuid, story: &Story, check: &Check) {
        let shown = self.world.batch(batch).await;
        let counts = |name: &str| shown["counts"][name].as_i64().unwrap();
        assert_eq!(
            (counts("selected"), counts("waiting"), counts("left_out")),
            (check.chosen, check.to_send, check.chosen - check.to_send),
            "{shown}"
        );
        if !check.is_unblocking {
            assert_eq!(in_words(&shown["left_out"]), check.left_out, "{shown}");
        }
        assert_eq!(
            self.world.deliveries(batch).await.len(),
            usize::try_from(check.to_send).unwrap()
        );
        let page = session.get(&format!("/console/batches/{batch}")).await.text;
        self.last.lock().unwrap().clone_from(&page);
        let people = if check.to_send == 1 { "person" } else { "people" };
        assert!(page.contains(&format!("email to {} {people}</h1>", check.to_send)));
        let ledger = Ledger::of(&page);
        assert_eq!(ledger.get("selected"), Some(check.chosen));
        assert_eq!(ledger.get("left out").unwrap_or(0), check.chosen - check.to_send);
        let list = session.get(&format!("/console/batches/{batch}/left-out")).await.text;
        assert_eq!(Ledger::of(&list).left_out(), in_words(&shown["left_out"]));
        self.files_have_its_numbers(session, batch, story, check).await;
    }

    async fn files_have_its_numbers(&self, session: &ConsoleSession, batch: Uuid, story: &Story, check: &Check) {
        let ledger = self
            .world
            .get(&format!("/v1/batches/{batch}/deliveries.csv"))
            .await
            .text;
        let report = session.get(&format!("/console/batches/{batch}/report.csv")).await;
        for (file, mark) in [(&ledger, "\"left_out\""), (&report.text, "\"Left out\"")] {
            let lines: Vec<&str> = file.lines().skip(1).collect();
            let left_out = lines.iter().filter(|line| line.contains(mark)).count();
            let counted = (i64::try_from(lines.len()).unwrap(), i64::try_from(left_out).unwrap());
            assert_eq!(counted, (check.chosen, check.chosen - check.to_send), "{file}");
        }
        let plural = if check.to_send == 1 { "" } else { "s" };
        let name = match story.kind {
            SystemEmailKind::Invite => format!("report-{}-invite-email{plural}.csv", check.to_send),
            SystemEmailKind::PasswordReset => format!("report-{}-password-email{plural}.csv", check.to_send),
        };
        assert!(report.disposition.contains(&name), "{}", report.disposition);
    }

    /// Asserts that every expected recipient got the mail, or that the ledger gives the reason.
    async fn the_end_adds_up(&self, session: &ConsoleSession, batch: Uuid, check: &Check) {
        let finished = self.world.finished(batch).await;
        let counts = |name: &str| finished["counts"][name].as_i64().unwrap();
        assert_eq!(
            (counts("selected"), counts("left_out")),
            (check.chosen, check.chosen - check.to_send)
        );
        let ended = counts("sent") + counts("suppressed") + counts("cancelled");
        assert_eq!(ended, check.to_send, "{finished}");
        for delivery in self.world.deliveries(batch).await {
            assert_eq!(delivery["state"] == "sent", delivery["reason"].is_null(), "{delivery}");
        }
        let page = session.get(&format!("/console/batches/{batch}")).await.text;
        self.last.lock().unwrap().clone_from(&page);
        let ledger = Ledger::of(&page);
        let parts = ["left out", "sent", "failed", "blocked address", "stopped"];
        let sum: i64 = parts.iter().filter_map(|part| ledger.get(part)).sum();
        assert_eq!((ledger.get("selected"), sum), (Some(check.chosen), check.chosen));
    }
}

/// The content of a check page.
struct Check {
    page: Page,
    chosen: i64,
    left_out: BTreeMap<String, i64>,
    /// How many users get the email as things are,
    sent: i64,
    /// and how many the button sends.
    to_send: i64,
    /// Whether the button also unblocks the only address.
    is_unblocking: bool,
}

/// Submits the button of a check page as displayed.
async fn press(session: &mut ConsoleSession, path: &str, story: &Story, check: &Check) -> Page {
    let mut fields = vec![
        ("do", "send".to_owned()),
        ("understood", "true".to_owned()),
        ("signed_in", story.include_signed_in.to_string()),
        ("recent", story.include_recent.to_string()),
        (
            "shown",
            format!("signed_in={}&recent={}", story.include_signed_in, story.include_recent),
        ),
    ];
    for name in ["to_send", "must_understand", "unblock"] {
        fields.push((name, check.page.field(name)));
    }
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    session.post(&format!("{path}/send"), &fields).await
}

/// Counts by reason, in the labels of the pages.
fn in_words(counts: &Value) -> BTreeMap<String, i64> {
    let counts = counts.as_object().unwrap().iter();
    counts
        .map(|(reason, count)| (left_out(reason).to_lowercase(), count.as_i64().unwrap()))
        .collect()
}
