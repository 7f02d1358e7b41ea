//! The versions of a system email: viewed, compared and restored.

use harness::World;
use harness::browser::{self, Browser};
use serde_json::{Value, json};

use crate::{a_quiet_world, go, windows};

const HISTORY: &str = "/console/system-emails/password_reset/history";

async fn saved(world: &World) -> Value {
    world.get("/v1/system-emails/password_reset").await.expect(200)
}

async fn save(world: &World, body: &str) {
    let draft = json!({ "subject": "Your way in", "body": body });
    let path = "/v1/system-emails/password_reset";
    world
        .ask(reqwest::Method::PUT, path, Some(draft), None)
        .await
        .expect(200);
}

#[tokio::test]
async fn an_old_version_is_compared_and_restored() {
    World::run_in(a_quiet_world().await, async |world| {
        let shipped = saved(world).await;

        for (n, window) in (0..).zip(windows()) {
            save(world, "Your password today is {{ password }}").await;
            save(world, "Your password tomorrow is {{ password }}").await;
            let newest = 3 + 4 * n;
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, HISTORY).await;
            browser.sees(&format!("Version {newest} In use")).await;
            browser.assert_sound().await;

            browser.click(&format!("Version {}", newest - 1)).await;
            browser.sees("Your password today is {{ password }}").await;
            let title = format!("Version {} as an email", newest - 1);
            browser
                .sees_within(&[&title, "The email"], "Your password today is ••••")
                .await;
            browser.assert_sound().await;
            browser.click("Compare with the current version").await;
            let marked = browser
                .run("return [...document.querySelectorAll('mark')].map((mark) => mark.textContent)")
                .await;
            assert_eq!(marked, json!(["today", "tomorrow"]));
            browser.assert_sound().await;

            browser.click(&format!("Restore version {}", newest - 1)).await;
            assert_eq!(browser.heading().await, format!("Restore version {}?", newest - 1));
            browser.assert_sound().await;
            browser.click(&format!("Restore version {}", newest - 1)).await;
            browser
                .sees(&format!(
                    "Success Restored version {}, saved as version {}.",
                    newest - 1,
                    newest + 1
                ))
                .await;
            assert_eq!(saved(world).await["body"], "Your password today is {{ password }}");

            browser.click("Reset to original").await;
            browser.sees("It adds {{ first_name }} – The person's first name").await;
            browser.click("Restore the original text").await;
            browser.sees("Success Restored the original text").await;
            let now = saved(world).await;
            assert_eq!((&now["subject"], &now["body"]), (&shipped["subject"], &shipped["body"]));
            assert_eq!(now["changed_by"], "Priya Nair");
            browser.loses("Reset to original").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_version_saved_meanwhile_is_not_overwritten() {
    World::run_in(a_quiet_world().await, async |world| {
        save(world, "The first is {{ password }}").await;
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/system-emails/password_reset/restore/1").await;

        save(world, "The second is {{ password }}").await;
        browser.click("Restore version 1").await;

        browser
            .sees("Version 3 was saved by the API key “tests” in the meantime. Nothing was restored")
            .await;
        assert_eq!(saved(world).await["version"], 3);
        browser.assert_sound().await;
        browser.click("Restore version 1").await;
        browser.sees("Success Restored version 1, saved as version 4.").await;
    })
    .await;
}

#[tokio::test]
async fn a_long_history_is_read_in_pages() {
    World::run_in(a_quiet_world().await, async |world| {
        for n in 2..=120 {
            save(world, &format!("Number {n} is {{{{ password }}}}")).await;
        }
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        go(&browser, world, HISTORY).await;

        browser.sees("Version 120 In use").await;
        browser.sees("Version 71").await;
        browser.loses("Version 70").await;
        browser.click("Next page").await;
        browser.sees("Version 70").await;
        browser.sees("Page 2").await;
        assert!(browser.title().await.contains("(page 2)"), "{}", browser.title().await);
        browser.click("Next page").await;
        browser.sees("Version 20").await;
        browser.sees("Beckon").await;
        browser.loses("Next page").await;
        browser.click("← Previous page").await;
        browser.sees("Version 70").await;
        browser.click("← Previous page").await;
        browser.sees("Version 120 In use").await;
        browser.loses("Previous page").await;
        for nothing in ["0", "121", "x", "-1"] {
            go(&browser, world, &format!("{HISTORY}/{nothing}")).await;
            browser.sees("There is no such version.").await;
        }
    })
    .await;
}
