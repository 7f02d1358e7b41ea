//! Reading a list page by page returns every row exactly once.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use std::collections::HashSet;

/// All pages of a list.
async fn pages(world: &World, list: &str, limit: usize) -> Vec<Vec<Value>> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let joint = if list.contains('?') { '&' } else { '?' };
        let page = world
            .get(&format!("{list}{joint}limit={limit}{cursor}"))
            .await
            .expect(200);
        found.push(page["items"].as_array().unwrap().clone());
        assert!(found.len() < 100, "{list} has no end");
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn sizes(pages: &[Vec<Value>]) -> Vec<usize> {
    pages.iter().map(Vec::len).collect()
}

/// One field of every row, in the order returned.
fn all(pages: &[Vec<Value>], field: &str) -> Vec<String> {
    let rows = pages.iter().flatten();
    rows.map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

fn distinct(values: &[String]) -> usize {
    values.iter().collect::<HashSet<_>>().len()
}

#[tokio::test]
async fn each_user_is_listed_once() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(25).await;
        world.person("another@example.org").await;

        let of_import = pages(world, &format!("/v1/users?import={import}"), 7).await;
        let even = pages(world, &format!("/v1/users?import={import}"), 5).await;
        let all_users = pages(world, "/v1/users", 13).await;

        assert_eq!(sizes(&of_import), [7, 7, 7, 4]);
        assert_eq!(distinct(&all(&of_import, "email")), 25);
        assert_eq!(sizes(&even), [5; 5], "no empty page at the end");
        assert_eq!(all(&even, "id"), all(&of_import, "id"), "one order, whatever the page");
        assert_eq!(sizes(&all_users), [13, 13]);
        assert_eq!(distinct(&all(&all_users, "email")), 26);
    })
    .await;
}

#[tokio::test]
async fn each_batch_is_listed_once_newest_first_while_others_are_accepted() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(8).await;
        let mut accepted = Vec::new();
        for n in 1..=7 {
            let recipients = json!({ "emails": [format!("person{n}@example.org")], "hold_seconds": 600 });
            accepted.push(world.invite(recipients).await.to_string());
        }
        let first = world.get("/v1/batches?limit=3").await.expect(200);

        world.invite(json!({ "import": import, "hold_seconds": 600 })).await;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = world
            .get(&format!("/v1/batches?limit=3&cursor={cursor}"))
            .await
            .expect(200);
        let cursor = second["next_cursor"].as_str().unwrap();
        let third = world
            .get(&format!("/v1/batches?limit=3&cursor={cursor}"))
            .await
            .expect(200);

        let read: Vec<Vec<Value>> = [&first, &second, &third]
            .map(|page| page["items"].as_array().unwrap().clone())
            .into();
        accepted.reverse();
        assert_eq!(all(&read, "id"), accepted);
        assert!(third["next_cursor"].is_null(), "{third}");
        assert_eq!(sizes(&pages(world, "/v1/batches", 3).await), [3, 3, 2]);
    })
    .await;
}

#[tokio::test]
async fn each_delivery_is_listed_once_in_all_states_or_in_one() {
    World::run(async |world| {
        let people: String = (1..=12)
            .map(|n| {
                if n % 2 == 0 {
                    format!("550+{n}@example.org\n")
                } else {
                    format!("ok+{n}@example.org\n")
                }
            })
            .collect();
        let import = world.import(&format!("email\n{people}")).await.expect(201);
        let batch = world.invite(json!({ "import": import["id"] })).await;
        world.finished(batch).await;
        let list = format!("/v1/batches/{batch}/deliveries");

        let everyone = pages(world, &list, 5).await;
        let failed = pages(world, &format!("{list}?state=failed"), 2).await;
        let waiting = pages(world, &format!("{list}?state=waiting"), 2).await;

        assert_eq!(sizes(&everyone), [5, 5, 2]);
        assert_eq!(distinct(&all(&everyone, "email")), 12);
        assert_eq!(sizes(&failed), [2, 2, 2]);
        assert_eq!(distinct(&all(&failed, "email")), 6);
        assert!(all(&failed, "email").iter().all(|email| email.starts_with("550+")));
        assert!(all(&failed, "state").iter().all(|state| state == "failed"));
        assert_eq!(sizes(&waiting), [0]);
    })
    .await;
}

#[tokio::test]
async fn the_csv_has_one_line_per_selected_user() {
    World::run_with(Setup::default().workers(0), async |world| {
        // More than two of the groups in which the file is written.
        world.people(4_100).await;
        let strangers = ["unknown@example.org", "=1+1@example.org", "person7@example.org"].map(str::to_owned);
        let people = (1..=4_100).map(|n| format!("person{n}@example.org"));
        let emails: Vec<String> = people.chain(strangers).collect();
        let batch = world.invite(json!({ "emails": emails, "hold_seconds": 600 })).await;

        let file = world.get(&format!("/v1/batches/{batch}/deliveries.csv")).await;

        assert_eq!(file.status, 200, "{}", file.text);
        // The byte order mark makes spreadsheets read the file as UTF-8, and every cell is quoted.
        let plain = file.text.strip_prefix('\u{feff}').unwrap().replace('"', "");
        assert_eq!(plain.len() + '\u{feff}'.len_utf8() + 2 * 10 * 4_104, file.text.len());
        let mut lines = plain.lines();
        assert_eq!(
            lines.next(),
            Some("email,user,delivery,state,reason,attempts,due_at,sent_at,unsure,status")
        );
        let lines: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 4_103);
        assert!(lines.iter().all(|line| line.len() == 10));
        let in_state = |state: &str| lines.iter().filter(|line| line[3] == state).count();
        assert_eq!((in_state("waiting"), in_state("left_out")), (4_100, 3));
        let waiting: HashSet<&str> = lines
            .iter()
            .filter(|line| line[3] == "waiting")
            .map(|line| line[0])
            .collect();
        assert_eq!(waiting.len(), 4_100, "one line for each of them");
        assert_eq!(lines[0][9], "Waiting to start");
        assert!(lines[4_100..].iter().any(|line| line[9] == "Left out: Selected twice"));
        let mut left_out: Vec<(&str, &str)> = lines[4_100..].iter().map(|line| (line[0], line[4])).collect();
        left_out.sort_unstable();
        assert_eq!(
            left_out,
            [
                // Escaped, because a spreadsheet would evaluate it as a formula.
                ("'=1+1@example.org", "unknown_user"),
                ("person7@example.org", "duplicate"),
                ("unknown@example.org", "unknown_user"),
            ]
        );
    })
    .await;
}
