//! Selecting users page by page, and sending to exactly those.

use std::time::Duration;

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::{go, windows};

/// A world whose batches start immediately.
async fn a_hasty_world() -> World {
    World::with(Setup::default().api_setting("BECKON_HOLD", "0s")).await
}

async fn at_users(world: &World, window: browser::Setup) -> Browser {
    let browser = Browser::start(window).await;
    browser.sign_in(world).await;
    go(&browser, world, "/console/users").await;
    browser
}

async fn batches(world: &World) -> usize {
    let page = world.get("/v1/batches").await.expect(200);
    page["items"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_choice_survives_paging_and_searching_and_is_sent_to_once() {
    World::run_in(a_hasty_world().await, async |world| {
        let rows: Vec<String> = (101..=220)
            .map(|n| format!("person{n}@example.org,Person {n},Example"))
            .collect();
        let rows = rows.join("\n");
        world
            .import(&format!("email,first name,last name\n{rows}"))
            .await
            .expect(201);

        for (turn, window) in windows().into_iter().enumerate() {
            let browser = at_users(world, window).await;
            // The latest come first: 220 to 171, 170 to 121, 120 to 101.
            let [first, second, third] = [219 - turn, 169 - turn, 119 - turn];
            browser
                .choose(&format!("Select Person {first} Example, person{first}@example.org"))
                .await;
            browser.click("Next page").await;
            browser
                .choose(&format!("Select Person {second} Example, person{second}@example.org"))
                .await;
            browser
                .fill("Search by name or email address", &format!("person{third}@"))
                .await;
            browser.click("Search").await;
            browser
                .choose(&format!("Select Person {third} Example, person{third}@example.org"))
                .await;
            browser.fill("Search by name or email address", "").await;
            browser.click("Search").await;
            browser.sees("3 selected").await;
            assert!(
                browser
                    .is_chosen(&format!("Select Person {first} Example, person{first}@example.org"))
                    .await
            );
            browser.assert_sound().await;

            browser.click("Invite users").await;
            browser.click("Send Invite Email").await;
            assert_eq!(browser.heading().await, "Preview: Invitation Email to New Users");
            browser.sees("(1 of 3)").await;
            browser.assert_sound().await;
            browser.click("Continue").await;
            assert_eq!(browser.heading().await, "Check before you send");
            browser.assert_sound().await;
            browser.double_click("Send 3 invite emails").await;

            browser
                .eventually("the batch's page", async || {
                    browser.path().await.starts_with("/console/batches/").then_some(())
                })
                .await;
            assert_eq!(batches(world).await, turn + 1);
            sending_again_finds_the_same_batch(&browser, world, turn + 1).await;
            for person in [first, second, third] {
                let mails = world.relay.mails_to(&format!("person{person}@example.org")).unwrap();
                assert_eq!(mails.len(), 1, "person{person}");
            }
        }
    })
    .await;
}

/// Goes back from a batch's page and sends again: this leads to the same batch, still marked as sent already at its
/// end.
///
/// A browser that cached the page shows it unchanged; one that requests it again is redirected.
async fn sending_again_finds_the_same_batch(browser: &Browser, world: &World, count: usize) {
    let of_batch = browser.path().await;
    let again = "This selection was already sent";
    browser.back().await;
    let is_kept = browser
        .eventually("the form, or the batch once more", async || {
            let form = browser.heading().await == "Check before you send";
            (form || browser.text().await.contains(again)).then_some(form)
        })
        .await;
    if is_kept {
        browser.click("Send 3 invite emails").await;
    }
    browser.sees(again).await;
    assert_eq!((browser.path().await, batches(world).await), (of_batch.clone(), count));

    let batch = of_batch.rsplit('/').next().unwrap().parse().unwrap();
    world.finished(batch).await;
    if browser.setup().scripting {
        browser.sees("All 3 were sent.").await;
        browser.sees(again).await;
    }
}

#[tokio::test]
async fn all_matching_users_are_selected_and_none_is_added_unseen() {
    World::run_in(a_hasty_world().await, async |world| {
        let import = world.people(60).await;
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;

        go(
            &browser,
            world,
            &format!("/console/selections/new?kind=invite&import={import}"),
        )
        .await;
        browser.sees("60 selected").await;
        browser.unchoose("Select Person 60 Example, person60@example.org").await;
        browser.sees("59 selected").await;
        browser.click("Send Invite Email").await;
        browser.sees("Send 59 invite emails").await;
        world.import("email\nlate@example.org\n").await.expect(201);
        browser.click("Send 59 invite emails").await;
        browser
            .eventually("the batch's page", async || {
                browser.path().await.starts_with("/console/batches/").then_some(())
            })
            .await;

        let batch = browser.path().await.rsplit('/').next().unwrap().parse().unwrap();
        let ended = world.finished(batch).await;
        assert_eq!(
            (&ended["counts"]["selected"], &ended["counts"]["sent"]),
            (&json!(59), &json!(59))
        );
        assert!(world.relay.mails_to("late@example.org").unwrap().is_empty());
        assert!(world.relay.mails_to("person60@example.org").unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_sums_of_the_check_are_those_of_the_batch() {
    World::run_with(Setup::default().api_setting("BECKON_HOLD", "10min"), async |world| {
        world.people(40).await;
        let emails = |numbers: std::ops::Range<usize>| -> Vec<String> {
            numbers.map(|n| format!("person{n}@example.org")).collect()
        };
        // Ten have it already, five of these have signed in, and five are owed one.
        let mailed = world.reset_passwords(json!({ "emails": emails(1..11) })).await;
        world.finished(mailed).await;
        for person in 1..6 {
            let email = format!("person{person}@example.org");
            let mails = world.relay.mails_to(&email).unwrap();
            let password = mails[0].password().unwrap();
            world.sign_in(&email, password).await;
        }
        world
            .reset_passwords(json!({ "emails": emails(11..16), "hold_seconds": 3600 }))
            .await;
        let browser = at_users(world, browser::Setup::default()).await;

        browser.click("Select all 40 users").await;
        browser.sees("40 selected").await;
        browser.click("Invite users").await;
        browser.click("Send Password Reset Email").await;
        browser.click("Continue").await;
        browser.sees("Send 25 password emails").await;
        browser.choose("Send them a password too").await;
        browser.click("Update the numbers").await;
        browser.sees("Send 25 password emails").await;
        // Sending before the numbers are shown sends nothing that the administrator has not seen.
        browser.choose("Send it again").await;
        browser.click("Send 25 password emails").await;
        browser.sees("Nothing has been sent yet.").await;
        browser.assert_sound().await;
        browser.sees("Send 35 password emails").await;
        browser.choose("Do not send it again").await;
        browser.click("Update the numbers").await;
        browser.sees("Send 25 password emails").await;
        browser.choose("Send it again").await;
        browser.click("Update the numbers").await;
        browser.click("Send 35 password emails").await;
        browser.sees("There is a problem").await;
        browser
            .choose("I understand that people who can already sign in get a new password")
            .await;
        browser.click("Send 35 password emails").await;
        browser
            .eventually("the batch's page", async || {
                browser.path().await.starts_with("/console/batches/").then_some(())
            })
            .await;

        let batch = browser.path().await.rsplit('/').next().unwrap().parse().unwrap();
        let held = world.batch(batch).await;
        assert_eq!(held["state"], "held");
        assert_eq!(
            (&held["counts"]["selected"], &held["counts"]["waiting"]),
            (&json!(40), &json!(35))
        );
        assert_eq!(held["left_out"], json!({ "already_waiting": 5 }));
    })
    .await;
}

async fn signs_in_now(world: &World, email: &str) {
    let user = world.rows("users").with("email", email);
    user.set(json!({ "signed_in_at": "now" })).await;
}

#[tokio::test]
async fn a_changed_number_is_reported_before_anything_is_sent() {
    for window in windows() {
        World::run_in(a_hasty_world().await, async |world| {
            let import = world.people(12).await;
            // Two have signed in, one of whom got an invite an hour ago; one address is blocked.
            for email in ["person1@example.org", "person2@example.org"] {
                signs_in_now(world, email).await;
            }
            let hour = Duration::from_hours(1);
            world
                .sent_before(world.user_id("person2@example.org").await, "invite", hour)
                .await;
            world.block_address(world.user_id("person3@example.org").await).await;
            let browser = at_users(world, window).await;
            browser.click("Select all 12 users").await;
            browser.click("Invite users").await;
            browser.click("Send Invite Email").await;
            browser.click("Continue").await;

            browser.sees("2 people have already signed in").await;
            browser
                .sees("1 of them also got this email in the last 24 hours.")
                .await;
            browser.sees("1 person has a blocked address").await;
            browser.finds("Send 9 invite emails").await;
            browser.assert_sound().await;
            signs_in_now(world, "person4@example.org").await;
            browser.click("Send 9 invite emails").await;
            browser
                .sees("The number of emails changed from 9 to 8 while you were checking. Nothing was sent.")
                .await;
            assert_eq!(batches(world).await, 0);
            browser.assert_sound().await;
            browser.click("Send 8 invite emails").await;
            browser.sees("Invite email to 8 people").await;

            let batch = browser.path().await.rsplit('/').next().unwrap().parse().unwrap();
            let ended = world.finished(batch).await;
            assert_eq!(ended["left_out"], json!({ "signed_in": 3, "address_blocked": 1 }));
            go(&browser, world, &format!("/console/batches/{batch}/left-out")).await;
            browser.sees("Has a blocked address").await;
            browser.assert_sound().await;
            browser.click("Unblock the address of Person 3 Example").await;
            browser.sees("person3@example.org has been blocked since").await;
            assert_eq!(world.batch(batch).await["counts"]["sent"], 8, "of the import {import}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_empty_selection_is_reported_and_a_foreign_one_is_not_found() {
    World::run_in(a_hasty_world().await, async |world| {
        world.people(2).await;
        let browser = at_users(world, browser::Setup::default().width(375)).await;

        browser.click("Invite users").await;
        browser.click("Send Invite Email").await;
        browser.sees("Select at least one user").await;
        assert!(browser.title().await.starts_with("Error: Users"));

        browser.choose("Select Person 1 Example, person1@example.org").await;
        browser.click("Invite users").await;
        browser.click("Send Invite Email").await;
        browser.sees("(1 of 1)").await;
        let path = browser.path().await;
        let other = world.another_administrator("Omar Haddad", "omar@lerna.example").await;
        let elsewhere = Browser::start(browser::Setup::default()).await;
        elsewhere.sign_in_as(world, &other).await;
        go(&elsewhere, world, &path).await;
        assert_eq!(elsewhere.heading().await, "Page not found");
    })
    .await;
}
