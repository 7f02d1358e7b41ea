//! An administrator pauses, resumes and stops a running batch, and the page shows exact counts.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;
use uuid::Uuid;

use crate::go;

async fn running(browser: &Browser) -> (World, Uuid, String) {
    let world = World::with(Setup::default().api_setting("BECKON_MAIL_RATE", "25")).await;
    let import = world.people(400).await;
    browser.sign_in(&world).await;
    let batch = world.invite(json!({ "import": import })).await;
    world.relay.wait_for(10, harness::world::PATIENCE).await.unwrap();
    let page = format!("/console/batches/{batch}");
    go(browser, &world, &page).await;
    (world, batch, page)
}

/// The counts in the page's ledger.
async fn figures(browser: &Browser) -> Vec<i64> {
    let script = "return [...document.querySelectorAll('.ledger dd')].map((dd) => Number(dd.firstChild.textContent.replace(/\\D/g, '') || dd.textContent.replace(/\\D/g, '')))";
    let figures = browser.run(script).await;
    figures
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| figure.as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_is_paused_and_resumed() {
    let browser = Browser::start(browser::Setup::default()).await;
    let (world, batch, _) = running(&browser).await;
    World::run_in(world, async |world| {
        browser.click("Pause").await;
        browser.sees("Paused by Priya Nair.").await;
        browser.sees("Nothing is lost").await;
        world.until(batch, "sending", 0).await;
        let sent = world.count(batch, "sent").await;
        browser.reload().await;
        browser.sees(&format!("Paused at {sent} of 400 sent")).await;
        let paused = figures(&browser).await;
        browser.assert_sound().await;
        browser.click("Resume").await;
        browser.sees("of 400 sent").await;
        browser.loses("Paused").await;

        assert_eq!(paused.first(), Some(&paused.iter().skip(1).sum()), "{paused:?}");
        world
            .eventually("it goes on", async || {
                (world.count(batch, "sent").await > sent).then_some(())
            })
            .await;
    })
    .await;
}

/// How many emails will be stopped according to the confirmation page.
async fn promised(browser: &Browser) -> i64 {
    let script =
        "return Number(document.querySelector('.warning strong').textContent.match(/^[\\d,]+/)[0].replace(/,/g, ''))";
    browser.run(script).await.as_i64().unwrap()
}

#[tokio::test]
async fn it_pauses_to_ask_and_stops_as_many_as_it_announced() {
    let browser = Browser::start(browser::Setup::default().width(375)).await;
    let (world, batch, page) = running(&browser).await;
    World::run_in(world, async |world| {
        browser.double_click("Stop sending").await;
        browser.sees("Sending is paused while you decide.").await;
        browser.sees("have not been sent and will be stopped.").await;
        browser.sees("cannot be recalled.").await;
        browser.assert_sound().await;
        world.until(batch, "sending", 0).await;
        browser.click("Carry on sending").await;
        browser.loses("Paused").await;
        let sent = world.count(batch, "sent").await;
        world
            .eventually("it goes on", async || {
                (world.count(batch, "sent").await > sent).then_some(())
            })
            .await;
        browser.click("Stop sending").await;
        browser.sees("Sending is paused while you decide.").await;
        let promised = promised(&browser).await;
        world.until(batch, "sending", 0).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        browser
            .double_click(&format!(
                "Stop {promised} invite email{}",
                if promised == 1 { "" } else { "s" }
            ))
            .await;
        browser.sees("not sent.").await;
        let finished = world.finished(batch).await;
        let (sent, stopped) = (&finished["counts"]["sent"], &finished["counts"]["cancelled"]);
        assert_eq!(stopped, promised, "it sent on while it asked");
        browser
            .sees(&format!("Stopped: {sent} sent, {stopped} not sent."))
            .await;
        let shown = figures(&browser).await;

        assert_eq!(shown, [400, sent.as_i64().unwrap(), stopped.as_i64().unwrap()]);
        assert_eq!(sent.as_u64(), u64::try_from(world.relay.accepted_count()).ok());
        browser.assert_sound().await;
        // Asking to stop it again shows that it is stopped.
        go(&browser, world, &format!("{page}/stop")).await;
        browser.sees("Stopped by Priya Nair.").await;
        assert_eq!(browser.path().await, page);
        let acts = world.audit_log().await.into_iter();
        let acts = acts.filter(|act| act.action != "batch_accepted" && act.subject.starts_with("batch"));
        let acts: Vec<(String, String)> = acts.map(|act| (act.who, act.action)).collect();
        let by_priya = |action: &str| ("Priya Nair".to_owned(), action.to_owned());
        assert_eq!(
            acts,
            ["batch_paused", "batch_resumed", "batch_paused", "batch_stopped"].map(by_priya),
            "a second press is no second act"
        );
    })
    .await;
}
