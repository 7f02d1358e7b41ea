//! An API key is created, copied, used and revoked.

use harness::World;
use harness::browser::{self, Browser};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::{a_quiet_world, go, windows};

/// The status of an API call with this key.
async fn called_with(world: &World, key: &str) -> u16 {
    let call = reqwest::Client::new()
        .get(format!("{}/v1/batches", world.base()))
        .bearer_auth(key);
    call.send().await.unwrap().status().as_u16()
}

async fn keys_there_are(world: &World) -> i64 {
    world.rows("api_keys").count().await
}

async fn makes_uses_and_revokes(world: &World, window: browser::Setup, name: &str) {
    let browser = Browser::start(window).await;
    browser.sign_in(world).await;
    go(&browser, world, "/console/keys").await;

    browser.click("Create an API key").await;
    browser.click("Create API key").await;
    assert_eq!(browser.title().await, "Error: Create an API key – Beckon");
    browser.sees("Enter a name").await;
    browser.fill("Name of the program that will use it", name).await;
    browser.click("Create API key").await;
    browser.sees("Copy this key now").await;
    let key = browser.value("API key").await;
    browser.assert_sound().await;
    assert_eq!(called_with(world, &key).await, 200);

    go(&browser, world, "/console/keys").await;
    browser.loses(&key).await;
    browser.click(&format!("Revoke {name}")).await;
    browser.sees("stop working immediately").await;
    browser.assert_sound().await;
    assert_eq!(called_with(world, &key).await, 200);
    browser.click("Revoke key").await;
    browser.sees(&format!("The key ‘{name}’ is revoked")).await;
    assert_eq!(called_with(world, &key).await, 401);
    browser.assert_no_console_errors().await;
}

#[tokio::test]
async fn a_key_is_made_used_and_revoked() {
    World::run_in(a_quiet_world().await, async |world| {
        makes_uses_and_revokes(world, browser::Setup::default(), "intranet").await;
        let telephone = browser::Setup::default().width(375).without_scripting();
        makes_uses_and_revokes(world, telephone, "payroll").await;
    })
    .await;
}

#[tokio::test]
async fn a_password_is_confirmed_before_a_key_is_made() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();

        for (window, name) in windows().into_iter().zip(["intranet", "payroll"]) {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            world.let_confirmations_end().await;
            go(&browser, world, "/console/keys/new").await;
            browser.fill("Name of the program that will use it", name).await;
            browser.choose("In 90 days").await;
            browser.click("Create API key").await;

            assert_eq!(browser.heading().await, "Confirm your password");
            browser.assert_sound().await;
            browser.click("Confirm and continue").await;
            browser.sees("Enter your password").await;
            browser.fill("Your password", "not her password at all").await;
            browser.click("Confirm and continue").await;
            browser.sees("The password is incorrect").await;
            assert_eq!(browser.title().await, "Error: Confirm your password – Beckon");
            browser.assert_sound().await;
            browser.fill("Your password", &priya.password).await;
            browser.click("Confirm and continue").await;
            browser.sees("Copy this key now").await;
            go(&browser, world, "/console/keys").await;
            browser.sees(name).await;
        }
    })
    .await;
}

#[tokio::test]
async fn keys_that_expire_soon_and_that_have_expired_are_shown_so() {
    World::run_in(a_quiet_world().await, async |world| {
        let now = world.now().await;
        let keys = [("next week", "a", 7), ("yesterday", "b", -1)].map(|(name, digest, days)| {
            let expires_at = (now + time::Duration::days(days)).format(&Rfc3339).unwrap();
            json!({ "name": name, "digest": digest, "expires_at": expires_at })
        });
        world.insert("api_keys", json!(keys)).await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/keys").await;
            browser.sees("Expires soon").await;
            browser.sees("Expired").await;
            browser.assert_sound().await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_form_twice_makes_one_key_and_shows_it_once() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        let before = keys_there_are(world).await;

        go(&browser, world, "/console/keys/new").await;
        // Like a reload: resubmits the same fields.
        let sent = "const form = document.querySelector('main form'); form.elements.name.value = 'intranet';
        window.fields = new URLSearchParams(new FormData(form)); window.action = form.action;";
        browser.run(sent).await;
        let send =
            "return fetch(window.action, { method: 'POST', body: window.fields }).then((answer) => answer.text())";
        let first = browser.run(send).await;
        let second = browser.run(send).await;

        let (first, second) = (first.as_str().unwrap(), second.as_str().unwrap());
        assert!(first.contains("value=\"beckon_"), "{first}");
        assert!(!second.contains("beckon_"), "{second}");
        assert!(second.contains("was already created"), "{second}");
        assert_eq!(keys_there_are(world).await, before + 1);
    })
    .await;
}
