//! Files that cannot be read: each is refused with its own sentence, and nothing of it is stored.

use futures_util::stream;
use harness::World;
use reqwest::{Body, Method};

use crate::api_request::{ApiResponse, a_world, ask, upload};

type Fault = (&'static str, u16, u64, &'static str, &'static [u8], &'static str);

/// Refused files: code, status, row and column, content, sentence.
const FAULTS: &[Fault] = &[
    ("empty_file", 422, 0, "", b"", "The selected file is empty"),
    (
        "empty_file",
        422,
        0,
        "",
        b"\xEF\xBB\xBF\n\n,,\n",
        "The selected file is empty",
    ),
    (
        "no_rows",
        422,
        0,
        "",
        b"email,first_name\n\n,,\n",
        "Your file needs at least one row",
    ),
    (
        "email_column_missing",
        422,
        0,
        "",
        b"name,post\nx,y\n",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘name’ and ‘post’",
    ),
    (
        "email_column_missing",
        422,
        0,
        "",
        b"ada@example.org,Ada\n",
        "Your file needs a column called ‘email address’. Right now it has columns called ‘ada@example.org’ and ‘Ada’. The first row must have the names of the columns",
    ),
    (
        "two_email_columns",
        422,
        0,
        "B",
        b"email,E-Mail Address\na@b.co,c@d.co\n",
        "We found more than one column called ‘email address’ (columns A and B) – delete or rename one",
    ),
    (
        "duplicate_column",
        422,
        0,
        "D",
        b"email,Shoe Size,x,shoe_size\na@b.co,1,2,3\n",
        "We found more than one column called ‘shoe_size’ (columns B and D) – delete or rename one",
    ),
    (
        "blank_header",
        422,
        3,
        "C",
        b"email,x,\na@b.co,,\nc@d.co,,y\n",
        "Column C has no name, but row 3 has something in it – name the column or delete it",
    ),
    (
        "password_column",
        422,
        0,
        "B",
        b"email,Password\na@b.co,x\n",
        "Column B (‘Password’) holds passwords – Beckon never imports passwords. Delete the column and try again",
    ),
    (
        "utf16",
        422,
        0,
        "",
        b"\xFF\xFEe\0m\0a\0i\0l\0\n\0",
        "We cannot read this file – save it as CSV UTF-8 and try again. It looks like UTF-16",
    ),
    (
        "not_utf8",
        422,
        3,
        "B",
        b"email,first_name\na@b.co,Ada\nc@d.co,Ren\xE9e\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. Row 3, column B is not UTF-8: it looks like Latin-1 or Windows-1252 (‘Renée’)",
    ),
    (
        "zero_byte",
        422,
        2,
        "B",
        b"email,first_name\na@b.co,A\0da\n",
        "We cannot read this file – save it as CSV UTF-8 and try again. Row 2, column B has a zero byte, which text never has",
    ),
    (
        "quote_not_closed",
        422,
        3,
        "B",
        b"email,note\na@b.co,x\nc@d.co,\"y\ne@f.co,z\n",
        "Row 3, column B opens a quotation mark that is not closed. Close it, or write \"\" for a quotation mark that belongs to the text",
    ),
    (
        "separator_unknown",
        422,
        0,
        "",
        b"sep=|\nemail|x\n",
        "Your file declares ‘|’ as the separator of its columns. Save it with commas, semicolons or tabs and try again",
    ),
    (
        "damaged_file",
        422,
        0,
        "",
        b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml",
        "The selected file is damaged – open it in a spreadsheet, save it again and try that file",
    ),
    (
        "not_csv",
        415,
        0,
        "",
        b"PK\x03\x04\x14\0users.csv",
        "The selected file must be a spreadsheet or a CSV – this is a zip archive. Unpack it and choose the file in it",
    ),
    (
        "not_csv",
        415,
        0,
        "",
        b"\x1F\x8B\x08",
        "The selected file must be a spreadsheet or a CSV – this is a compressed file. Unpack it and choose the file in it",
    ),
    (
        "not_csv",
        415,
        0,
        "",
        b"[ {\"email\": \"a@b.co\"}]",
        "The selected file must be a spreadsheet or a CSV – this is a JSON file. Send it as application/json, or export a CSV",
    ),
];

