//! A file with unknown column names: the administrator maps each column once.

use harness::World;
use harness::browser::Browser;
use rust_xlsxwriter::Workbook;

use crate::files::file;
use crate::{a_quiet_world, desk, go, telephone, windows};

/// A typical office workbook: a title, unknown column names, two of them equal, a column without a name, a faulty
/// address and a damaged name.
fn staff(tag: usize) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Staff").unwrap();
    let (ana, jose) = (format!("ana@n{tag}.example"), format!("jose@n{tag}.example"));
    let rows = [
        ["Staff of November", "", "", "", "", ""],
        ["Kontakt", "Wer", "Abt.", "Abt.", "", "Room"],
        [&ana, "Ruiz, Ana", "Sales", "x", "old", "12"],
        [&jose, "JosÃ© Núñez", "Finance", "", "", "14"],
        ["cem@example", "Cem Kaya", "Sales", "", "", "12"],
    ];
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

async fn upload(browser: &Browser, name: &str, world: &harness::World, bytes: impl AsRef<[u8]>) {
    go(browser, world, "/console/imports/new").await;
    browser.attach("File", &file(world, name, bytes)).await;
    browser.click("Upload and check").await;
}

/// Goes from the Import Summary to the check page with the users of one department.
async fn go_on_to_a_filtered_selection(browser: &Browser) {
    browser.click("Invite Users").await;
    browser.click("Send Invite Email").await;
    assert_eq!(browser.heading().await, "Send Invite Email: select users");
    // The import is one of the filters, so their panel is already open.
    browser.pick("Field 1", "abt").await;
    browser.fill("Value 1", "finance").await;
    browser.click("Apply these filters").await;
    browser.sees("abt is \u{2018}finance\u{2019}").await;
    browser.sees("No users match these filters.").await;
    browser.fill("Value 1", "sales").await;
    browser.click("Apply these filters").await;
    browser.sees("Ana Ruiz").await;
    browser.assert_sound().await;
    browser.click("Send Invite Email").await;
    assert_eq!(browser.heading().await, "Check before you send");
    browser.finds("Send 1 invite email").await;
    browser.assert_sound().await;
}

/// Takes the title for the header, and then the real one again.
async fn use_another_row_as_header(browser: &Browser) {
    browser
        .pick("Row with the column names", "Row 1: Staff of November")
        .await;
    browser.click("Use this row").await;
    assert_eq!(
        browser.value("Import column A, Staff of November, as").await,
        "staff_of_november"
    );
    browser.assert_sound().await;
    let header = "Row 2: Kontakt, Wer, Abt., Abt., Room";
    browser.pick("Row with the column names", header).await;
    browser.click("Check the file").await;
    // The columns of another row are to be chosen first.
    assert_eq!(browser.value("Import column A, Kontakt, as").await, "email");
}

