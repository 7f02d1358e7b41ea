//! A large file is uploaded and checked with visible progress, and chosen in any usual way.

use harness::World;
use harness::browser::Browser;

use crate::files::{file, people};
use crate::{a_quiet_world, desk, go};

/// Upload speed at which the file takes about ten seconds.
const SLOW_BYTES_PER_SECOND: u32 = 500_000;

/// Number of rows whose file has about 5 MB.
const ROWS: usize = 120_000;

async fn imports(world: &World) -> i64 {
    world.rows("imports").count().await
}

#[tokio::test]
async fn its_progress_is_shown_and_the_upload_can_be_cancelled() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/imports/new").await;
        let path = file(world, "everyone.csv", people("large", ROWS));
        browser.attach("File", &path).await;
        browser.limit_uploads(Some(SLOW_BYTES_PER_SECOND)).await;

        browser.click("Upload and check").await;
        browser.sees("MB, about").await;
        assert_eq!(browser.focused().await, "Cancel upload");
        browser.assert_sound().await;
        browser.press("Enter").await;
        browser.sees("Upload cancelled.").await;
        assert_eq!(browser.focused().await, "Upload and check");
        assert_eq!(imports(world).await, 0);

        browser.limit_uploads(None).await;
        browser.press("Enter").await;
        browser.sees("rows a second").await;
        browser.assert_sound().await;
        browser.sees("120,000 users can be imported.").await;
        assert_eq!(imports(world).await, 1);
        browser.assert_no_console_errors().await;
    })
    .await;
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_leads_to_the_sign_in_page() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/imports/new").await;
        let path = file(world, "everyone.csv", people("large", ROWS));
        browser.attach("File", &path).await;
        world.rows("sessions").delete().await;

        browser.click("Upload and check").await;

        browser.sees("Sign in").await;
        assert_eq!(imports(world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_result_of_a_large_do_not_mail_list_is_shown() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/do-not-mail/new").await;
        browser.fill("Name of the list", "On leave").await;
        let path = file(world, "leave.csv", people("leave", ROWS / 3));
        browser.attach("File with addresses", &path).await;

        browser.click("Save list").await;

        browser.sees("The list was saved.").await;
        assert_eq!(browser.heading().await, "On leave");
        browser.assert_no_console_errors().await;
    })
    .await;
}

#[tokio::test]
async fn a_dropped_or_pasted_file_is_the_chosen_one() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;

        for (n, event) in [
            "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })",
            "new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })",
        ]
        .into_iter()
        .enumerate()
        {
            go(&browser, world, "/console/imports/new").await;
            let script = format!(
                "const data = new DataTransfer();
             data.items.add(new File(['email\\nada@n{n}.example\\n'], 'staff {n}.csv', {{ type: 'text/csv' }}));
             return document.querySelector('h1').dispatchEvent({event});"
            );
            browser.run(&script).await;
            browser.click("Upload and check").await;
            assert_eq!(browser.heading().await, format!("Check import: staff {n}.csv"));
        }
    })
    .await;
}
