//! A file with faulty rows: the good rows are imported; the others are reported and can be fixed.

use crate::json;
use harness::World;

const FILE: &str = "\u{feff}E-Mail Address;First Name;Last Name;Team\r\n\
    ada@example.org;Ada;Lovelace;Engine\r\n\
    not an address;Bob;;\r\n\
    ADA@example.org;Ada again;;\r\n\
    ;Nameless;;\r\n\
    \r\n\
    josé@example.org;José;;\r\n\
    ana@bücher.example;Ana;Ruiz;Books\r\n";

#[tokio::test]
async fn good_rows_are_imported_and_the_others_are_reported() {
    World::run(async |world| {
        let import = world.import(FILE).await.expect(201);

        assert_eq!(import["rows"], 6, "{import}");
        assert_eq!(import["created"], 2, "{import}");
        assert_eq!(import["rejected"], 4, "{import}");
        assert_eq!(import["blank"], 1, "{import}");
        let problems: Vec<_> = import["problems"].as_array().unwrap().iter().collect();
        let rows: Vec<i64> = problems.iter().filter_map(|problem| problem["row"].as_i64()).collect();
        assert_eq!(rows, [3, 4, 5, 7], "{import}");
        assert_eq!(problems[1]["message"], "Same as row 2", "{import}");
        assert_eq!(problems[2]["column"], "E-Mail Address", "{import}");
        let fix = world.get(import["problems_url"].as_str().unwrap()).await;
        assert_eq!(import["duplicates"], 1, "{import}");
        assert_eq!(fix.text.lines().count(), 4, "{}", fix.text);
        assert!(!fix.text.contains("Same as row"), "{}", fix.text);
        assert!(fix.text.lines().next().unwrap().contains("Problem"), "{}", fix.text);
        assert_eq!(world.relay.counts().connections, 0, "importing sends nothing");
    })
    .await;
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    World::run(async |world| {
        world.import(FILE).await.expect(201);

        let again = world.import(FILE).await.expect(201);

        assert_eq!(again["created"], 0, "{again}");
        assert_eq!(again["updated"], 0, "{again}");
        assert_eq!(again["unchanged"], 2, "{again}");
    })
    .await;
}

#[tokio::test]
async fn a_user_at_an_international_domain_gets_their_mail() {
    World::run(async |world| {
        world.import(FILE).await.expect(201);

        let batch = world.invite(json!({ "emails": ["ana@bücher.example"] })).await;
        world.finished(batch).await;

        let mails = world.relay.mails_to("ana@xn--bcher-kva.example").unwrap();
        assert_eq!(mails.len(), 1);
    })
    .await;
}