#[tokio::test]
async fn columns_of_any_name_come_in_as_they_were_chosen_and_are_known_the_next_time() {
    World::run_in(a_quiet_world().await, async |world| {
        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            world.rows("import_mappings").delete().await;
            upload(&browser, &format!("staff {n}.xlsx"), world, staff(n)).await;

            assert_eq!(browser.heading().await, format!("Columns of staff {n}.xlsx"));
            browser.sees("We could not recognise all columns.").await;
            browser.sees(&format!("ana@n{n}.example")).await;
            // The address column is recognised by its content.
            assert_eq!(browser.value("Import column A, Kontakt, as").await, "email");
            browser.assert_sound().await;
            use_another_row_as_header(&browser).await;

            browser
                .pick("Import column B, Wer, as", "Full name (split into first and last name)")
                .await;
            browser.pick("Import column C, Abt., as", "First name").await;
            browser.click("Check the file").await;
            browser
                .sees("Columns B and C would both fill the name – import either the full name, or first and last name")
                .await;
            assert!(browser.title().await.starts_with("Error: "));
            browser.assert_sound().await;
            browser.pick("Import column C, Abt., as", "abt").await;
            browser.pick("Import column D, Abt., as", "Do not import").await;
            browser.click("Update the sample values").await;
            browser.sees(", last name Ruiz").await;
            browser.assert_sound().await;
            browser.click("Check the file").await;

            assert_eq!(browser.heading().await, format!("Check import: staff {n}.xlsx"));
            browser.sees("There is a problem with 2 rows").await;
            browser.sees("B4: Letters were garbled").await;
            browser.sees("A5: Not a valid email address").await;
            browser.assert_sound().await;
            browser.click("Import 1 user and leave out 2").await;
            assert_eq!(browser.heading().await, format!("Import summary: staff {n}.xlsx"));
            go_on_to_a_filtered_selection(&browser).await;

            upload(&browser, "next.xlsx", world, staff(n)).await;
            browser.sees("Taken from an earlier file with the same columns.").await;
            browser.sees("unchanged 1").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_file_only_updates_and_clears_what_is_empty_in_it_where_that_is_chosen() {
    World::run_in(a_quiet_world().await, async |world| {
        let rows = "email,first name,room\nana@example.org,Ana,12\n";

        for window in [desk().without_scripting(), telephone()] {
            world.rows("users").delete().await;
            world.import(rows).await.expect(201);
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            browser.click("How to import: create and update").await;
            browser.choose("Update only").await;
            browser
                .attach(
                    "File",
                    &file(world, "rooms.csv", "email,room\nana@example.org,\nbo@example.org,9\n"),
                )
                .await;
            browser.assert_sound().await;
            browser.click("Upload and check").await;

            browser
                .sees("Update only: Rows of people who are not users yet are ignored.")
                .await;
            browser.sees("unchanged 1 ignored 1").await;
            browser.click("Change the columns or how to import").await;
            assert!(browser.is_chosen("Update only").await);
            browser.choose("Clear the value").await;
            browser.assert_sound().await;
            browser.click("Check the file").await;

            browser.sees("Empty cells clear the user’s current value.").await;
            browser.sees("room: 12 → becomes empty").await;
            browser.assert_sound().await;
            browser.click("Import 1 user").await;
            browser.sees("updated 1").await;
            browser.sees("ignored 1").await;
            browser.assert_sound().await;
            let users = world.get("/v1/users").await.expect(200);
            assert_eq!(users["items"].as_array().map(Vec::len), Some(1), "{users}");
            assert_eq!(users["items"][0]["fields"], serde_json::json!({}));
        }
    })
    .await;
}

/// Moves the focus with the keyboard until it reaches an element with this name.
async fn tab_to(browser: &Browser, name: &str) {
    for _ in 0..80 {
        if browser.focused().await.contains(name) {
            return;
        }
        browser.press("Tab").await;
    }
    panic!("the keyboard does not reach {name}");
}

#[tokio::test]
async fn columns_are_chosen_by_keyboard_alone() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        upload(
            &browser,
            "two.csv",
            world,
            "Email,E-Mail Address,Team\na@example.org,b@example.org,Blue\n",
        )
        .await;
        assert_eq!(browser.heading().await, "Columns of two.csv");

        tab_to(&browser, "Import column A").await;
        browser.write("Do not").await;
        tab_to(&browser, "Import column B").await;
        browser.write("Email").await;
        tab_to(&browser, "Import column C").await;
        browser.press("Home").await;
        tab_to(&browser, "Check the file").await;
        browser.press("Enter").await;

        browser.sees("No problems found").await;
        browser.sees("1 user can be imported").await;
        browser.click("Import 1 user").await;
        let users = world.get("/v1/users").await.expect(200);
        assert_eq!(users["items"][0]["email"], "b@example.org");
        assert_eq!(users["items"][0]["fields"], serde_json::json!({}));
    })
    .await;
}
