//! A restored database does not know the last mails. With the runbook's own commands no user is mailed twice, and users
//! whose password is lost get another.

use crate::json;
use harness::stack::Stack;
use harness::{Setup, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use uuid::Uuid;

const RUNBOOK: &str = include_str!("../../deploy/runbooks/restoring.md");

const INVITED: usize = 400;
const PASSWORDS: usize = 200;
const RATE: &str = "50";

/// A block of the runbook, by the info string of its fence.
fn piece(name: &str) -> &'static str {
    let (_, behind) = RUNBOOK.split_once(&format!("\n```{name}\n")).unwrap();
    behind.split("```").next().unwrap()
}

/// An operator at a terminal who follows the runbook.
struct Operator {
    settings: Vec<(String, String)>,
    folder: tempfile::TempDir,
}

impl Operator {
    async fn at(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = world.setting("DATABASE_URL");
        let (server, _) = database.rsplit_once('/').unwrap();
        let path = Stack::postgres_programs().await.unwrap();
        let settings = [
            ("DATABASE_URL", database.to_owned()),
            ("RESTORED_URL", format!("{server}/restored")),
            ("MAIL_LOG", folder.path().join("mail.log").display().to_string()),
            ("PATH", format!("{}:/usr/bin:/bin", path.display())),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { settings, folder }
    }

    fn restored(&self) -> String {
        self.settings[1].1.clone()
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a shell script and returns its output.
    fn shell(&self, script: &str) -> String {
        let output = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.folder.path())
            .env_clear()
            .envs(self.settings.iter().cloned())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{printed}\n{complained}");
        printed
    }

    /// Runs SQL in the restored database and returns its rows.
    fn sql(&self, script: &str) -> Vec<String> {
        self.sql_at("$RESTORED_URL", script)
    }

    fn sql_at(&self, database: &str, script: &str) -> Vec<String> {
        std::fs::write(self.file("piece.sql"), script).unwrap();
        let psql = "psql --no-psqlrc --set=ON_ERROR_STOP=1 --tuples-only --no-align --quiet --file=piece.sql";
        let output = self.shell(&format!("{psql} --set=began=yesterday \"{database}\""));
        output.lines().map(str::to_owned).collect()
    }
}

/// Writes the log that Postfix would have written for our relay's mails.
fn write_mail_log(world: &World, path: &Path) {
    let kept = world.relay.log().into_iter().filter(|transaction| transaction.kept);
    let ids = kept.map(|mail| mail.message_id.unwrap());
    let lines = ids.map(|id| format!("Nov  5 10:00:00 mx postfix/cleanup[77]: 4F1A2B3C4D: message-id={id}"));
    std::fs::write(path, lines.collect::<Vec<_>>().join("\n")).unwrap();
}

/// How many mails each user has received, of both kinds.
fn mails_of(world: &World, beginning: &str) -> BTreeMap<String, usize> {
    let mut mails = BTreeMap::new();
    for mail in world.relay.log().into_iter().filter(|transaction| transaction.kept) {
        if mail.recipient.starts_with(beginning) {
            *mails.entry(mail.recipient).or_default() += 1;
        }
    }
    mails
}

/// The password in the last mail to this user.
fn last_password(world: &World, email: &str) -> String {
    let mails = world.relay.mails_to(email).unwrap();
    mails.last().unwrap().password().unwrap().to_owned()
}

/// The users whose last mailed password has a verifier that survived, according to Postgres.
async fn with_a_password(world: &World) -> BTreeSet<String> {
    let users: Vec<Uuid> = world.rows("credentials").column("user_id").await;
    let mut emails = BTreeSet::new();
    for user in users.into_iter().collect::<BTreeSet<_>>() {
        emails.insert(world.rows("users").with("id", user).only("email").await);
    }
    emails
}

/// Imports this many users with this name, and returns the import.
async fn bring_in(world: &World, name: &str, count: usize) -> Value {
    let rows: Vec<String> = (1..=count).map(|n| format!("{name}{n}@example.org")).collect();
    let import = world.import(&format!("email\n{}", rows.join("\n"))).await;
    import.expect(201)["id"].clone()
}

/// The two batches that are running when the backup is made.
struct Begun {
    invites: Uuid,
    passwords: Uuid,
}

/// Waits until this many of the invited and of the password users have their mail.
async fn some_of_both(world: &World, least: [usize; 2]) {
    let least = [least[0].min(INVITED), least[1].min(PASSWORDS)];
    world
        .eventually("mails of both batches", async || {
            let mailed = [mails_of(world, "invited").len(), mails_of(world, "password").len()];
            (mailed[0] >= least[0] && mailed[1] >= least[1]).then_some(())
        })
        .await;
}

/// Backs up in the middle of two batches, sends more mails and a batch unknown to the backup, and kills all programs.
async fn until_the_end(world: &mut World, operator: &Operator) -> Begun {
    let invited = bring_in(world, "invited", INVITED).await;
    let with_passwords = bring_in(world, "password", PASSWORDS).await;
    bring_in(world, "late", 1).await;
    let begun = Begun {
        invites: world.invite(json!({ "import": invited })).await,
        passwords: world.reset_passwords(json!({ "import": with_passwords })).await,
    };
    some_of_both(world, [5, 5]).await;
    operator.shell(piece("sh dump"));
    let at_the_backup = [mails_of(world, "invited").len(), mails_of(world, "password").len()];
    some_of_both(world, at_the_backup.map(|mailed| mailed + 5)).await;
    world.invite(json!({ "emails": ["late1@example.org"] })).await;
    world
        .eventually("the mail that the backup does not know", async || {
            (!mails_of(world, "late").is_empty()).then_some(())
        })
        .await;
    world.kill_all().await;
    begun
}

/// Steps 2 to 4 of the runbook.
async fn restore(world: &mut World, operator: &Operator) {
    operator.shell(piece("sh restore"));
    world.turn_to_database(&operator.restored()).unwrap();
    operator.sql(piece("sql pause"));
    let (_, vhost) = world.amqp_url().rsplit_once('/').unwrap();
    for purge in piece("sh purge").lines() {
        let words = purge.strip_prefix("rabbitmqctl ").unwrap();
        let words = words.replace("--vhost beckon ", &format!("--vhost {vhost} "));
        world.stack().broker_ctl(&words).await.unwrap();
    }
    write_mail_log(world, &operator.file("mail.log"));
    operator.shell(piece("sh sent"));
    operator.sql(piece("sql mark"));
}

/// Which of these users sign in with the last password mailed to them, and which do not.
async fn signing_in(world: &World, emails: impl Iterator<Item = &String>) -> [BTreeSet<String>; 2] {
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for email in emails {
        let signs_in = world.signs_in(email, &last_password(world, email)).await;
        found[usize::from(!signs_in)].insert(email.clone());
    }
    found
}

#[tokio::test]
async fn no_user_is_emailed_twice_and_lost_passwords_are_generated_again() {
    let setup = Setup::default().own_stack().api_setting("BECKON_MAIL_RATE", RATE);
    World::run_with(setup, async |world| {
        let operator = Operator::at(world).await;
        let begun = until_the_end(world, &operator).await;
        let (invited, mailed) = (mails_of(world, "invited"), mails_of(world, "password"));

        restore(world, &operator).await;
        let unknown = operator.sql(piece("sql compare"));
        let done = operator.sql_at("$DATABASE_URL", piece("sql done"));
        let survived = with_a_password(world).await;
        world.start_api().await.unwrap();
        let [can, cannot] = signing_in(world, mailed.keys()).await;
        let again = serde_json::from_str(&operator.sql(piece("sql again")).concat()).unwrap();
        let anew = world.reset_passwords(again).await;
        let paused = [world.batch(begun.invites).await, world.batch(begun.passwords).await];
        for batch in [begun.invites, begun.passwords] {
            let resume = format!("/v1/batches/{batch}/resume");
            world.post(&resume, json!({})).await.expect(200);
        }
        world.start_worker().await.unwrap();
        for batch in [begun.invites, begun.passwords, anew] {
            world.finished(batch).await;
        }

        assert!(invited.len() > 10 && invited.len() < INVITED, "{}", invited.len());
        assert!(paused.iter().all(|batch| batch["state"] == "paused"), "{paused:?}");
        assert_eq!(unknown.len(), 1, "{unknown:?}");
        assert!(done.len() >= 3, "{done:?}");
        let mails = mails_of(world, "invited");
        assert_eq!(mails.len(), INVITED);
        let twice: Vec<_> = mails.iter().filter(|(_, mails)| **mails != 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let last = world.rows("last_sent").with("kind", "invite").count().await;
        assert_eq!(usize::try_from(last).unwrap(), INVITED, "who was written to last when");
        assert!(!can.is_empty() && can.is_subset(&survived), "{can:?}");
        assert!(!cannot.is_empty() && cannot.is_disjoint(&survived), "{cannot:?}");
        let mails = mails_of(world, "password");
        assert_eq!(mails.len(), PASSWORDS);
        for (email, mails) in &mails {
            assert_eq!(*mails, 1 + usize::from(cannot.contains(email)), "{email}");
        }
        assert_eq!(signing_in(world, mails.keys()).await[0].len(), PASSWORDS);
        world.assert_sums().await;
    })
    .await;
}

#[test]
fn the_request_in_the_runbook_is_the_one_tested_here() {
    assert!(RUNBOOK.contains("\"$API/v1/password-resets\""));
    assert!(RUNBOOK.contains("--file=again.sql \"$RESTORED_URL\" >again.json"));
}
