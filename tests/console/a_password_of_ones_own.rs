//! An administrator changes their password.

use harness::World;
use harness::browser::Browser;

use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn a_password_of_ones_own_is_chosen_and_the_old_one_ends() {
    World::run_in(a_quiet_world().await, async |world| {
        for (at, window) in windows().into_iter().enumerate() {
            let someone = world
                .another_administrator(&format!("Jonas Weber {at}"), &format!("jonas{at}@lerna.example"))
                .await;
            let (browser, elsewhere) = (Browser::start(window).await, Browser::start(window).await);
            browser.sign_in_as(world, &someone).await;
            elsewhere.sign_in_as(world, &someone).await;
            go(&browser, world, "/console/password").await;
            browser.assert_sound().await;

            browser.fill("Current password", "not mine at all, sorry").await;
            browser.fill("New password", "too short").await;
            browser.fill("Confirm new password", "and different").await;
            browser.click("Change password").await;
            browser.sees("There is a problem").await;
            browser.sees("The password is incorrect").await;
            browser.sees("The passwords do not match").await;
            assert_eq!(browser.title().await, "Error: Choose a password – Beckon");
            browser.assert_sound().await;

            browser.fill("Current password", &someone.password).await;
            browser.fill("New password", "seven wet stones in a row").await;
            browser.fill("Confirm new password", "seven wet stones in a row").await;
            browser.click("Change password").await;
            browser.finds("Your account: Jonas Weber").await;

            go(&elsewhere, world, "/console/password").await;
            assert_eq!(elsewhere.heading().await, "Sign in");
            elsewhere.enter(&someone.email, &someone.password).await;
            elsewhere.sees("password is incorrect").await;
            elsewhere.enter(&someone.email, "seven wet stones in a row").await;
            elsewhere.sees("Choose a password").await;
        }
    })
    .await;
}
