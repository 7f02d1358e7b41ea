//! The API reference page.

use harness::World;
use harness::browser::{self, Browser};

use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn the_api_is_read_about() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;

        for window in windows() {
            browser.become_like(window).await;
            go(&browser, world, "/docs").await;

            assert!(browser.title().await.starts_with("Beckon API, version "));
            browser.sees("/v1/invites").await;
            browser.assert_sound().await;
            browser.become_like(window.dark()).await;
            browser.assert_sound().await;
        }
    })
    .await;
}
