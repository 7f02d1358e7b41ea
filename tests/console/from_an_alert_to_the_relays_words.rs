//! From an alert it takes three clicks to the recipient and the relay's reply.

use harness::World;
use harness::browser::Browser;
use serde_json::json;
use std::path::Path;

use crate::{desk, go, telephone};

/// The console page that a runbook links to first.
fn page_of(runbook: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy/runbooks")
        .join(runbook);
    let text = std::fs::read_to_string(path).unwrap();
    let from = text.find("`/console/").unwrap() + 1;
    text[from..].split('`').next().unwrap().to_owned()
}

async fn walk(browser: Browser) {
    World::run(async |world| {
        browser.sign_in(world).await;
        let file = "Email,First name\n550+ada@example.org,Ada\nben@example.org,Ben\ncleo@example.org,Cleo\n";
        world.import(file).await.expect(201);
        let emails = ["550+ada@example.org", "ben@example.org", "cleo@example.org"];
        let batch = world.invite(json!({ "emails": emails })).await;
        world.finished(batch).await;

        // The page from the runbook, then the batch, then the user.
        go(&browser, world, &page_of("BeckonPermanentFailuresHigh.md")).await;
        browser.sees("1 failed").await;
        browser.click("3 invite emails").await;
        browser.sees("Ada").await;
        browser.click("Ada").await;
        browser.sees("550 5.1.1 no such user").await;
        browser.sees("550+ada@example.org").await;
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn three_clicks_at_a_desk() {
    walk(Browser::start(desk()).await).await;
}

#[tokio::test]
async fn three_clicks_on_a_telephone_without_scripts() {
    walk(Browser::start(telephone().without_scripting()).await).await;
}
