//! The steps of the demo.

use std::sync::Arc;
use std::time::Instant;

use harness::World;
use harness::relay::{Behaviour, HangUp};
use serde_json::json;
use shared::address::EmailAddress;

use crate::api::{Accepted, Api, Batch, Delivery};
use crate::check::{Complaints, Expected};
use crate::fault::{Fault, Result};
use crate::people::{Fate, Person, Sheet};
use crate::voice::{Voice, counted, lasting, table};
use crate::{follow, ledger};

/// How many users get a password.
const PASSWORDS: usize = 50;

/// An address that was not imported, and so is left out.
const STRANGER: &str = "unknown.to.us@example.org";

/// The running demo.
pub(crate) struct Show<'a> {
    pub(crate) world: &'a Arc<World>,
    pub(crate) api: &'a Api,
    pub(crate) people: &'a [Person],
    pub(crate) voice: &'a mut Voice,
    pub(crate) complaints: Complaints,
}

/// A user who can sign in.
pub(crate) struct Member {
    pub(crate) email: String,
    pub(crate) password: String,
}

impl Show<'_> {
    /// Runs all steps in order. Returns a user who can sign in, and the faults found.
    pub(crate) async fn run(mut self, sheet: &Sheet) -> Result<(Member, Complaints)> {
        let import = self.import(sheet).await?;
        let (invites, invited) = self.invite(import).await?;
        let chosen = chosen_for_passwords(self.people);
        let (passwords, mailed) = self.send_passwords(&chosen).await?;
        self.print_ledger(&invited, &mailed)?;
        let invite_lines = self.api.deliveries(invites.batch).await?;
        self.print_stories(&invite_lines).await?;
        let password_lines = self.api.deliveries(passwords.batch).await?;
        let all: Vec<Delivery> = [invite_lines, password_lines].concat();
        self.complaints.check_mails(&all, &self.world.relay.log());
        let member = self.sign_in(&chosen, &passwords).await?;
        Ok((member, self.complaints))
    }

    async fn import(&mut self, sheet: &Sheet) -> Result<uuid::Uuid> {
        self.voice
            .step(&format!("Importing people.csv with {} rows", counted(sheet.rows)))?;
        let started = Instant::now();
        let import = self.api.import("people.csv", &sheet.csv).await?;
        self.complaints.check_import(&import, self.people, sheet);
        self.voice.lines(&[
            format!(
                "{} users imported and {} rows rejected in {}. Importing sends no email.",
                counted(import.created),
                counted(import.rejected),
                lasting(started.elapsed())
            ),
            String::new(),
        ])?;
        let mut rows = vec![["Row", "Column", "Problem"].map(str::to_owned).to_vec()];
        rows.extend(
            import
                .problems
                .iter()
                .map(|problem| vec![problem.row.to_string(), problem.column.clone(), problem.message.clone()]),
        );
        self.voice.lines(&table(&rows, &[0]))?;
        Ok(import.id)
    }

    async fn invite(&mut self, import: uuid::Uuid) -> Result<(Accepted, Batch)> {
        self.voice.step("Sending an invite to all users of this import")?;
        let broken: Vec<String> = self
            .with_fate(Fate::LineBreaks)
            .map(|person| wire(&person.email))
            .collect();
        for address in &broken {
            self.world.relay.set(address, Behaviour::HangUp(HangUp::AfterDotKept));
        }
        self.voice.lines(&[
            format!(
                "{} addresses reply \"try later\" once, {} do not exist, and for {} the connection to the",
                self.with_fate(Fate::PutOff).count(),
                self.with_fate(Fate::NoSuchUser).count(),
                broken.len()
            ),
            "mail catcher breaks at the worst moment: after the mail, before the reply.".to_owned(),
        ])?;
        let (accepted, batch) = self.batch("/v1/invites", &json!({ "import": import }), &broken).await?;
        self.complaints
            .check_sums("the invites", &batch, &Expected::of_invites(self.people));
        Ok((accepted, batch))
    }

    async fn send_passwords(&mut self, chosen: &[&Person]) -> Result<(Accepted, Batch)> {
        self.voice
            .step(&format!("Sending a password to {} of them", chosen.len()))?;
        self.voice.lines(&[
            "One person is selected twice, and one address belongs to no user: both are left out and".to_owned(),
            "counted. The worker creates each password, mails it, and stores only its Argon2 hash.".to_owned(),
        ])?;
        let mut emails: Vec<String> = chosen.iter().map(|person| person.email.clone()).collect();
        emails.extend(chosen.first().map(|person| person.email.to_ascii_uppercase()));
        emails.push(STRANGER.to_owned());
        let (accepted, batch) = self
            .batch("/v1/password-resets", &json!({ "emails": emails }), &[])
            .await?;
        let expected = Expected {
            sent: chosen.len() as u64,
            failed: 0,
            unsure: 0,
            left_out: 2,
        };
        self.complaints.check_sums("the password mails", &batch, &expected);
        Ok((accepted, batch))
    }

    /// Sends, follows and reports the outcome.
    async fn batch(&mut self, route: &str, whom: &serde_json::Value, broken: &[String]) -> Result<(Accepted, Batch)> {
        let started = Instant::now();
        let accepted = self.api.send(route, whom).await?;
        self.voice.lines(&[format!(
            "Accepted in {}: {} mails, recorded before the first is sent.",
            lasting(started.elapsed()),
            counted(accepted.accepted)
        )])?;
        let (batch, took) = follow::to_the_end(self.world, self.api, accepted.batch, broken, self.voice).await?;
        self.voice.lines(&[format!(
            "Finished in {}: {} sent, {} failed, {} left out.",
            lasting(took),
            counted(batch.of("sent")),
            counted(batch.of("failed")),
            counted(batch.of("left_out"))
        )])?;
        Ok((accepted, batch))
    }

    fn print_ledger(&mut self, invites: &Batch, passwords: &Batch) -> Result<()> {
        self.voice
            .step("The ledger: every selected person is counted exactly once")?;
        self.voice
            .lines(&ledger::lines(&[("Invites", invites), ("Passwords", passwords)]))?;
        let left_out = ledger::left_out(passwords);
        self.voice.lines(&[format!("Left out of the passwords: {left_out}.")])
    }

    async fn print_stories(&mut self, deliveries: &[Delivery]) -> Result<()> {
        self.voice
            .step("From the ledger to a person: three mails, with the mail server's replies")?;
        for fate in [Fate::PutOff, Fate::NoSuchUser, Fate::LineBreaks] {
            let delivery = deliveries.iter().find(|delivery| {
                let email = delivery.email.as_deref();
                self.with_fate(fate).any(|person| Some(person.email.as_str()) == email)
            });
            let Some(delivery) = delivery else { continue };
            let story = self.api.story(delivery.id).await?;
            let email = delivery.email.as_deref().unwrap_or_default();
            let twice = if delivery.unsure { ", possibly twice" } else { "" };
            let mut lines = vec![format!("{email}: {}{twice}", story.state)];
            lines.extend(story.attempts.iter().map(|attempt| {
                let verdict = attempt.verdict.as_deref().unwrap_or("in progress").replace('_', " ");
                let code = attempt.code.map(|code| format!("{code} ")).unwrap_or_default();
                let reply = attempt.reply.as_deref().unwrap_or("no reply");
                format!("  attempt {}  {verdict:<9}  {code}{reply}", attempt.n)
            }));
            self.voice.lines(&lines)?;
        }
        Ok(())
    }

    async fn sign_in(&mut self, chosen: &[&Person], passwords: &Accepted) -> Result<Member> {
        self.voice.step("Signing in with a mailed password")?;
        let member = self.member(chosen, passwords)?;
        let right = self.api.signs_in(&member.email, &member.password).await?;
        let wrong = self.api.signs_in(&member.email, "abcde-fghjk-mnpqr-stuvw").await?;
        self.complaints.unless(right, || {
            format!("the password mailed to {} does not sign in", member.email)
        });
        self.complaints
            .unless(!wrong, || format!("a password never mailed signs {} in", member.email));
        let outcome = |signed_in| if signed_in { "signed in" } else { "refused" };
        self.voice.lines(&[
            format!("{} with the password from the mail: {}.", member.email, outcome(right)),
            format!("{} with another one: {}.", member.email, outcome(wrong)),
        ])?;
        Ok(member)
    }

    /// The first of the selected users, with the password from their mail.
    fn member(&self, chosen: &[&Person], passwords: &Accepted) -> Result<Member> {
        let lost = || {
            Fault::new(
                "no mail with a password was caught",
                "this is a fault in Beckon; please report it",
            )
        };
        let person = chosen.first().ok_or_else(lost)?;
        let mails = self
            .world
            .relay
            .mails_to(&wire(&person.email))
            .map_err(|fault| Fault::of_harness("could not read the caught mails", &fault))?;
        let batch = passwords.batch.to_string();
        let of_batch = |mail: &&harness::relay::Mail| mail.header("X-Beckon-Batch") == Some(&batch);
        let mail = mails.iter().find(of_batch).ok_or_else(lost)?;
        Ok(Member {
            email: person.email.clone(),
            password: mail.password().ok_or_else(lost)?.to_owned(),
        })
    }

    fn with_fate(&self, fate: Fate) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(move |person| person.fate == fate)
    }
}

/// Users of many languages whose mail arrives.
fn chosen_for_passwords(people: &[Person]) -> Vec<&Person> {
    let arriving = people.iter().filter(|person| person.fate == Fate::Arrives);
    arriving.step_by(people.len() / PASSWORDS - 1).take(PASSWORDS).collect()
}

/// The address as the relay sees it.
pub(crate) fn wire(email: &str) -> String {
    EmailAddress::parse(email).map_or_else(|_| email.to_owned(), |address| address.as_wire().to_owned())
}
