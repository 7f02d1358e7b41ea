//! While mail is stalled every page shows it, and once it moves again none does.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::go;

#[tokio::test]
async fn an_outage_is_shown_with_its_start_and_the_waiting_emails() {
    // Slowly, so that some mails still wait when the outage ends.
    World::run_with(Setup::default().api_setting("BECKON_MAIL_RATE", "2"), async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        let import = world.people(1_204).await;
        world.relay.pause_listening().await;
        world.relay.hang_up();
        let batch = world.invite(json!({ "import": import })).await;

        let banner = "Email is delayed. Your mail server has been unreachable since";
        world
            .eventually("a page to show it", async || {
                go(&browser, world, "/console/account").await;
                browser.text().await.contains(banner).then_some(())
            })
            .await;
        for page in [
            "/console/keys",
            "/console/audit",
            "/console/password",
            "/console/no-such-page",
        ] {
            go(&browser, world, page).await;
            browser.sees(banner).await;
            browser.sees("1,204 emails are waiting; none is lost.").await;
        }
        browser.become_like(browser::Setup::default().width(375).dark()).await;
        go(&browser, world, "/console/account").await;
        browser.assert_sound().await;

        world.relay.resume_listening().await.unwrap();
        world
            .eventually("the pages to fall silent", async || {
                go(&browser, world, "/console/account").await;
                (!browser.text().await.contains("Email is delayed")).then_some(())
            })
            .await;
        assert!(
            world.count(batch, "sent").await < 1_204,
            "the batch finished before the test could check"
        );
        world.post(&format!("/v1/batches/{batch}/stop"), json!({})).await;
    })
    .await;
}
