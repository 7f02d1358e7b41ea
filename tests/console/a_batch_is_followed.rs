//! The batch page updates while it is open.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::go;

const PEOPLE: usize = 90;

/// A world with a batch that takes some seconds, and its page.
async fn a_batch_that_runs(browser: &Browser) -> (World, String) {
    let world = World::with(Setup::default().api_setting("BECKON_MAIL_RATE", "15")).await;
    let import = world.people(PEOPLE).await;
    browser.sign_in(&world).await;
    let batch = world.invite(json!({ "import": import })).await;
    (world, format!("/console/batches/{batch}"))
}

#[tokio::test]
async fn figures_update_without_disturbing_the_reader() {
    let browser = Browser::start(browser::Setup::default()).await;
    let (world, page) = a_batch_that_runs(&browser).await;
    World::run_in(world, async |world| {
        go(&browser, world, &page).await;
        browser.sees(&format!("of {PEOPLE} sent")).await;

        // A user who is typing and has the page read aloud.
        browser.run("window.isTheSame = true").await;
        browser.fill("Search by name or email address", "pers").await;
        browser.sees(&format!("All {PEOPLE} were sent.")).await;

        assert_eq!(
            browser.run("return window.isTheSame").await,
            true,
            "it was not loaded again"
        );
        assert_eq!(browser.value("Search by name or email address").await, "pers");
        assert_eq!(browser.focused().await, "Search by name or email address");
        browser
            .eventually("the end to be read out", async || {
                let announced = browser.run("return document.getElementById('said').textContent").await;
                (announced == format!("Finished. {PEOPLE} sent")).then_some(())
            })
            .await;
        assert_eq!(
            browser.run("return document.querySelector('[data-live]')").await,
            json!(null)
        );
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_stream_the_page_polls() {
    let browser = Browser::start(browser::Setup::default()).await;
    let (world, page) = a_batch_that_runs(&browser).await;
    World::run_in(world, async |world| {
        go(&browser, world, &page).await;
        let look_again = "window.EventSource = undefined; document.dispatchEvent(new Event('visibilitychange'))";

        browser.run(&format!("window.isTheSame = true; {look_again}")).await;

        browser.sees(&format!("All {PEOPLE} were sent.")).await;
        assert_eq!(browser.run("return window.isTheSame").await, true);
        browser.assert_no_console_errors().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_script_there_is_a_link() {
    let browser = Browser::start(browser::Setup::default().without_scripting()).await;
    let (world, page) = a_batch_that_runs(&browser).await;
    World::run_in(world, async |world| {
        go(&browser, world, &page).await;

        while browser.text().await.contains("to see the progress") {
            browser.click("Refresh").await;
        }

        browser.sees(&format!("All {PEOPLE} were sent.")).await;
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_page_of_an_ended_session_asks_to_sign_in() {
    let browser = Browser::start(browser::Setup::default()).await;
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        browser.sign_in(world).await;
        let batch = world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        go(&browser, world, &format!("/console/batches/{batch}")).await;
        browser.sees("3 invite emails start at").await;

        world.let_sessions_end().await;
        browser
            .run("document.dispatchEvent(new Event('visibilitychange'))")
            .await;

        browser.sees("Email address").await;
        assert_eq!(browser.heading().await, "Sign in");
    })
    .await;
}

#[tokio::test]
async fn retries_are_shown_by_recipient_domain() {
    let setup = Setup::default().worker_setting("BECKON_RETRY_FIRST", "1h");
    World::run_with(setup, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        let people = ["451+ada@slow.example", "451+ben@slow.example", "451+cleo@other.example"];
        for person in people {
            world.person(person).await;
        }
        let batch = world.invite(json!({ "emails": people })).await;
        world.until(batch, "retrying", 3).await;

        go(&browser, world, &format!("/console/batches/{batch}")).await;
        browser.sees("Retries by recipient domain").await;
        let rows = "return [...document.querySelectorAll('[aria-labelledby=domains] tbody tr')]
        .map(row => [row.querySelector('th').firstChild.textContent, row.querySelector('td').firstChild.textContent])";

        // A single recipient does not make a domain delayed.
        assert_eq!(browser.run(rows).await, json!([["slow.example", "2"]]));
        browser.assert_sound().await;
    })
    .await;
}
