//! One user: added by hand, changed, emailed, deleted.

use harness::World;
use harness::browser::Browser;

use crate::files::ByWire;
use crate::{a_quiet_world, desk, go, telephone, windows};

#[tokio::test]
async fn everything_kept_about_a_user_is_downloaded_from_their_page() {
    World::run_in(a_quiet_world().await, async |world| {
        let ana = world.person("ana@example.org").await;
        let by_wire = ByWire::sign_in(world).await;
        let export = format!("/console/users/{ana}/export");

        let page = by_wire
            .get(&format!("/console/users/{ana}"))
            .await
            .text()
            .await
            .unwrap();
        let file = by_wire.get(&export).await;

        assert!(page.contains(&format!("href=\"{export}\" download")), "{page}");
        let name = file.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert_eq!(name, format!("attachment; filename=\"user-{ana}.json\""));
        let kept: serde_json::Value = file.json().await.unwrap();
        let mut by_key = world.get(&format!("/v1/users/{ana}/export")).await.expect(200);
        let audit = by_key["audit"].as_array_mut().unwrap();
        let last = audit.pop().unwrap();
        assert_eq!(last["action"], "user_exported", "the first export is on record: {last}");
        assert_eq!(kept, by_key);
        let exports = world.audited("user_exported").await;
        assert_eq!(exports.len(), 2, "{exports:?}");
        assert_eq!(exports[1].who, "key tests");
        assert_eq!(kept["user"]["email"], "ana@example.org");
    })
    .await;
}

#[tokio::test]
async fn a_user_is_added_changed_and_deleted() {
    World::run_in(a_quiet_world().await, async |world| {
        world
            .import("email,department\nfirst@example.org,Sales\n")
            .await
            .expect(201);

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            browser.click("Add a user").await;
            browser.assert_sound().await;
            browser.fill("First name", "visit evil.example/x").await;
            browser.fill("Department", "Finance").await;
            browser.fill("Value", "1 May").await;
            browser.click("Add user").await;
            for text in [
                "Enter an email address",
                "Looks like a web address",
                "Enter a name for the field",
            ] {
                browser.sees(text).await;
            }
            assert!(browser.title().await.starts_with("Error: "));
            assert_eq!(browser.value("Department").await, "Finance", "nothing typed is lost");
            browser.assert_sound().await;
            browser.fill("Email address", "FIRST@example.org").await;
            browser.fill("First name", "Ana").await;
            browser.fill("Name", "Start date").await;
            browser.click("Add user").await;
            browser.sees("Another user has this address").await;
            browser.assert_sound().await;
            browser.fill("Email address", "ana@example.org").await;
            browser.click("Add user").await;

            browser.sees("The user is added. No one was emailed.").await;
            assert_eq!(browser.heading().await, "Ana");
            browser.sees("Start date").await;
            browser.sees("Nothing has been sent to them yet.").await;
            browser.assert_sound().await;
            the_user_is_changed_and_deleted(&browser).await;
        }
        let mut acts = world.audit_log().await;
        acts.retain(|act| act.who == "Priya Nair" && act.action.starts_with("user"));
        assert_eq!(acts.len(), 3 * windows().len(), "{acts:?}");
    })
    .await;
}

async fn the_user_is_changed_and_deleted(browser: &Browser) {
    browser.click("Edit").await;
    browser.fill("Last name", "Ruiz").await;
    browser.fill("Start date", "").await;
    browser.assert_sound().await;
    browser.click("Save").await;
    browser.sees("The details are saved.").await;
    assert_eq!(browser.heading().await, "Ana Ruiz");
    browser.loses("1 May").await;
    browser.click("Edit").await;
    browser.click("Save").await;
    browser.sees("Nothing was changed.").await;
    browser.click("Delete").await;
    browser.sees("This cannot be undone.").await;
    browser.assert_sound().await;
    browser.click("Keep them").await;
    browser.click("Delete").await;
    browser.click("Delete Ana Ruiz").await;
    browser.sees("Ana Ruiz is deleted.").await;
}

#[tokio::test]
async fn a_conflicting_change_of_a_user_is_reported() {
    World::run_in(a_quiet_world().await, async |world| {
        let id = world.person("ana@example.org").await;
        let browser = Browser::start(telephone()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/users/{id}/edit")).await;
        let change = serde_json::json!({ "last_name": "Changed" });
        world
            .ask(reqwest::Method::PATCH, &format!("/v1/users/{id}"), Some(change), None)
            .await
            .expect(200);

        browser.fill("Last name", "Mine").await;
        browser.click("Save").await;
        browser.sees("This user was changed while you were editing.").await;
        browser.sees("Current value: Changed").await;
        browser.assert_sound().await;
        assert_eq!(browser.value("Last name").await, "Mine");
        browser.click("Save").await;

        browser.sees("The details are saved.").await;
        assert_eq!(last_name(world, &id.to_string()).await, "Mine");
    })
    .await;
}

async fn last_name(world: &World, id: &str) -> String {
    let user = world.get(&format!("/v1/users/{id}")).await.expect(200);
    user["last_name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_lost_password_is_sent_again_in_two_clicks() {
    World::run(async |world| {
        let id = world.person("ana@example.org").await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/users/{id}")).await;

        browser.click("Send Password Reset Email").await;
        browser.click("Send 1 password email").await;
        browser.click("Send now").await;

        world
            .eventually("the mail", async || {
                let mails = world.relay.mails_to("ana@example.org").ok()?;
                (mails.len() == 1).then_some(())
            })
            .await;
        go(&browser, world, &format!("/console/users/{id}")).await;
        browser.sees("Reset Password").await;
        browser.sees("Works until").await;
        browser.click("Reset Password").await;
        browser.sees("Ada").await;
    })
    .await;
}
