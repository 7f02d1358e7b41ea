//! Users are found by any of the conditions that the API has, one by one or under a name.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{go, windows};

#[tokio::test]
async fn conditions_are_combined_and_can_be_sent_to() {
    let world = World::start().await;
    for email in ["ada@example.org", "bob@example.org", "550+dan@example.org"] {
        world.person(email).await;
    }
    let invites = world
        .invite(json!({ "emails": ["ada@example.org", "550+dan@example.org"] }))
        .await;
    let passwords = world.reset_passwords(json!({ "emails": ["bob@example.org"] })).await;
    world.finished(invites).await;
    world.finished(passwords).await;

    for window in windows() {
        let browser = Browser::start(window).await;
        browser.sign_in(&world).await;
        go(&browser, &world, "/console/users").await;
        browser.pick("Show", "Password sent, not used").await;
        browser.click("Search").await;
        browser.sees("bob@example.org").await;
        browser.loses("ada@example.org").await;
        browser.assert_sound().await;

        browser.pick("Show", "All").await;
        browser.click("More filters").await;
        browser.pick("Invite", "Sent").await;
        browser.pick("Address", "Not blocked").await;
        browser.click("Search").await;
        browser.sees("More filters (2)").await;
        browser.sees("ada@example.org").await;
        browser.loses("bob@example.org").await;
        browser.loses("550+dan@example.org").await;
        browser.assert_sound().await;
        browser.click("Select all").await;
        browser.sees("1 selected").await;

        browser.pick("Show", "Not invited yet").await;
        browser.click("Search").await;
        browser
            .sees("These filters contradict each other, so nobody matches.")
            .await;
        browser.assert_sound().await;
        browser.click("Show everybody").await;
        browser.sees("bob@example.org").await;
        browser.sees("1 selected").await;
    }
    world.end().await;
}
