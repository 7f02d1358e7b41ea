//! A user is locked and unlocked on their page; correcting an address revokes what was mailed to it.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{desk, go, telephone};

/// Mails Ana a password, and returns her id and the password.
async fn mailed(world: &World) -> (uuid::Uuid, String) {
    let id = world.person("ana@example.org").await;
    let batch = world.reset_passwords(json!({ "users": [id] })).await;
    world.finished(batch).await;
    let mails = world.relay.mails_to("ana@example.org").unwrap();
    (id, mails[0].password().unwrap().to_owned())
}

#[tokio::test]
async fn a_user_is_locked_and_unlocked() {
    World::run(async |world| {
        let (id, password) = mailed(world).await;
        world.sign_in("ana@example.org", &password).await;
        let browser = Browser::start(telephone()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/users/{id}")).await;

        browser.click("Lock").await;
        browser
            .sees("The passwords that were mailed to them stop working.")
            .await;
        browser.assert_sound().await;
        browser.click("Go back without locking them").await;
        browser.click("Lock").await;
        browser.click("Lock Ada").await;
        browser.sees("is locked. 1 password stopped working.").await;
        browser.sees("They cannot sign in or receive passwords").await;
        browser.loses("Send Password Reset Email").await;
        browser.assert_sound().await;
        assert!(!world.signs_in("ana@example.org", &password).await);

        browser.click("Unlock").await;
        browser
            .sees("Passwords from before the lock will not work again.")
            .await;
        browser.assert_sound().await;
        browser.click("Unlock Ada").await;
        browser.sees("They have no password; send them a password email.").await;
        browser.sees("Send Password Reset Email").await;
        assert!(!world.signs_in("ana@example.org", &password).await);
    })
    .await;
}

#[tokio::test]
async fn a_corrected_address_ends_what_was_mailed_to_it() {
    World::run(async |world| {
        let (id, password) = mailed(world).await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, &format!("/console/users/{id}/edit")).await;

        browser
            .sees("passwords mailed to the current address stop working")
            .await;
        browser.assert_sound().await;
        browser.fill("Email address", "ana@example.com").await;
        browser.click("Save").await;

        browser.sees("The details are saved. 1 password stopped working.").await;
        assert!(!world.signs_in("ana@example.com", &password).await);
        go(&browser, world, &format!("/console/users/{id}/edit")).await;
        browser.loses("stop working").await;
    })
    .await;
}
