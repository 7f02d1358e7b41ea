//! One mail, from the request to the relay's reply, and the actions on it.

use harness::browser::{self, Browser};
use harness::relay::Behaviour;
use harness::{Setup, World};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{desk, go, telephone};

/// The only delivery of a batch, and its page.
async fn the_mail_of(world: &World, batch: Uuid) -> (Value, String) {
    let delivery = world.deliveries(batch).await.swap_remove(0);
    let page = format!("/console/deliveries/{}", delivery["id"].as_str().unwrap());
    (delivery, page)
}

#[tokio::test]
async fn a_mail_that_waits_is_tried_at_once_or_stopped() {
    let setup = Setup::default().worker_setting("BECKON_RETRY_FIRST", "1h");
    World::run_with(setup, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        let (one, other) = ("451+ada@example.org", "451+ben@example.org");
        world.person(one).await;
        world.person(other).await;
        let one = world.invite(json!({ "emails": [one] })).await;
        let other = world.invite(json!({ "emails": [other] })).await;
        world.until(one, "retrying", 1).await;
        world.until(other, "retrying", 1).await;

        let (_, page) = the_mail_of(world, one).await;
        go(&browser, world, &page).await;
        browser.sees("451 4.7.1 greylisted, try again later").await;
        browser.sees("Next attempt").await;
        browser.sees("attempt 2 of 20").await;
        browser.assert_sound().await;
        world.relay.set("451+ada@example.org", Behaviour::Accept);
        browser.click("Try now").await;
        world.finished(one).await;
        browser.reload().await;
        browser.sees("Attempt 2: accepted by the mail server").await;

        let (_, page) = the_mail_of(world, other).await;
        go(&browser, world, &page).await;
        browser.become_like(browser::Setup::default().without_scripting()).await;
        browser.open_in_new_tab(&format!("{}{page}", world.base())).await;
        browser.click("Stop trying").await;
        browser.sees("It was stopped before it was sent.").await;
        browser.turn_to(0).await;
        browser.click("Stop trying").await;
        browser.sees("It was stopped before it was sent.").await;
        assert_eq!(world.finished(other).await["counts"]["cancelled"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_double_click_sends_one_mail_more() {
    World::run(async |world| {
        let browser = Browser::start(telephone().without_scripting()).await;
        browser.sign_in(world).await;
        world.person("ada@example.org").await;
        let batch = world.reset_passwords(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(batch).await;
        let (_, page) = the_mail_of(world, batch).await;
        go(&browser, world, &page).await;
        browser.sees("It is sent immediately, with a new password.").await;

        browser.double_click("Send a new password").await;

        browser.sees("The email is on its way.").await;
        assert_ne!(browser.path().await, page);
        world.relay.wait_for(2, harness::world::PATIENCE).await.unwrap();
        let batches = world.rows("batches").count().await;
        assert_eq!(batches, 2);
    })
    .await;
}

#[tokio::test]
async fn its_letter_is_shown_without_the_password() {
    World::run(async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        world.person("ada@example.org").await;
        let batch = world.reset_passwords(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(batch).await;
        let mails = world.relay.all_mails().unwrap();
        let password = mails[0].password().unwrap();
        let (_, page) = the_mail_of(world, batch).await;

        go(&browser, world, &page).await;
        browser.click("Show the email").await;
        browser.assert_sound().await;
        go(&browser, world, &format!("{page}/letter")).await;
        let letter = browser.text().await;

        assert!(
            letter.contains("ada@example.org") && letter.contains("••••"),
            "{letter}"
        );
        assert!(!letter.contains(password), "{letter}");
    })
    .await;
}

#[tokio::test]
async fn an_email_that_is_already_queued_is_not_sent_twice() {
    World::run(async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        world.person("ada@example.org").await;
        let batch = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        world.finished(batch).await;
        let waiting = json!({ "emails": ["ada@example.org"], "include_recent": true, "hold_seconds": 600 });
        world.invite(waiting).await;
        let (_, page) = the_mail_of(world, batch).await;
        go(&browser, world, &page).await;

        browser.click("Send again").await;

        browser.sees("It was not sent again").await;
        browser.sees("already queued in another batch").await;
        browser.assert_accessible().await;
    })
    .await;
}
