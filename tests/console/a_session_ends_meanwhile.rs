//! A session expires while a page is open.

use harness::World;
use harness::browser::Browser;

use crate::{a_quiet_world, desk, go, windows};

#[tokio::test]
async fn a_password_that_came_too_late_goes_nowhere() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/password").await;
            browser.fill("Current password", &priya.password).await;
            browser.fill("New password", "seven wet stones in a row").await;
            browser.fill("Confirm new password", "seven wet stones in a row").await;

            world.let_sessions_end().await;
            browser.click("Change password").await;

            assert_eq!(browser.heading().await, "Sign in again");
            browser
                .sees("Nothing was saved. Sign in, then fill in the form again.")
                .await;
            let page = browser.run("return document.documentElement.outerHTML").await;
            assert!(!page.as_str().unwrap().contains("seven wet stones"), "{page}");
            browser.assert_sound().await;
            browser.enter(&priya.email, &priya.password).await;
            browser.sees("Choose a password").await;
            assert_eq!(browser.path().await, "/console/password");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_filled_in_is_kept_across_the_sign_in() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;
        world.people(3).await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/users").await;
            browser.choose("Select Person 1 Example").await;
            browser.choose("Select Person 3 Example").await;
            browser.click("Invite users").await;

            world.let_sessions_end().await;
            browser.click("Send Invite Email").await;
            assert_eq!(browser.heading().await, "Sign in again");
            browser.sees("We kept what you entered").await;
            browser.assert_sound().await;
            browser.enter(&priya.email, "mistyped, to make it harder").await;
            browser.sees("There is a problem").await;
            browser.enter(&priya.email, &priya.password).await;
            browser.sees("You are signed in again").await;
            browser.assert_sound().await;
            browser.click("Continue").await;

            browser.sees("Preview: Invitation Email to New Users").await;
            browser.sees("Showing Person 1 Example (1 of 2)").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_requested_page_opens_after_signing_in() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;

        world.let_sessions_end().await;
        go(&browser, world, "/console/password?a=b&c=d").await;

        assert_eq!(browser.heading().await, "Sign in");
        browser.enter(&priya.email, &priya.password).await;
        browser.sees("Choose a password").await;
        assert_eq!(browser.path().await, "/console/password?a=b&c=d");
    })
    .await;
}
