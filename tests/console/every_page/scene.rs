//! The world in which pages are visited.

use std::collections::BTreeMap;

use harness::browser::Browser;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::go;

/// More than one page of a list.
const PEOPLE: usize = 70;

/// The SHA-256 of `a-link`, as Postgres reads it.
const DIGEST: &str = "\\x2ffeeeebe71d0ac7501adb6946558965bae413ba933e9149d7cc151f90937e3d";

/// A world, and the ids of the objects in it that have pages.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) world: World,
    things: BTreeMap<&'static str, String>,
}

impl Scene {
    /// A world without imported users and sent mail.
    pub(super) async fn in_which_nothing_has_happened(browser: &Browser) -> Self {
        let mut scene = Self {
            name: "empty",
            world: World::with(Setup::default().workers(0)).await,
            things: BTreeMap::new(),
        };
        browser.sign_in(&scene.world).await;
        scene
            .is_chosen(browser, "nobody_chosen", "kind=invite&everyone=true")
            .await;
        // Giving access requires confirming the password first.
        scene.world.let_confirmations_end().await;
        scene
    }

    /// A world with users with names of all lengths, rejected rows, and batches that have ended well and badly, that
    /// wait, are retried, are paused and were stopped.
    pub(super) async fn in_which_much_has_happened(browser: &Browser) -> Self {
        let mut scene = Self {
            name: "full",
            world: World::start().await,
            things: BTreeMap::new(),
        };
        scene.people_are_invited().await;
        scene.a_letter_is_changed().await;
        scene.passwords_are_sent().await;
        scene.colleagues_come_and_go().await;
        browser.sign_in(&scene.world).await;
        scene.people_are_chosen(browser).await;
        scene.files_are_uploaded(browser).await;
        // Giving access requires confirming the password first.
        scene.world.let_confirmations_end().await;
        scene
    }

    async fn people_are_chosen(&mut self, browser: &Browser) {
        let rows = rows(PEOPLE, |n| format!("newcomer{n}@example.org,New {n}\n"));
        self.world
            .import(&format!("email,first name\n{rows}noname2@example.org,\n"))
            .await
            .expect(201);
        let path = "/v1/do-not-mail-lists?name=People+on+leave&always=true";
        let addresses = json!([{ "email": "newcomer3@example.org" }, { "email": "newcomer4@example.org" }]);
        let list = self.world.post(path, addresses).await.expect(201);
        self.knows("do_not_mail_list", Some(&list["id"]));
        let wording = json!({ "subject": "Your place in the {{ department }} hall" });
        let worded = json!({ "emails": ["newcomer5@example.org"], "wording": wording, "hold_seconds": 600 });
        let worded = self.world.invite(worded).await;
        self.knows("worded_batch", Some(&json!(worded)));
        let user = self.fill("user={user}&kind=password_reset").unwrap_or_default();
        self.is_chosen(browser, "invite", "kind=invite&everyone=true").await;
        self.is_chosen(browser, "passwords", "kind=password_reset&everyone=true")
            .await;
        self.is_chosen(browser, "one_password", &user).await;
        let blocked = self.fill("user={blocked_user}&kind=password_reset").unwrap_or_default();
        self.is_chosen(browser, "one_blocked", &blocked).await;
    }

    /// Starts a selection and stores its id.
    async fn is_chosen(&mut self, browser: &Browser, name: &'static str, beginning: &str) {
        go(browser, &self.world, &format!("/console/selections/new?{beginning}")).await;
        let path = browser.path().await;
        self.knows(name, path.split(['/', '?']).nth(3).map(Value::from).as_ref());
    }

