//! Users are filtered by any condition of the API, individually or as a named filter.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{go, windows};

/// Enters a value that is not a date, and corrects it.
async fn an_invalid_value_is_corrected(browser: &Browser, world: &World) {
    go(browser, world, "/console/users").await;
    browser.click("More filters").await;
    browser.pick("Field 1", "start_date").await;
    browser.pick("Comparison 1", "is after").await;
    browser.fill("Value 1", "yesterday").await;
    browser.click("Apply these filters").await;
    browser.sees("start_date after needs a date such as 2026-12-31").await;
    assert_eq!(browser.heading().await, "Users");
    assert_eq!(browser.value("Value 1").await, "yesterday");
    browser.sees("Correct the filter to see who matches.").await;
    browser.assert_sound().await;
    browser.fill("Value 1", "2026-11-15").await;
    browser.click("Apply these filters").await;
    browser.sees("bob@example.org").await;
    browser.loses("ada@example.org").await;
}

#[tokio::test]
async fn field_values_are_filtered_saved_and_used_again() {
    World::run_in(crate::a_quiet_world().await, async |world| {
        world
            .import("email,first name,department,start_date\nada@example.org,Ada,HR,2026-11-01\nbob@example.org,Bob,Sales,2026-12-01\ncem@example.org,Cem,HR,\n")
            .await
            .expect(201);

        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/users").await;
            browser.click("More filters").await;
            browser.pick("Field 1", "department").await;
            browser.fill("Value 1", "hr").await;
            browser.pick("Field 2", "start_date").await;
            browser.pick("Comparison 2", "is before").await;
            browser.fill("Value 2", "2026-12-01").await;
            browser.click("Apply these filters").await;

            browser.sees("Users who match all of these conditions: department is \u{2018}hr\u{2019}; start_date is before 2026-12-01.").await;
            browser.sees("ada@example.org").await;
            browser.loses("bob@example.org").await;
            browser.loses("cem@example.org").await;
            browser.assert_sound().await;
            let name = format!("HR before December {n}");
            browser.click("Save this filter").await;
            browser.fill("Name of the filter", &name).await;
            browser.click("Save filter").await;
            browser
                .sees(&format!("The filter is saved as \u{2018}{name}\u{2019}."))
                .await;

            browser.pick("Comparison 2", "is empty").await;
            browser.fill("Value 2", "").await;
            browser.pick("In the import", "people.csv").await;
            browser.choose("Not in the import").await;
            browser.click("Apply these filters").await;
            browser.sees("not in the import people.csv").await;
            browser.sees("No users match these filters.").await;
            browser.click(&name).await;
            browser.sees("ada@example.org").await;
            browser.click("Manage filters").await;
            assert_eq!(browser.heading().await, "Saved filters");
            browser.assert_sound().await;
            browser.click(&format!("Delete the filter {name}")).await;
            browser.sees("The filter is deleted.").await;
            browser.assert_sound().await;

            go(&browser, world, "/console/users").await;
            browser.click("More filters").await;
            browser.choose("department").await;
            browser.pick("Order", "Last name").await;
            browser.click("Apply these filters").await;
            browser.sees("Sales").await;
            browser.assert_sound().await;

            an_invalid_value_is_corrected(&browser, world).await;
        }
    })
    .await;
}

#[tokio::test]
async fn conditions_are_combined_and_can_be_sent_to() {
    World::run(async |world| {
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
            browser.sign_in(world).await;
            go(&browser, world, "/console/users").await;
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
                .sees("These filters contradict each other, so no users match.")
                .await;
            browser.assert_sound().await;
            browser.click("Show all users").await;
            browser.sees("bob@example.org").await;
            browser.sees("1 selected").await;
        }
    })
    .await;
}
