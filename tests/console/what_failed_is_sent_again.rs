//! From failed deliveries to sending them again.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::go;

#[tokio::test]
async fn those_of_one_reason_are_checked_and_sent_to_again() {
    World::run(async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        let people = "email,first name,team\n550+ada@example.org,Ada,Red\n552-after-dot+ben@example.org,Ben,Blue\n\
                      552-after-dot+eve@example.org,Eve,=1+1\nfay@example.org,Fay,Red\n";
        world.import(people).await.expect(201);
        browser.sign_in(world).await;
        let people = people.lines().skip(1).filter_map(|line| line.split(',').next());
        let emails: Vec<&str> = people.map(str::trim).chain(["unknown@example.org"]).collect();
        let batch = world.invite(json!({ "emails": emails })).await;
        world.finished(batch).await;
        go(&browser, world, &format!("/console/batches/{batch}")).await;

        browser.sees("1 sent, 3 failed.").await;
        browser
            .sees("The mail server reports that this address does not exist.")
            .await;
        browser.assert_sound().await;
        let report = browser.download("Download report (CSV)").await;
        browser.click("2 (Inbox full)").await;
        browser.sees("552-after-dot+ben@example.org").await;
        browser.loses("fay@example.org").await;
        browser.click("3 failed").await;
        browser.sees("Failed, newest first").await;
        world
            .relay
            .set("552-after-dot+ben@example.org", harness::relay::Behaviour::Accept);
        browser.click("Send 2 again (Inbox full)").await;
        assert_eq!(browser.heading().await, "Check before you send");
        browser.click("Send 2 invite emails").await;
        browser.click("Send now").await;
        browser.sees("1 sent, 1 failed.").await;

        let lines: Vec<&str> = report.text.lines().collect();
        assert_eq!(lines.len(), 6, "{}", report.text);
        assert!(lines[0].contains("\"team\",\"Status\",\"Reason\""), "{}", lines[0]);
        assert!(
            lines.iter().any(|line| line.contains("\"'=1+1\",\"Inbox full\"")),
            "{}",
            report.text
        );
        assert!(
            lines
                .iter()
                .any(|line| line.contains("\"Left out\",\"Not one of your users\"")),
            "{}",
            report.text
        );
        assert!(
            report.disposition.contains("report-4-invite-emails.csv"),
            "{}",
            report.disposition
        );
    })
    .await;
}

#[tokio::test]
async fn people_who_may_have_it_twice_are_listed() {
    let setup = Setup::default().worker_setting("BECKON_RETRY_FIRST", "1s");
    World::run_with(setup, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        let import = world
            .import("email\ndrop-after-dot@example.org\nfay@example.org\n")
            .await
            .expect(201);
        browser.sign_in(world).await;
        let batch = world.invite(json!({ "import": import["id"] })).await;
        world.until(batch, "unsure", 1).await;
        world
            .relay
            .set("drop-after-dot@example.org", harness::relay::Behaviour::Accept);
        world.finished(batch).await;
        go(&browser, world, &format!("/console/batches/{batch}")).await;

        browser.sees("All 2 were sent.").await;
        browser.click("1 person").await;

        browser.sees("drop-after-dot@example.org").await;
        browser.loses("fay@example.org").await;
        browser.sees("Possibly twice").await;
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn people_who_were_left_out_are_listed_with_the_reason() {
    World::run_with(Setup::default().workers(0), async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        world.people(2).await;
        browser.sign_in(world).await;
        let people = (1..=2).map(|n| format!("person{n}@example.org"));
        let strangers = (0..60).map(|n| format!("stranger{n}@example.org"));
        let emails: Vec<String> = people.chain(strangers).collect();
        let batch = world.invite(json!({ "emails": emails, "hold_seconds": 600 })).await;
        go(&browser, world, &format!("/console/batches/{batch}")).await;

        browser.click("60 left out").await;
        assert_eq!(browser.heading().await, "60 people left out");
        browser.sees("Not one of your users").await;
        let list = browser.download("Download this list (CSV)").await;
        browser.click("Next page →").await;
        browser.sees("stranger59@example.org").await;
        browser.click("← Previous page").await;
        browser.sees("stranger0@example.org").await;
        browser.assert_sound().await;

        assert_eq!(list.text.lines().count(), 61, "{}", list.text);
    })
    .await;
}
