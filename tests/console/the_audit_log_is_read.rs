//! The audit log can be read, searched and downloaded, but not changed.

use harness::World;
use harness::browser::{self, Browser};
use serde_json::json;
use time::Duration;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use uuid::Uuid;

use crate::{a_quiet_world, go, windows};

/// Many old entries, so that the log has several pages.
async fn much_was_done(world: &World) {
    let entries = (1..=120).map(|n| {
        let at = datetime!(2026-01-01 00:00 UTC) + Duration::hours(n);
        json!({
            "at": at.format(&Rfc3339).unwrap(), "who": "key intranet", "action": "file_imported",
            "subject": format!("import {}", Uuid::new_v4()), "details": { "rows": n, "created": n },
        })
    });
    world.insert("audit", entries.collect()).await;
}

#[tokio::test]
async fn it_is_read_in_pages_and_found_by_who_what_and_when() {
    World::run_in(a_quiet_world().await, async |world| {
        much_was_done(world).await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/audit").await;
            browser.sees("Signed in").await;
            browser.sees("Priya Nair").await;
            browser.assert_sound().await;

            browser.pick("Who", "key intranet").await;
            browser.click("Show").await;
            browser.sees("120 rows").await;
            browser.loses("Priya Nair Signed in").await;
            browser.click("Next").await;
            assert_eq!(browser.title().await, "Audit log (page 2) – Beckon");
            browser.click("Next").await;
            browser.sees("1 row · 1 new").await;
            browser.assert_sound().await;
            browser.click("← Previous").await;
            browser.click("← Previous").await;
            assert_eq!(browser.title().await, "Audit log – Beckon");

            go(
                &browser,
                world,
                "/console/audit?from=2026-01-02&to=2026-01-02&what=users",
            )
            .await;
            // From 00:00, which is the 24th hour, to 23:00.
            browser.sees("24 rows").await;
            browser.sees("47 rows").await;
            browser.loses("48 rows").await;
            browser.loses("23 rows").await;
            go(&browser, world, "/console/audit?who=stranger").await;
            browser.sees("No entries match these filters").await;
            go(&browser, world, "/console/audit?from=yesterday").await;
            browser.sees("Write the day as 2026-11-23").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_taken_away_as_a_file_that_is_safe_to_open() {
    World::run_in(a_quiet_world().await, async |world| {
        much_was_done(world).await;
        let formula = json!({ "who": "=cmd|'/c calc'!A1", "action": "signed_in" });
        world.insert("audit", formula).await;
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;

        go(&browser, world, "/console/audit").await;
        let file = browser.download("Download (CSV)").await;
        let text = file.text;

        assert!(
            text.contains(
                "\"at\",\"who\",\"action\",\"subject\",\"details\",\"actor_kind\",\"actor_id\",\"client_address\",\"request_id\""
            ),
            "{text}"
        );
        assert!(text.contains("\"'=cmd|'/c calc'!A1\""), "{text}");
        let lines = world.rows("audit").count().await;
        assert_eq!(i64::try_from(text.lines().count()).unwrap(), lines + 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_on_record_cannot_be_changed() {
    World::run_in(a_quiet_world().await, async |world| {
        much_was_done(world).await;

        for change in [
            "update audit set who = 'forged'",
            "delete from audit",
            "truncate audit",
            "with gone as (delete from audit returning 1) select count(*) from gone",
        ] {
            let refused = sqlx::query(change).execute(&world.db).await.unwrap_err();
            assert!(
                refused.to_string().contains("only ever added to"),
                "{change}: {refused}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn failed_sign_ins_are_counted_and_what_was_typed_is_not_recorded() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let sign_in = format!("{}/console/sign-in", world.base());
        let client = reqwest::Client::new();
        let enter = async |email: &str| {
            let form = [("email", email), ("password", "not the right password")];
            client.post(&sign_in).form(&form).send().await.unwrap().status()
        };

        for email in [
            &*priya.email,
            &*priya.email,
            &*priya.email,
            "my secret passphrase",
            "ana@lerna.example",
        ] {
            assert_eq!(enter(email).await, 422);
        }
        // The first of each kind is written immediately.
        world
            .eventually("two lines", async || {
                let (lines, number) = failed_sign_ins(world).await;
                (lines.len() == 2 && number == 2).then_some(())
            })
            .await;
        assert_eq!(world.stop_api().await, 0);

        let (lines, numbers) = failed_sign_ins(world).await;
        assert_eq!(numbers, 5, "{lines:?}");
        for (subject, who, client) in lines {
            assert!(subject.is_empty() || subject.starts_with("administrator "), "{subject}");
            assert_eq!((who.as_str(), client.as_str()), ("unknown", "127.0.0.1"));
        }
        let all = world.rows("audit").texts().await.join(" ");
        assert!(!all.contains("passphrase") && !all.contains("ana@"), "{all}");
    })
    .await;
}

/// The entries about failed sign-ins (subject, who, client), and how many failures they represent.
async fn failed_sign_ins(world: &World) -> (Vec<(String, String, String)>, i64) {
    let failed = world.audited("sign_in_failed").await;
    let number = failed
        .iter()
        .map(|entry| entry.details["count"].as_i64().unwrap())
        .sum();
    let failed = failed.into_iter();
    let lines = failed.map(|entry| (entry.subject, entry.who, entry.client_address.unwrap()));
    (lines.collect(), number)
}
