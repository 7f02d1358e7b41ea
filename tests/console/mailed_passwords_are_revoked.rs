//! A mail cannot be recalled; an unused password in it can.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{go, telephone};

#[tokio::test]
async fn those_nobody_has_used_stop_working() {
    let world = World::start().await;
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
    browser.sign_in(&world).await;
    go(&browser, &world, &format!("/console/batches/{batch}")).await;

    browser.click("Revoke passwords").await;
    browser
        .sees("2 unused passwords from this batch will stop working.")
        .await;
    browser.sees("1 person has already used theirs").await;
    browser.assert_sound().await;
    browser.click("Revoke 2 passwords").await;
    browser.sees("2 passwords were revoked. 1 had already been used").await;

    assert!(!world.signs_in(&passwords[1].0, &passwords[1].1).await);
    world.sign_in(&passwords[0].0, &passwords[0].1).await;
    browser.click("Revoke passwords").await;
    browser.sees("1 person has already used theirs").await;
    browser.choose("Also the one that was already used").await;
    browser.assert_sound().await;
    browser.click("Revoke passwords").await;
    browser.sees("1 password was revoked.").await;
    assert!(!world.signs_in(&passwords[0].0, &passwords[0].1).await);
    browser.click("Revoke passwords").await;
    browser.sees("There is nothing to revoke.").await;
    browser.assert_sound().await;
    world.end().await;
}
