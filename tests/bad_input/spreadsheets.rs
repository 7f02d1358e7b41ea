//! Spreadsheets, headers of other programs, passwords in files and damaged values, through the API.

use std::io::{Cursor, Write as _};
use std::time::{Duration, Instant};

use harness::World;
use reqwest::Method;
use rust_xlsxwriter::Workbook;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::api_request::{ApiResponse, a_world, ask, upload};
use crate::json;

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A workbook: the name and the rows of each sheet.
fn book(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let mut book = Workbook::new();
    for (name, rows) in sheets {
        let sheet = book.add_worksheet();
        sheet.set_name(*name).unwrap();
        for (row, cells) in (0..).zip(rows.iter()) {
            for (column, cell) in (0..).zip(cells.iter()) {
                sheet.write_string(row, column, *cell).unwrap();
            }
        }
    }
    book.save_to_buffer().unwrap()
}

async fn send(world: &World, query: &str, file: Vec<u8>) -> ApiResponse {
    let asked = ask(
        world,
        Method::POST,
        &format!("/v1/imports?file_name=people.xlsx{query}"),
    );
    asked.header("Content-Type", XLSX).body(file).answer().await
}

/// Downloads the bytes at this path.
async fn bytes_at(world: &World, path: &str) -> Vec<u8> {
    let asked = reqwest::Client::new().get(format!("{}{path}", world.base()));
    let answer = asked.bearer_auth(world.key()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_spreadsheet_is_imported_and_its_faulty_rows_are_returned_as_one() {
    World::run_in(a_world().await, async |world| {
        let file = book(&[(
            "Staff",
            &[
                &["Staff of November"],
                &["E-Mail *", "First name", "Team"],
                &["ada@example.org", "Ada", "Blue"],
                &["bob@example", "Bob", "=1+1"],
                &["cem@example.org", "Cem", "Red"],
            ],
        )]);

        let response = send(world, "", file).await;

        assert_eq!(response.status, 201, "{}", response.text);
        let sums = ["rows", "created", "rejected", "header_row"].map(|name| response.body[name].as_i64().unwrap());
        assert_eq!(sums, [3, 2, 1, 2], "{}", response.text);
        assert_eq!(
            (&response.body["format"], &response.body["sheet"]),
            (&json!("xlsx"), &json!("Staff"))
        );
        assert_eq!(response.body["problems"][0]["cell"], "A4", "{}", response.text);
        let url = response.body["problems_url"].as_str().unwrap();
        assert!(url.ends_with("/problems.xlsx"), "{url}");
        let shown = world.get(url.trim_end_matches("/problems.xlsx")).await.expect(200);
        assert_eq!(shown, response.body);
        let bytes = bytes_at(world, url).await;
        let again = send(world, "", bytes).await;
        assert_eq!(
            (again.status, &again.body["header_row"]),
            (201, &json!(1)),
            "{}",
            again.text
        );
        assert_eq!(
            again.body["problems"],
            json!([
                { "row": 2, "column": "E-Mail *", "cell": "A2", "field": "email", "code": "domain_not_public",
                  "message": response.body["problems"][0]["message"], "value": "bob@example" }
            ])
        );
        assert_eq!(
            again.body["columns"].as_array().map(Vec::len),
            Some(3),
            "{}",
            again.text
        );
    })
    .await;
}

#[tokio::test]
async fn a_workbook_with_several_sheets_asks_which_one() {
    World::run_in(a_world().await, async |world| {
        let file = book(&[
            ("One", &[&["email"], &["one@example.org"]]),
            ("Two", &[&["email"], &["two@example.org"]]),
        ]);

        let response = send(world, "", file.clone()).await;

        response.assert_problem(422, "several_sheets");
        assert!(response.text.contains("‘One’ and ‘Two’"), "{}", response.text);
        send(world, "&sheet=Three", file.clone())
            .await
            .assert_problem(422, "no_such_sheet");
        assert_eq!(world.rows("imports").count().await, 0);
        let response = send(world, "&sheet=Two", file).await;
        assert_eq!(
            (response.status, &response.body["sheet"]),
            (201, &json!("Two")),
            "{}",
            response.text
        );
    })
    .await;
}

/// The format of Google Workspace's own user export.
const GOOGLE: &str = "First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Password Hash Function [UPLOAD ONLY],Org Unit Path [Required],2sv Enrolled [READ ONLY],Change Password at Next Sign-In\n\
    Amara,Okoye,amara.okoye@lerna.example,****,,/Staff,True,False\n";

#[tokio::test]
async fn passwords_in_a_file_are_never_imported() {
    World::run_in(a_world().await, async |world| {

        let response = upload(world, GOOGLE).must_be_refused(
            422,
            "password_column",
            "Column D (‘Password [Required]’) holds passwords – Beckon never imports passwords. Delete the column and try again",
        );
        assert_eq!(response.await.errors()[0].1, "D");
        let initial = "email,First name,Initial password\nmina.park@lerna.example,Mina,Kestrel-4471\n";
        upload(world, initial)
            .answer()
            .await
            .assert_problem(422, "password_column");
        let users = json!([{ "email": "a@lerna.example", "fields": { "initialPassword": "Kestrel-4471" } }]);
        let response = ask(world, Method::POST, "/v1/imports")
            .json(users.to_string())
            .answer()
            .await;
        assert_eq!(response.problems()[0].2, "reserved_field", "{}", response.text);
        let letter = json!({ "subject": "Welcome {{ first_name }}", "body": "{{ initial_password }}\n\n[Sign in]({{ sign_in_url }})" });
        let saved = ask(world, Method::PUT, "/v1/system-emails/invite").json(letter.to_string());
        assert_eq!(saved.answer().await.status, 422);
        assert_eq!(world.rows("users").count().await, 0);
        // Without the column the file is imported, and the names are where emails use them.
        let without = GOOGLE.replace("Password [Required],", "").replace("****,", "");
        let response = upload(world, without).answer().await;
        assert_eq!(
            (response.status, &response.body["created"]),
            (201, &json!(1)),
            "{}",
            response.text
        );
        let amara = world.get("/v1/users?q=amara").await.expect(200)["items"][0].clone();
        assert_eq!(
            (&amara["first_name"], &amara["last_name"]),
            (&json!("Amara"), &json!("Okoye"))
        );
        assert_eq!(amara["fields"], json!({ "org_unit_path": "/Staff" }));
        let left_out = response.body["columns"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|column| column["note"].is_string());
        assert_eq!(left_out.count(), 3, "{}", response.text);
    })
    .await;
}

#[tokio::test]
async fn damaged_values_are_reported_and_imported_if_accepted() {
    World::run_in(a_world().await, async |world| {
        let file = "email,first name\njose@example.org,JosÃ©\nnull@example.org,NULL\nada@example.org,Ada\n";

        let response = upload(world, file).answer().await;
        let accepted = ask(world, Method::POST, "/v1/imports?accept_doubtful=true")
            .header("Content-Type", "text/csv")
            .body(file)
            .answer()
            .await;

        let sums = |response: &ApiResponse| {
            ["created", "unchanged", "rejected", "doubtful"].map(|name| response.body[name].as_i64().unwrap())
        };
        assert_eq!(sums(&response), [1, 0, 2, 2], "{}", response.text);
        let problem = &response.body["problems"][0];
        assert_eq!(
            (&problem["code"], &problem["suggestion"], &problem["acceptable"]),
            (&json!("double_encoded"), &json!("José"), &json!(true))
        );
        assert_eq!(sums(&accepted), [2, 1, 0, 0], "{}", accepted.text);
    })
    .await;
}

#[tokio::test]
async fn damaged_values_are_accepted_by_their_kind() {
    World::run_in(a_world().await, async |world| {
        let file = "email,first name\njose@example.org,JosÃ©\nnull@example.org,NULL\ninfo@example.org,NULL\n";
        let accepting = async |codes: &str| {
            ask(world, Method::POST, &format!("/v1/imports?accept={codes}"))
                .header("Content-Type", "text/csv")
                .body(file)
                .answer()
                .await
        };

        let placeholders = accepting("placeholder").await;
        let all = accepting("placeholder,shared_address,%20double_encoded").await;
        let wrong = accepting("placeholder,email_invalid").await;

        let sums = |response: &ApiResponse| ["created", "rejected"].map(|name| response.body[name].as_i64().unwrap());
        assert_eq!(sums(&placeholders), [1, 2], "{}", placeholders.text);
        let codes: Vec<&str> = placeholders.body["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|problem| problem["code"].as_str())
            .collect();
        assert_eq!(codes, ["double_encoded", "shared_address"]);
        assert_eq!(sums(&all), [2, 0], "{}", all.text);
        let error = &wrong.body["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"]),
            (&json!("accept"), &json!("not_acceptable"))
        );
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .starts_with("email_invalid is no problem that can be accepted."),
            "{error}"
        );
    })
    .await;
}

