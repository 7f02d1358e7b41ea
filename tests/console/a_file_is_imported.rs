//! From a CSV file to users who can be emailed.

use harness::World;
use harness::browser::Browser;

use crate::files::file;
use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn faulty_rows_are_shown_and_the_others_are_imported() {
    World::run_in(a_quiet_world().await, async |world| {
        world
            .import("email,first name\nknown@example.org,Known\nsame@example.org,Same\n")
            .await
            .expect(201);

        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            browser.click("Imports").await;
            browser.click("Import users").await;
            browser.sees("Importing does not send any email.").await;
            browser.assert_sound().await;

            let rows = format!(
                "E-Mail Address;First Name;Department\r\n\
                 known@example.org;Known {n};Sales\r\nsame@example.org;Same;\r\n\
                 ada@n{n}.example;Ada;Sales\r\nbob@n{n}.example;Bob;\r\n\
                 pat@gmail,com;Pat;Sales\r\n;Nameless;\r\nADA@n{n}.example;Again;\r\n\r\n"
            );
            browser
                .attach("File", &file(world, &format!("staff {n}.csv"), rows))
                .await;
            browser.click("Upload and check").await;

            assert_eq!(browser.heading().await, format!("Check import: staff {n}.csv"));
            assert!(browser.title().await.starts_with("Error: "));
            sees_what_was_found(&browser).await;
            browser.assert_sound().await;
            assert_eq!(figures(&browser).await, [7, 2, 1, 1, 2, 1]);
            let known = if n == 0 {
                "Known".to_owned()
            } else {
                format!("Known {}", n - 1)
            };
            browser.sees(&format!("First Name: {known}")).await;
            let download = browser.download("Download the 2 rows with reasons (CSV)").await;
            assert_eq!(download.text.lines().count(), 3, "{}", download.text);
            assert!(!download.text.contains("Again"), "{}", download.text);
            browser.click("Import 4 users and leave out 2").await;

            assert_eq!(browser.heading().await, format!("Import summary: staff {n}.csv"));
            browser.sees("Imported by Priya Nair").await;
            browser.sees("in the file").await;
            browser.sees("No one has been emailed yet.").await;
            browser.assert_sound().await;
            assert_eq!(figures(&browser).await, [7, 2, 1, 1, 2, 1]);
            browser.sees("1 existing user updated").await;
            browser.click("1 updated").await;
            browser.sees(&format!("Known {n}")).await;
            browser.loses("Bob").await;
            browser.back().await;
            browser.click("Invite Users").await;
            browser.click("Send Invite Email").await;
            browser.sees("Step 1 of 3").await;
            browser.sees("4 selected").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

/// Asserts the content of the page of a checked file.
async fn sees_what_was_found(browser: &Browser) {
    for text in [
        "There is a problem with 2 rows",
        "4 users can be imported.",
        "1 existing user will be updated.",
        "1 row repeats the email address of an earlier row.",
        "fix 1 email address",
        "enter the missing email address in 1 row",
        "did you mean pat@gmail.com?",
        "Same as row 4",
        "{{ department }}",
        "1 empty row was skipped",
    ] {
        browser.sees(text).await;
    }
}

/// The large numbers of a summary.
async fn figures(browser: &Browser) -> Vec<u64> {
    let script =
        "return [...document.querySelectorAll('.ledger dd')].map((dd) => parseInt(dd.innerText.replace(',', '')))";
    let found = browser.run(script).await;
    found
        .as_array()
        .unwrap()
        .iter()
        .filter_map(serde_json::Value::as_u64)
        .collect()
}

#[tokio::test]
async fn a_corrected_file_replaces_the_first() {
    World::run_in(a_quiet_world().await, async |world| {
        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            browser
                .attach("File", &file(world, "first.csv", "email\nnot an address\n"))
                .await;
            browser.click("Upload and check").await;
            browser.sees("No row can be imported").await;
            browser.assert_sound().await;
            let first = browser.path().await;

            browser
                .attach("Corrected file", &file(world, "second.csv", "email\nada@example.org\n"))
                .await;
            browser.click("Upload and check").await;
            browser.sees("No problems found").await;
            browser.assert_sound().await;
            assert_ne!(browser.path().await, first);
            go(&browser, world, &first).await;
            browser.sees("Discarded: first.csv").await;
            browser.assert_sound().await;
            go(&browser, world, "/console/imports").await;
            browser.sees("Waiting for you").await;
            browser.loses("first.csv").await;
            browser.click("second.csv").await;
            browser.click("Discard this file").await;

            browser.sees("second.csv is discarded").await;
            browser.assert_no_console_errors().await;
        }
        let users = world.rows("users").count().await;
        assert_eq!(users, 0);
    })
    .await;
}
