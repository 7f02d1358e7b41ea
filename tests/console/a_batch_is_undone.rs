//! The hold before a batch starts, on its page.

use harness::World;
use harness::browser::Browser;
use uuid::Uuid;

use crate::{desk, go, windows};

/// Selects all users of an import and sends; the browser then shows the batch.
async fn send_to(browser: &Browser, world: &World, import: Uuid) {
    go(
        browser,
        world,
        &format!("/console/selections/new?kind=invite&import={import}"),
    )
    .await;
    let path = browser.path().await;
    let selection = path.split(['/', '?']).nth(3).unwrap_or_default().to_owned();
    go(browser, world, &format!("/console/selections/{selection}/check")).await;
    browser.click("Send 3 invite emails").await;
    browser.sees("3 invite emails start at").await;
}

#[tokio::test]
async fn nothing_is_sent_and_the_selection_is_kept() {
    World::run(async |world| {
        let import = world.people(3).await;

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            send_to(&browser, world, import).await;
            let batch = browser.path().await;
            browser.assert_sound().await;

            browser.click("Undo").await;
            browser.sees("Nothing was sent.").await;
            browser.sees("Undone by Priya Nair").await;
            assert_eq!(browser.path().await, batch, "one address for its whole life");
            browser.assert_sound().await;
            browser.click("Back to the preview").await;
            browser.sees("(1 of 3)").await;
            browser.assert_no_console_errors().await;
        }

        assert_eq!(world.relay.counts().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn a_click_on_an_outdated_page_changes_nothing() {
    World::run(async |world| {
        let import = world.people(3).await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        send_to(&browser, world, import).await;
        let batch = browser.path().await;
        browser.become_like(desk().without_scripting()).await;
        browser.open_in_new_tab(&format!("{}{batch}", world.base())).await;

        browser.double_click("Undo").await;
        browser.sees("Nothing was sent.").await;
        browser.turn_to(0).await;
        browser.click("Send now").await;

        browser.sees("Nothing was sent.").await;
        assert_eq!(world.relay.counts().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn send_now_ends_the_hold() {
    World::run(async |world| {
        let import = world.people(3).await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        send_to(&browser, world, import).await;
        browser.sees("In ").await;

        browser.click("Send now").await;

        browser.sees("All 3 were sent.").await;
        assert_eq!(
            browser.run("return document.title").await,
            "Invite email to 3 people – Beckon"
        );
        world.assert_promises_kept().await;
    })
    .await;
}
