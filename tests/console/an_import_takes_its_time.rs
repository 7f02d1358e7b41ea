//! Checking and storing run in the background on a page that follows them, and move to another process when theirs is
//! gone.

use harness::World;
use harness::browser::Browser;

use crate::files::{ByWire, file, leads_to, people};
use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn the_page_becomes_the_summary_when_the_work_is_done() {
    World::run_in(a_quiet_world().await, async |world| {
        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            let rows = people(&format!("n{n}"), 3_000);
            browser.attach("File", &file(world, "staff.csv", rows)).await;
            browser.click("Upload and check").await;
            browser.sees("can be imported").await;
            let lock = world.block_imports().await;

            browser.click("Import 3,000 users").await;
            browser.sees("Importing staff.csv").await;
            browser.sees("You can leave this page; the import continues.").await;
            browser.assert_sound().await;
            go(&browser, world, "/console/imports").await;
            browser.sees("Importing").await;
            browser.back().await;
            lock.release().await;
            if window.scripting {
                browser.sees("Import summary: staff.csv").await;
            } else {
                world
                    .eventually("the import, with the page's own link", async || {
                        browser.click("Refresh").await;
                        browser.text().await.contains("Import summary: staff.csv").then_some(())
                    })
                    .await;
            }
            browser.sees("No one has been emailed yet.").await;
            browser.assert_sound().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_process_that_is_killed_leaves_nothing_half_done() {
    World::run_in(a_quiet_world().await, async |world| {
        let mut by_wire = ByWire::sign_in(world).await;
        let page = by_wire.upload(people("kill", 5_000)).await;
        let lock = world.block_imports().await;
        by_wire.press(&format!("{page}/store")).await;

        world.kill_api().await;
        lock.release().await;
        world.start_api().await.unwrap();
        by_wire.turn_to(world.base());
        let text = async |page: &str| by_wire.get(page).await.text().await.unwrap();
        assert!(
            text(&page).await.contains("data-live"),
            "it may still be at work somewhere"
        );
        let users = world.rows("users").count().await;
        // The silence after which the import counts as abandoned.
        let import = world.rows("imports").only("id").await;
        world.let_import_fall_silent(import).await;
        let interrupted = text(&page).await;
        let went_on = by_wire.press(&format!("{page}/store")).await;

        assert_eq!(users, 0);
        assert!(
            interrupted.contains("The import was interrupted and nothing was stored."),
            "{interrupted}"
        );
        assert_eq!(leads_to(&went_on), page);
        world
            .eventually("the import on the next process", async || {
                text(&page).await.contains("Import summary").then_some(())
            })
            .await;
        let users = world.rows("users").count().await;
        assert_eq!(users, 5_000);
    })
    .await;
}
