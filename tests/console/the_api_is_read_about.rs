//! The description of the API, as a page.

use harness::browser::{self, Browser};
use harness::{Setup, World};

use crate::WIDTHS;

#[tokio::test]
async fn the_api_is_read_about() {
    let world = World::with(Setup::default().workers(0)).await;
    let browser = Browser::start(browser::Setup::default()).await;

    for width in WIDTHS {
        let wide = browser::Setup::default().width(width);
        for setup in [wide, wide.dark(), wide.without_scripting()] {
            browser.become_like(setup).await;
            browser.open(&format!("{}/docs", world.base())).await;

            assert!(browser.title().await.starts_with("Beckon API, version "));
            browser.sees("/v1/invites").await;
            browser.assert_sound().await;
        }
    }
    world.end().await;
}
