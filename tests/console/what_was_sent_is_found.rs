//! The list of all batches.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{desk, go, windows};

#[tokio::test]
async fn batches_and_single_mails_are_listed_and_people_are_looked_for() {
    World::run(async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/activity").await;
        browser.sees("Nothing sent yet").await;
        browser.assert_sound().await;
        let import = world
            .import("email,first name\n550+ada@example.org,Ada\nben@example.org,Ben\n")
            .await
            .expect(201);
        let batch = world.invite(json!({ "import": import["id"] })).await;
        world.finished(batch).await;
        let one = world.reset_passwords(json!({ "emails": ["ben@example.org"] })).await;
        world.finished(one).await;

        for window in windows() {
            browser.become_like(window).await;
            go(&browser, world, "/console/activity").await;
            browser.sees("Finished with failures").await;
            browser.sees("1 sent, 1 failed").await;
            browser.sees("Ben, ben@example.org").await;
            browser.assert_sound().await;
            browser.pick("Email", "Reset Password").await;
            browser.click("Show").await;
            browser.loses("2 invite emails").await;
            browser.click("Show all activity").await;
            browser.fill("Search by name or email address", "550+ADA@").await;
            browser.click("Show").await;
            browser.sees("Address does not exist").await;
            browser.loses("Ben").await;
            browser.assert_sound().await;
            browser.fill("Search by name or email address", "unknown%").await;
            browser.click("Show").await;
            browser.sees("No emails to people who match ‘unknown%’.").await;
        }
        go(&browser, world, "/console/activity").await;
        let list = browser.download("Download this list (CSV)").await;
        let lines: Vec<&str> = list.text.lines().collect();
        assert_eq!(lines.len(), 3, "{}", list.text);
        assert!(
            lines[2].contains("\"Finished\",\"2\",\"0\",\"1\",\"1\",\"0\""),
            "{}",
            list.text
        );
    })
    .await;
}