    async fn a_letter_is_changed(&mut self) {
        let path = "/v1/system-emails/invite";
        let now = self.world.get(path).await.expect(200);
        let body = format!(
            "{}\n\nYours, {{{{ department }}}}\n",
            now["body"].as_str().unwrap_or_default()
        );
        let german = json!({ "subject": "Willkommen", "body": "Guten Tag {{ first_name }}" });
        let translated = json!({ "subject": now["subject"], "body": now["body"], "translations": { "de": german } });
        self.world
            .ask(Method::PUT, path, Some(translated), None)
            .await
            .expect(200);
        let changed = json!({ "subject": "Come in, {{ first_name | default(\"dear colleague\") }}", "body": body });
        let saved = self.world.ask(Method::PUT, path, Some(changed), None).await.expect(200);
        self.knows("old_version", Some(&json!(now["version"].to_string())));
        self.knows("new_version", Some(&json!(saved["version"].to_string())));
    }

    async fn people_are_invited(&mut self) {
        let world = &self.world;
        let import = world.import(&people()).await.expect(201);
        // One of them is still waiting when their address turns out to be unknown.
        let whom = json!({ "emails": ["550+1@example.org", "person9@example.org"], "hold_seconds": 600 });
        let blocked = world.reset_passwords(whom).await;
        let ended = world.invite(json!({ "import": import["id"] })).await;
        world.finished(ended).await;
        let later = world
            .import(&format!("email\n{}", addresses("451", 3)))
            .await
            .expect(201);
        let trying = world.invite(json!({ "import": later["id"] })).await;
        world.until(trying, "retrying", 3).await;
        // Users who have just had the email are left out.
        let again = world.invite(json!({ "import": import["id"] })).await;
        let of_ended = world.deliveries(ended).await;
        let of_trying = world.deliveries(trying).await;
        let with = |state: &str| of_ended.iter().find(|line| line["state"] == state);
        self.knows("user", with("sent").map(|line| &line["user"]));
        self.knows("sent", with("sent").map(|line| &line["id"]));
        self.knows("failed", with("failed").map(|line| &line["id"]));
        self.knows("retrying", of_trying.first().map(|line| &line["id"]));
        let yuki = of_ended.iter().find(|line| line["email"] == "yuki@example.org");
        self.knows("locked_user", yuki.map(|line| &line["user"]));
        self.knows("import", Some(&import["id"]));
        self.knows("clean_import", Some(&later["id"]));
        self.knows("ended_batch", Some(&json!(ended)));
        self.knows("left_out_batch", Some(&json!(again)));
        self.knows("trying_batch", Some(&json!(trying)));
        self.knows("blocked_batch", Some(&json!(blocked)));
    }

    async fn colleagues_come_and_go(&mut self) {
        self.world.administrator().await;
        self.world
            .another_administrator(
                "Maximiliane von Hohenlohe-Langenburg-Schillingsfürst",
                "max@lerna.example",
            )
            .await;
        let max = || self.world.rows("administrators").with("email_key", "max@lerna.example");
        let now = self.world.now().await;
        let in_days = |days| (now + Duration::days(days)).format(&Rfc3339).unwrap();
        let link = json!({
            "must_choose": true, "password_made_at": "now", "link_digest": DIGEST, "link_expires_at": in_days(1),
        });
        max().set(link).await;
        let max: Uuid = max().only("id").await;
        let keys = [("siem", 9), ("payroll", 365), ("intranet of long ago", -1)].map(|(name, days)| {
            json!({
                "name": name, "digest": name, "created_by_id": max, "expires_at": in_days(days),
                "may_read_audit_log": true,
            })
        });
        self.world.insert("api_keys", json!(keys)).await;
        let administrators = self.world.rows("administrators").ordered_by("created_at");
        let administrators = administrators.text_of("id").await;
        let keys = self.world.rows("api_keys").text_of("id").await;
        self.knows("link", Some(&json!("a-link")));
        self.knows("self", administrators.first().map(|id| json!(id)).as_ref());
        self.knows("colleague", administrators.last().map(|id| json!(id)).as_ref());
        self.knows("key", keys.first().map(|id| json!(id)).as_ref());
    }