#[tokio::test]
async fn an_unreadable_file_is_rejected_with_these_messages() {
    World::run_in(a_world().await, async |world| {
        for &(code, status, row, column, file, sentence) in FAULTS {
            let response = upload(world, file.to_vec())
                .must_be_refused(status, code, sentence)
                .await;
            assert_eq!(response.errors(), [(row, column, code, sentence)], "{}", response.text);
        }
        assert_eq!(
            (world.rows("imports").count().await, world.rows("users").count().await),
            (0, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn a_file_over_a_limit_is_rejected_with_the_limit() {
    World::run_in(a_world().await, async |world| {
        let wide = format!("email{}\na@b.co\n", ",x".repeat(10_000));
        let cell = format!("email,note\na@b.co,{}\n", "x".repeat(1_000_000));
        let swallowed = format!("email,note\na@b.co,\"{}\n", "c@d.co,x\n".repeat(50_000));

        let response = upload(world, wide).must_be_refused(
            422,
            "too_many_columns",
            "Your file has too many columns – we can take 200, row 1 has more",
        );
        assert_eq!(response.await.errors()[0].0, 1);
        let response = upload(world, cell)
            .must_be_refused(422, "cell_too_long", "Row 2, column B is too long (limit 10,000 bytes)")
            .await;
        assert_eq!((response.errors()[0].0, response.errors()[0].1), (2, "B"));
        upload(world, swallowed)
            .answer()
            .await
            .assert_problem(422, "quote_not_closed");
    })
    .await;
}

#[tokio::test]
async fn json_that_is_not_an_array_of_users_is_rejected_with_the_position() {
    World::run_in(a_world().await, async |world| {
        let import = |body: &'static str| ask(world, Method::POST, "/v1/imports").json(body);

        for (body, place) in [
            ("{\"email\":\"a@b.co\"}", (1, 1)),
            ("[{\"email\":\"a@b.co\"},\n {]", (2, 3)),
            ("[{\"email\":\"a@b.co\"}] x", (1, 22)),
            ("[{\"email\":\"a@b.co\"}", (1, 20)),
        ] {
            let response = import(body).answer().await;
            response.assert_problem(400, "json_invalid");
            let detail = response.body["detail"].as_str().unwrap();
            assert!(
                detail.ends_with(&format!("(line {}, column {})", place.0, place.1)),
                "{body}: {detail}"
            );
        }
        import("[]")
            .must_be_refused(422, "no_rows", "Your file needs at least one row")
            .await;
        let deep = format!("[{{\"email\":{}", "[".repeat(100_000));
        let response = ask(world, Method::POST, "/v1/imports").json(deep).answer().await;
        assert!(matches!(response.status, 400 | 422), "{}", response.text);
        assert_eq!(world.rows("imports").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    World::run_in(a_world().await, async |world| {
        let rows = || (0..2_000).map(|n| format!("person{n}@example.org,{}\n", "x".repeat(100)));
        let parts = std::iter::once("email,note\n".to_owned()).chain(rows()).map(Ok);
        let broken = parts.chain(std::iter::once_with(|| Err(std::io::Error::other("the line broke"))));

        let sent = upload(world, Body::wrap_stream(stream::iter(broken))).send_only().await;

        assert!(sent.is_err(), "{sent:?}");
        // The server notices the disconnect a moment later than the test; its next answer comes after that.
        world.import("email\nafter@example.org\n").await.expect(201);
        assert_eq!(
            (world.rows("imports").count().await, world.rows("users").count().await),
            (1, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn importing_the_same_file_again_changes_nothing() {
    World::run_in(a_world().await, async |world| {
        let file = "email,first_name,team\nada@example.org,Ada,Blue\nBOB@example.org,Bob,Red\n";

        let first = upload(world, file).answer().await;
        let second = upload(world, file).answer().await;

        let sums = |response: &ApiResponse| {
            ["rows", "created", "updated", "unchanged", "rejected"].map(|name| response.body[name].as_i64().unwrap())
        };
        assert_eq!(sums(&first), [2, 2, 0, 0, 0], "{}", first.text);
        assert_eq!(sums(&second), [2, 0, 0, 2, 0], "{}", second.text);
        assert_ne!(first.body["id"], second.body["id"]);
        assert_eq!(world.rows("users").count().await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_returns_the_same_result_and_stores_nothing() {
    World::run_in(a_world().await, async |world| {
        let file = "email\nada@example.org\nnot an address\n";

        let dry = ask(world, Method::POST, "/v1/imports?dry_run=true")
            .header("Content-Type", "text/csv")
            .body(file)
            .answer()
            .await;
        let wet = upload(world, file).answer().await;

        assert_eq!(
            (dry.status, &dry.body["id"], &dry.body["problems_url"]),
            (200, &serde_json::Value::Null, &serde_json::Value::Null)
        );
        for sum in ["rows", "created", "rejected", "problems"] {
            assert_eq!(dry.body[sum], wet.body[sum], "{sum}");
        }
        assert_eq!(world.rows("imports").count().await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_invalid_parameter_of_an_import_is_rejected_before_the_file_is_read() {
    World::run_in(a_world().await, async |world| {
        let import = |query: &str| {
            ask(world, Method::POST, &format!("/v1/imports?{query}"))
                .header("Content-Type", "text/csv")
                .body("email\na@b.co\n")
        };

        import("dry_run=maybe")
            .must_be_refused(
                400,
                "parameter_invalid",
                "dry_run cannot be ‘maybe’: write true or false.",
            )
            .await;
        import("dryrun=true")
            .must_be_refused(
                400,
                "unknown_parameter",
                "There is no parameter dryrun. The parameters are file_name, dry_run, sheet, header_row, accept_doubtful, accept, mapping, mode, empty.",
            )
            .await;
        assert_eq!(world.rows("imports").count().await, 0);
        let named = import(&format!("file_name={}", "x".repeat(5_000))).answer().await;
        assert_eq!(named.status, 201, "{}", named.text);
        assert!(named.body["file_name"].as_str().unwrap().len() <= 200);
    })
    .await;
}
