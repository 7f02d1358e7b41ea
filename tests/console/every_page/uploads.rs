//! Files in every state of an import.

use harness::browser::Browser;
use serde_json::{Value, json};
use time::Duration;
use time::format_description::well_known::Rfc3339;

use super::scene::Scene;
use crate::files::{file, people};
use crate::go;

/// Good rows, rows with one fault, with several, and with more cells than the header.
fn faulty() -> String {
    let mut rows = people("faulty", 60);
    rows.push_str("pat@gmail,com,Pat\nno address,http://evil.example/x,A\n,Nameless,\n");
    rows.push_str("person1@faulty.example,Again,\ncyd@example.org,Cyd,Sales,too,much\n");
    let endless = [
        "long".repeat(30),
        "@example.org,A name that has no end ".to_owned(),
        "x".repeat(300),
    ];
    rows.push_str(&endless.concat());
    rows.push_str(",\n");
    rows.push_str(&"unknown,No,One\n".repeat(60));
    rows
}

impl Scene {
    /// Creates an import in each state.
    pub(super) async fn files_are_uploaded(&mut self, browser: &Browser) {
        for (name, file_name, rows) in [
            ("faulty_file", "staff-nov.csv", faulty()),
            (
                "good_file",
                "a-file-with-a-name-that-is-as-long-as-such-names-are_final_v2 (copy).csv",
                people("good", 3),
            ),
            ("hopeless_file", "hopeless.csv", "email\na\nb\n".to_owned()),
            ("unreadable_file", "names.csv", "name\nAda\n".to_owned()),
            (
                "unclear_file",
                "kontakte.csv",
                "Kontakt,Name,Name,\nana@example.org,Ana Ruiz,x,y\n".to_owned(),
            ),
            ("discarded_file", "discarded.csv", people("gone", 3)),
            ("checking_file", "checking.csv", people("checking", 3)),
            ("interrupted_file", "interrupted.csv", people("interrupted", 3)),
        ] {
            self.is_uploaded(browser, name, file_name, &rows).await;
        }
        browser.sees("Check import: interrupted.csv").await;
        let discarded = json!({ "state": "discarded", "ended_at": "now", "ended_by": "Priya Nair" });
        // At work for as long as the test lasts.
        let in_an_hour = (self.world.now().await + Duration::hours(1)).format(&Rfc3339).unwrap();
        let checking = json!({
            "state": "checking", "progress_at": in_an_hour, "progress_rows": 42_000, "row_count": 100_000,
        });
        let interrupted = json!({ "state": "storing", "progress_at": "-infinity" });
        for (file, state) in [
            ("discarded.csv", discarded),
            ("checking.csv", checking),
            ("interrupted.csv", interrupted),
        ] {
            self.world.rows("imports").with("file_name", file).set(state).await;
        }
        let lone = self.world.import(&people("lone", 2)).await.expect(201);
        self.knows("lone_import", Some(&lone["id"]));
        let undone = self.world.import(&people("undone", 2)).await.expect(201);
        self.knows("undone_import", Some(&undone["id"]));
        let page = format!("/console/imports/{}/undo", undone["id"].as_str().unwrap());
        go(browser, &self.world, &page).await;
        browser.click("Remove 2 users").await;
        browser.sees("This import was undone").await;
        self.knows_user("long_user", "wilhelmina").await;
        self.knows_user("nameless_user", "noname@").await;
    }

    async fn is_uploaded(&mut self, browser: &Browser, name: &'static str, file_name: &str, rows: &str) {
        go(browser, &self.world, "/console/imports/new").await;
        browser.attach("File", &file(&self.world, file_name, rows)).await;
        browser.click("Upload and check").await;
        let path = browser.path().await;
        self.knows(name, path.split('/').nth(3).map(Value::from).as_ref());
        browser.loses("You can leave this page").await;
    }

    async fn knows_user(&mut self, name: &'static str, search: &str) {
        let users = self.world.get(&format!("/v1/users?q={search}")).await.expect(200);
        let id = json!(users["items"][0]["id"]);
        self.knows(name, Some(&id));
    }
}
