//! Signing in and out.

use harness::World;
use harness::browser::{self, Browser};

use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn an_administrator_signs_in_and_out() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.open(world.base()).await;
            assert_eq!(browser.title().await, "Sign in – Beckon");
            browser.assert_sound().await;

            browser.enter(&priya.email.to_uppercase(), &priya.password).await;
            browser.finds("Your account: Priya Nair").await;
            assert!(
                browser.path().await.starts_with("/console/"),
                "{}",
                browser.path().await
            );
            browser.assert_sound().await;
            go(&browser, world, "/console/sign-in").await;
            browser.finds("Your account: Priya Nair").await;

            browser.click("Your account: Priya Nair").await;
            browser.click("Sign out").await;
            assert_eq!(browser.heading().await, "Sign in");
            // The next person at this computer must not see the previous pages.
            browser.back().await;
            browser.sees("Email address").await;
            browser.loses("Priya Nair").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn signing_in_leads_to_the_requested_page() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;
        let browser = Browser::start(browser::Setup::default()).await;

        go(&browser, world, "/console/password?from=bookmark").await;
        assert_eq!(browser.heading().await, "Sign in");
        // By keyboard only, as password managers and many users do.
        browser.fill("Email address", &priya.email).await;
        browser.press("Tab").await;
        browser.write(&priya.password).await;
        browser.press("Enter").await;

        browser.sees("Choose a password").await;
        assert_eq!(browser.path().await, "/console/password?from=bookmark");
        // Another tab of the same browser is signed in too.
        browser
            .open_in_new_tab(&format!("{}/console/password", world.base()))
            .await;
        browser.sees("Choose a password").await;
    })
    .await;
}

#[tokio::test]
async fn without_administrators_the_page_explains_what_to_do() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default().width(375)).await;

        browser.open(world.base()).await;

        browser.sees("There are no administrators yet").await;
        browser.sees("beckon-api add-administrator").await;
        browser.assert_sound().await;
    })
    .await;
}
