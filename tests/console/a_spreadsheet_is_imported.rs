//! From an Excel file with typical faults to the Import Summary.

use harness::World;
use harness::browser::Browser;
use rust_xlsxwriter::Workbook;

use crate::files::{ByWire, file};
use crate::{a_quiet_world, go, windows};

/// A workbook with a title above the header, two sheets, and values damaged by a program.
fn staff(tag: usize) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("Notes").unwrap();
    sheet.write(0, 0, "Ask Priya about the lists").unwrap();
    let sheet = book.add_worksheet().set_name("Staff").unwrap();
    let rows = [
        ["Staff of November".to_owned(), String::new(), String::new()],
        ["E-Mail [Required]".to_owned(), "Vorname".to_owned(), "Team".to_owned()],
        [format!("ada@n{tag}.example"), "Ada".to_owned(), "Blue".to_owned()],
        [format!("jose@n{tag}.example"), "JosÃ©".to_owned(), "Red".to_owned()],
        ["cem@example".to_owned(), "Cem".to_owned(), "Red".to_owned()],
    ];
    for (row, cells) in (0..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(row, column, cell).unwrap();
        }
    }
    sheet.set_row_hidden(2).unwrap();
    let sheet = book.add_worksheet().set_name("Leavers").unwrap();
    sheet.write(0, 0, "old@example.org").unwrap().set_hidden(true);
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_sheet_is_chosen_and_doubtful_values_are_imported_when_accepted() {
    World::run_in(a_quiet_world().await, async |world| {
        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            browser
                .attach("File", &file(world, &format!("staff {n}.xlsx"), staff(n)))
                .await;
            browser.click("Upload and check").await;

            assert_eq!(browser.heading().await, format!("Choose a sheet: staff {n}.xlsx"));
            browser.assert_sound().await;
            browser.choose("Staff").await;
            browser.click("Check this sheet").await;

            assert_eq!(browser.heading().await, format!("Check import: staff {n}.xlsx"));
            browser.sees("There is a problem with 2 rows").await;
            browser.sees("check 1 value in \u{2018}Vorname\u{2019}").await;
            browser
                .sees("B4: Letters were garbled when this file was saved – did you mean José?")
                .await;
            browser.sees("A5: Not a valid email address").await;
            browser.sees("Read from the sheet \u{2018}Staff\u{2019}.").await;
            browser.sees("The column names are in row 2.").await;
            browser
                .sees("The hidden sheet \u{2018}Leavers\u{2019} is not read.")
                .await;
            browser.sees("1 row is hidden in the spreadsheet").await;
            browser.assert_sound().await;
            let download = browser.download("Download the 2 rows with reasons (Excel)").await;
            assert!(
                download.disposition.ends_with("-problems.xlsx\""),
                "{}",
                download.disposition
            );
            browser.click("Import 2 users, 1 row as it is").await;

            assert_eq!(browser.heading().await, format!("Import summary: staff {n}.xlsx"));
            browser.sees("1 row was not imported").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn damaged_values_are_accepted_by_their_kind() {
    World::run_in(a_quiet_world().await, async |world| {
        for (n, window) in windows().into_iter().enumerate() {
            let rows =
                format!("email,first name\ninfo@n{n}.example,Ada\nbob@n{n}.example,NULL\ncem@n{n}.example,Cem\n");
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            browser.attach("File", &file(world, "people.csv", rows)).await;
            browser.click("Upload and check").await;

            browser.sees("There is a problem with 2 rows").await;
            browser.sees("Shared addresses: 1").await;
            browser.unchoose("Words for \u{201C}nothing\u{201D}: 1").await;
            browser.assert_sound().await;
            browser.click("Import with the ticked values").await;

            assert_eq!(browser.heading().await, "Import summary: people.csv");
            browser.sees("2 users are imported.").await;
            browser.sees("1 row was not imported").await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_is_pasted_instead_of_a_file() {
    World::run_in(a_quiet_world().await, async |world| {
        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/imports/new").await;
            browser.click("Or paste rows").await;
            let list = format!("Ada Lovelace <ada@n{n}.example>; \"Ray, Bob\" <bob@n{n}.example>");
            browser
                .fill("Rows from a spreadsheet, or a list of addresses", &list)
                .await;
            browser.assert_sound().await;
            browser.click("Upload and check").await;

            assert_eq!(browser.heading().await, "Check import: Pasted rows");
            browser.sees("2 users can be imported").await;
            browser
                .sees("First and last name, split after the first word or at the comma")
                .await;
            browser.click("Import 2 users").await;
            browser.click("See these users").await;
            browser.sees("Ada Lovelace").await;
            browser.sees("Bob Ray").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_template_has_the_ticked_fields_and_its_example_is_not_imported_by_mistake() {
    World::run_in(a_quiet_world().await, async |world| {
        world
            .import("email,team,room\nada@example.org,Blue,12\n")
            .await
            .expect(201);
        let by_wire = ByWire::sign_in(world).await;

        for ending in ["xlsx", "csv"] {
            let path = format!("/console/imports/template.{ending}?field=team");
            let template = by_wire.get(&path).await.bytes().await.unwrap();
            let page = by_wire.upload(&template).await;
            let text = by_wire.get(&page).await.text().await.unwrap();

            assert!(text.contains("This is the example row of the template"), "{text}");
            assert!(text.contains("{{ team }}") && !text.contains("{{ room }}"), "{text}");
        }
    })
    .await;
}
