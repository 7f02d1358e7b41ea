//! A mail cannot be recalled, but the unused password in it can be revoked.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{go, telephone};

#[tokio::test]
async fn unused_passwords_stop_working() {
    World::run(async |world| {
        let import = world.people(3).await;
        let batch = world.reset_passwords(json!({ "import": import })).await;
        world.finished(batch).await;
        let passwords: Vec<(String, String)> = (1..=3)
            .map(|n| format!("person{n}@example.org"))
            .map(|email| {
                let mails = world.relay.mails_to(&email).unwrap();
                (email, mails[0].password().unwrap().to_owned())
            })
            .collect();
        world.sign_in(&passwords[0].0, &passwords[0].1).await;
        let browser = Browser::start(telephone()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/batches/{batch}")).await;

        browser.click("Revoke passwords").await;
        browser
            .sees("2 unused passwords from this batch will stop working.")
            .await;
        browser.sees("1 person has already used theirs").await;
        browser.sees("Also revoke the password that was already used").await;
        browser.assert_sound().await;
        browser.click("Revoke 2 passwords").await;
        browser
            .sees("Success 2 passwords were revoked. 1 had already been used")
            .await;

        assert!(!world.signs_in(&passwords[1].0, &passwords[1].1).await);
        world.sign_in(&passwords[0].0, &passwords[0].1).await;
        browser.click("Revoke passwords").await;
        browser.sees("1 person has already used theirs").await;
        browser.sees("1 used password from this batch will stop working.").await;
        browser.assert_sound().await;
        browser.click("Revoke 1 used password").await;
        browser.sees("Success 1 password was revoked.").await;
        assert!(!world.signs_in(&passwords[0].0, &passwords[0].1).await);
        browser.click("Revoke passwords").await;
        browser.sees("There is nothing to revoke.").await;
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_page_that_comes_too_late_reports_no_success() {
    World::run(async |world| {
        let import = world.people(2).await;
        let batch = world.reset_passwords(json!({ "import": import })).await;
        world.finished(batch).await;
        let mails = world.relay.mails_to("person1@example.org").unwrap();
        let used = mails[0].password().unwrap();
        world.sign_in("person1@example.org", used).await;
        let browser = Browser::start(telephone()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/batches/{batch}/revoke")).await;
        browser.finds("Revoke 1 password").await;
        world
            .post("/v1/credentials/revoke", json!({ "batch": batch }))
            .await
            .expect(200);

        browser.click("Revoke 1 password").await;

        browser
            .sees("Note No passwords were revoked. 1 had already been used")
            .await;
        browser.loses("Success").await;
        world.sign_in("person1@example.org", used).await;
    })
    .await;
}