/// A workbook of one sheet whose rows are this XML.
fn crafted(rows: &str) -> Vec<u8> {
    let sheet = format!("<worksheet><sheetData>{rows}</sheetData></worksheet>");
    let parts = [
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"r\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"a\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id=\"a\" Type=\"x/worksheet\" Target=\"a.xml\"/></Relationships>",
        ),
        ("xl/a.xml", &sheet),
    ];
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in parts {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn spreadsheets_made_to_exhaust_memory_take_little() {
    World::run_in(a_world().await, async |world| {
        let api = world.api.as_ref().unwrap();
        let before = api.max_memory();
        let began = Instant::now();
        let cell = |text: &str| format!("<row><c t=\"str\"><v>{text}</v></c></row>");
        let people = [cell("email"), cell("ada@example.org")].concat();
        let empty = "<row s=\"1\" customFormat=\"1\"/>".repeat(1_000_000);
        let long = format!("<row><c t=\"str\"><v>{}</v></c></row>", "x".repeat(50_000_000));

        let rows = send(world, "", crafted(&format!("{people}{empty}"))).await;
        let bomb = send(world, "", crafted(&format!("{people}{long}"))).await;

        assert_eq!((rows.status, &rows.body["rows"]), (201, &json!(1)), "{}", rows.text);
        bomb.assert_problem(422, "too_large_inside");
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
        if let (Some(before), Some(most)) = (before, api.max_memory()) {
            let grown = (most - before) / 1024 / 1024;
            println!("it grew by {grown} MiB");
            assert!(grown < 150, "it grew by {grown} MiB");
        }
    })
    .await;
}
