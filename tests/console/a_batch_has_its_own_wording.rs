//! The wording is changed for one batch, between preview and check.

use harness::browser::Browser;
use harness::{Setup, World};

use crate::{go, windows};

#[tokio::test]
async fn wording_is_changed_for_one_batch_and_the_batch_shows_the_difference() {
    let setup = Setup::default().workers(0).api_setting("BECKON_HOLD", "600s");
    World::run_with(setup, async |world| {
        let before = world.get("/v1/system-emails/invite").await.expect(200);

        for (n, window) in windows().into_iter().enumerate() {
            let csv = format!("email,first name\nann{n}@lerna.example,Ann\nbob{n}@lerna.example,Bob\n");
            let import = world.import(&csv).await.expect(201)["id"].clone();
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            let begin = format!(
                "/console/selections/new?kind=invite&import={}",
                import.as_str().unwrap()
            );
            go(&browser, world, &begin).await;
            browser.click("Preview").await;
            browser.click("Change the wording for this batch").await;
            assert_eq!(browser.heading().await, "Wording for this batch");
            browser.assert_sound().await;
            browser.fill("Subject", "{{ first_nam }}, hello").await;
            browser.click("Use this wording").await;
            browser.sees("{{ first_nam }} is not a field.").await;
            browser.assert_sound().await;
            browser.fill("Subject", "{{ first_name }}, only this week").await;
            browser.click("Use this wording").await;

            browser
                .sees("This batch has its own wording. The shared text did not change.")
                .await;
            browser.sees("only this week").await;
            browser.assert_sound().await;
            browser.click("See what differs").await;
            browser.sees("What differs from the shared text").await;
            browser.assert_sound().await;
            browser.click("Cancel").await;
            browser.click("Continue").await;
            browser.sees("with wording for this batch only").await;
            browser.assert_sound().await;
            browser.click("Send 2 invite emails").await;
            browser.click("wording for this batch only").await;

            assert_eq!(browser.heading().await, "Wording of this batch");
            browser.sees("Shared text, version 1").await;
            browser.sees("only this week").await;
            browser.assert_sound().await;
            browser.assert_no_console_errors().await;
        }
        let after = world.get("/v1/system-emails/invite").await.expect(200);
        assert_eq!(before, after);
    })
    .await;
}
