//! A batch is submitted now and starts later, at a time that the button shows.

use harness::browser::Browser;
use harness::{Setup, World};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::{desk, go, telephone};

/// The label of the button on the Check page.
const BUTTON: &str = "return document.querySelector('[data-later]').textContent";

async fn at_check(browser: &Browser, world: &World, import: Uuid) {
    let begin = format!("/console/selections/new?kind=invite&import={import}");
    go(browser, world, &begin).await;
    browser.click("Send Invite Email").await;
    browser.click("Start later").await;
}

/// Enters a time as a user does in the browser's own field.
async fn type_start(browser: &Browser, local: &str) {
    let script = format!(
        "const field = document.getElementById('start_at');
         field.value = '{local}';
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));"
    );
    browser.run(&script).await;
}

/// The minute that is this far ahead.
async fn in_utc(world: &World, ahead: Duration) -> OffsetDateTime {
    let at = world.now().await + ahead;
    at.replace_second(0).unwrap().replace_nanosecond(0).unwrap()
}

async fn starts(world: &World) -> Vec<(OffsetDateTime, String)> {
    let batches = || world.rows("batches").ordered_by("created_at");
    let starts: Vec<OffsetDateTime> = batches().column("start_at").await;
    starts.into_iter().zip(batches().text_of("state").await).collect()
}

fn written(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap()[..16].to_owned()
}

#[tokio::test]
async fn a_start_is_shown_in_the_readers_time_zone_and_can_be_undone() {
    World::run(async |world| {
        let import = world.people(3).await;
        let browser = Browser::start(desk().zone("Asia/Dubai")).await;
        browser.sign_in(world).await;
        at_check(&browser, world, import).await;

        let at = in_utc(world, Duration::hours(26)).await;
        let local = written(at + Duration::hours(4));
        assert_eq!(browser.value("Date and time (Asia/Dubai)").await, "");
        type_start(&browser, &local).await;

        let button = browser.run(BUTTON).await;
        let button = button.as_str().unwrap();
        assert!(button.starts_with("Schedule 3 invite emails for "), "{button}");
        let zones = ["GMT+4", "GST"].map(|zone| format!(", {} {zone}", &local[11..]));
        assert!(zones.iter().any(|end| button.ends_with(end)), "{button}");
        browser.assert_sound().await;
        browser.click(button).await;
        browser.sees("3 invite emails start on").await;
        assert_eq!(starts(world).await, [(at, "held".to_owned())]);
        browser.click("Undo").await;
        browser.sees("Nothing was sent.").await;
        assert_eq!(world.relay.counts().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn a_time_that_is_past_only_in_utc_is_not_past() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let browser = Browser::start(desk().zone("America/Los_Angeles")).await;
        browser.sign_in(world).await;
        at_check(&browser, world, import).await;

        let at = in_utc(world, Duration::minutes(10)).await;
        let shown = format!(
            "return new Date('{}').toLocaleString('sv').replace(' ', 'T').slice(0, 16)",
            at.format(&Rfc3339).unwrap()
        );
        let local = browser.run(&shown).await;
        type_start(&browser, local.as_str().unwrap()).await;
        let button = browser.run(BUTTON).await;
        let button = button.as_str().unwrap();
        assert!(button.ends_with(" PST") || button.ends_with(" PDT"), "{button}");
        browser
            .run("document.querySelector('button[value=update]').click()")
            .await;

        // Reloads the page for the same time and zone.
        browser
            .eventually("the page for this start", async || {
                browser.path().await.contains("start_at=").then_some(())
            })
            .await;
        assert_eq!(browser.value("Date and time (America/Los Angeles)").await, local);
        browser.click(button).await;
        browser.sees("3 invite emails start at").await;
        assert_eq!(starts(world).await, [(at, "held".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn a_past_start_is_refused_and_nothing_is_sent() {
    World::run(async |world| {
        let import = world.people(3).await;

        for window in [desk().zone("Europe/Madrid"), telephone().without_scripting()] {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            at_check(&browser, world, import).await;
            type_start(&browser, "2020-01-01T09:00").await;
            let script = "document.querySelector('[data-later]').click()";
            browser.run(script).await;

            browser.sees("There is a problem").await;
            browser.sees("The start must be at least 2 minutes from now.").await;
            let label = if window.scripting { "Europe/Madrid" } else { "UTC" };
            let kept = browser.value(&format!("Date and time ({label})")).await;
            assert_eq!(kept, "2020-01-01T09:00");
            browser.assert_sound().await;
        }

        assert!(starts(world).await.is_empty());
        assert_eq!(world.relay.counts().connections, 0);
    })
    .await;
}

#[tokio::test]
async fn without_a_script_the_button_shows_the_start_in_utc_first() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(3).await;
        let browser = Browser::start(telephone().without_scripting()).await;
        browser.sign_in(world).await;
        at_check(&browser, world, import).await;

        let at = in_utc(world, Duration::days(3)).await;
        type_start(&browser, &written(at)).await;
        browser.click("Send 3 invite emails").await;
        browser.sees("Nothing has been sent yet.").await;
        assert!(starts(world).await.is_empty());
        browser.assert_sound().await;
        let button = browser.run(BUTTON).await;
        let button = button.as_str().unwrap();
        let ends = format!(", {} UTC", &written(at)[11..]);
        assert!(button.starts_with("Schedule 3 invite emails for "), "{button}");
        assert!(button.ends_with(&ends), "{button}");
        browser.click(button).await;

        browser.sees("3 invite emails start on").await;
        assert_eq!(starts(world).await, [(at, "held".to_owned())]);
    })
    .await;
}