    async fn passwords_are_sent(&mut self) {
        let lock = self.fill("/v1/users/{locked_user}/lock").unwrap_or_default();
        self.world.post(&lock, json!({})).await.expect(200);
        let whom = json!({ "emails": ["noname@example.org", "layla@example.org"] });
        let ended = self.world.reset_passwords(whom).await;
        self.world.finished(ended).await;
        self.knows("password_batch", Some(&json!(ended)));
        let blocked: Uuid = self.fill("{blocked_batch}").unwrap_or_default().parse().unwrap();
        self.world.end_hold(blocked).await;
        self.world.finished(blocked).await;
        let deliveries = self.world.deliveries(blocked).await;
        let suppressed = deliveries.iter().find(|line| line["state"] == "suppressed");
        self.knows("suppressed", suppressed.map(|line| &line["id"]));
        self.knows("blocked_user", suppressed.map(|line| &line["user"]));
        let batches = [
            ("held_batch", None),
            ("paused_batch", Some("pause")),
            ("stopped_batch", Some("stop")),
            ("braked_batch", Some("pause")),
        ];
        for (n, (name, step)) in (1..).zip(batches) {
            // Distinct users, because users already owed one are left out.
            let emails = [n, n + 10].map(|n| format!("person{n}@example.org"));
            let emails = if name == "braked_batch" {
                &emails[..]
            } else {
                &emails[..1]
            };
            let whom = json!({ "emails": emails, "hold_seconds": 600 });
            let batch = self.world.reset_passwords(whom).await;
            if let Some(step) = step {
                let path = format!("/v1/batches/{batch}/{step}");
                self.world.post(&path, json!({})).await.expect(200);
            }
            self.knows(name, Some(&json!(batch)));
            let deliveries = self.world.deliveries(batch).await;
            let delivery = deliveries.first().map(|line| &line["id"]);
            match step {
                None => self.knows("waiting", delivery),
                Some("stop") => self.knows("cancelled", delivery),
                Some(_) => (),
            }
        }
        let braked = self.fill("{braked_batch}").unwrap_or_default();
        let reason = "Paused by Beckon: 12 of the last 104 emails went to addresses that do not exist";
        let paused = json!({ "brake": "bounces", "reason": reason });
        self.world.rows("batches").with("id", braked).set(paused).await;
    }

    /// Stores an object's id.
    pub(super) fn knows(&mut self, name: &'static str, id: Option<&Value>) {
        let id = id
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("the scene has no {name}"));
        self.things.insert(name, id.to_owned());
    }

    /// Replaces object names in an address by their ids; `None` when this scene lacks one.
    pub(super) fn fill(&self, address: &str) -> Option<String> {
        let mut filled = String::new();
        let mut parts = address.split(['{', '}']);
        filled.push_str(parts.next()?);
        while let (Some(name), Some(rest)) = (parts.next(), parts.next()) {
            filled.push_str(self.things.get(name)?);
            filled.push_str(rest);
        }
        Some(filled)
    }
}

/// A typical file of an administrator.
fn people() -> String {
    let mut csv = "email,first name,last name,department\n".to_owned();
    csv.push_str(&rows(PEOPLE, |n| {
        format!("person{n}@example.org,Person {n},Example,Sales\n")
    }));
    csv.push_str(
        "wilhelmina-charlotte.vanderbilt-montgomery@department-of-applied-linguistics.university.example,\
         Wilhelmina Charlotte Antoinette,Vanderbilt-Montgomery von und zu Hohenlohe-Schillingsfürst,Linguistics\n\
         noname@example.org,,,\n\
         yuki@example.org,由紀,山田,国際部\n\
         layla@example.org,ليلى,حداد,المبيعات\n",
    );
    for refused in ["550", "552-after-dot", "554-after-dot"] {
        csv.push_str(&rows(3, |n| {
            format!("{refused}+{n}@example.org,Some,Body {n},Stores\n")
        }));
    }
    csv.push_str("not an address,A,B,C\nperson1@example.org,Twice,Told,Sales\n,Nameless,Here,Sales\n");
    csv
}

/// This many addresses that the relay treats this way.
fn addresses(behaviour: &str, count: usize) -> String {
    rows(count, |n| format!("{behaviour}+{n}@example.org\n"))
}

fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    (1..=count).map(row).collect()
}
