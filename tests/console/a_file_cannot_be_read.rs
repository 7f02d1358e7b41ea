//! Unreadable files: each error explains what to do, and nothing of the file is stored.

use harness::World;
use harness::browser::Browser;

use crate::files::{ByWire, file};
use crate::{a_quiet_world, desk, go};

/// Unreadable files, each with its error.
fn wrong_files() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut utf16 = b"\xFF\xFE".to_vec();
    utf16.extend("email\n".encode_utf16().flat_map(u16::to_le_bytes));
    vec![
        ("nothing.csv", Vec::new(), "The selected file is empty"),
        (
            "header.csv",
            b"email,name\n".to_vec(),
            "Your file needs at least one row",
        ),
        (
            "staff.xlsx",
            b"PK\x03\x04[Content_Types].xml".to_vec(),
            "The selected file is damaged",
        ),
        (
            "photo.png",
            b"\x89PNG\r\n\x1a\n\x00\x00".to_vec(),
            "The selected file must be a spreadsheet or a CSV",
        ),
        ("utf16.csv", utf16, "save it as CSV UTF-8 and try again"),
        (
            "latin.csv",
            b"email,name\nada@example.org,Jos\xe9\n".to_vec(),
            "it looks like Latin-1 or Windows-1252",
        ),
        ("zero.csv", b"email\nada@\x00example.org\n".to_vec(), "has a zero byte"),
        (
            "names.csv",
            b"name,team\nAda,Blue\n".to_vec(),
            "Your file needs a column called \u{2018}email address\u{2019}. Right now it has columns called \u{2018}name\u{2019} and \u{2018}team\u{2019}",
        ),
        (
            "open.csv",
            b"email,name\na@example.org,\"Ada\nb@example.org,Bob\n".to_vec(),
            "opens a quotation mark that is not closed",
        ),
    ]
}

#[tokio::test]
async fn each_error_is_shown_at_the_file_field() {
    World::run_in(a_quiet_world().await, async |world| {
        let window = desk();
        let browser = Browser::start(window).await;
        browser.sign_in(world).await;
        go(&browser, world, "/console/imports/new").await;

        browser.click("Upload and check").await;
        browser.sees("There is a problem Select a file").await;
        assert!(browser.title().await.starts_with("Error: Import users"));
        browser.assert_sound().await;
        let mut label = "File";
        for (name, bytes, words) in wrong_files() {
            browser.attach(label, &file(world, name, bytes)).await;
            browser.click("Upload and check").await;
            browser.sees(&format!("There is a problem {name}: ")).await;
            browser.sees(words).await;
            browser.assert_sound().await;
            label = "Corrected file";
        }
        browser.become_like(window.without_scripting()).await;
        browser
            .attach(label, &file(world, "good.csv", "email\nada@example.org\n"))
            .await;
        browser.click("Upload and check").await;
        browser.sees("No problems found").await;

        let kept = world.rows("imports").other_than("state", "discarded").count().await;
        assert_eq!(kept, 1, "each corrected file takes the place of the one before");
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_reported_before_and_after_the_upload() {
    World::run_in(a_quiet_world().await, async |world| {
        let large = file(world, "large.csv", "email,a\n".repeat(9 * 1024 * 1024));
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;

        go(&browser, world, "/console/imports/new").await;
        browser.attach("File", &large).await;
        let message = browser
            .run("return document.getElementById('file').validationMessage")
            .await;
        assert_eq!(message, "The selected file must be smaller than 64 MB");

        browser.become_like(desk().without_scripting()).await;
        go(&browser, world, "/console/imports/new").await;
        browser.attach("File", &large).await;
        browser.click("Upload and check").await;
        browser
            .sees("There is a problem The selected file must be smaller than 64 MB")
            .await;
        browser.assert_sound().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_with_faults_in_every_row_shows_the_first_rows() {
    World::run_in(a_quiet_world().await, async |world| {
        let by_wire = ByWire::sign_in(world).await;

        let page = by_wire.upload(format!("email\n{}", "unknown\n".repeat(20_000))).await;
        world
            .eventually("the check", async || {
                let text = by_wire.get(&page).await.text().await.unwrap();
                text.contains("No row can be imported").then_some(())
            })
            .await;
        let shown = by_wire.get(&page).await.text().await.unwrap();
        let download = by_wire.get(&format!("{page}/problems.csv")).await.text().await.unwrap();

        assert!(shown.contains("fix 20,000 email addresses"), "{shown}");
        assert_eq!(shown.matches("class=\"wrong-cell\"").count(), 50);
        assert_eq!(download.lines().count(), 20_001);
    })
    .await;
}
