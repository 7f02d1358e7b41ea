//! A stranger tries one password after another.

use harness::World;
use harness::browser::{self, Browser};

use crate::{a_quiet_world, go};

/// More than ten attempts are admitted only when this machine takes longer than ten seconds for one.
const MAX_TRIES: usize = 40;

#[tokio::test]
async fn passwords_are_tried_slowly_and_other_administrators_can_sign_in() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let jonas = world.another_administrator("Jonas Weber", "jonas@lerna.example").await;
        let browser = Browser::start(browser::Setup::default()).await;

        // All browsers of these tests share one address, which may try ten passwords; this one becomes known as
        // Jonas's.
        go(&browser, world, "/console/sign-in").await;
        browser.enter(&jonas.email, &jonas.password).await;
        browser.click("Your account: Jonas Weber").await;
        browser.click("Sign out").await;
        go(&browser, world, "/console/sign-in").await;
        let mut tries = 0;
        while browser.status().await != 429 {
            assert!(tries < MAX_TRIES, "{tries} passwords could be tried");
            tries += 1;
            browser.enter(&priya.email, &format!("lantern orchard {tries}")).await;
        }

        assert!(tries > 10, "only {tries} passwords could be tried");
        browser
            .sees("Too many sign-in attempts for this address. Try again in ")
            .await;
        assert_eq!(browser.value("Email address").await, priya.email);
        browser.assert_sound().await;
        browser.enter(&jonas.email, &jonas.password).await;
        browser.finds("Your account: Jonas Weber").await;
    })
    .await;
}
