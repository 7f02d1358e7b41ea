//! After a user's address is corrected, earlier mails still show the address they went to.

use crate::console_session::ConsoleSession;
use crate::json;
use harness::World;
use harness::relay::{Behaviour, Step};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

const WRONG: &str = "ada@example.org";
const RIGHT: &str = "ada@example.com";
const UNKNOWN: &str = "550 5.1.1 no such user";

async fn correct(world: &World, user: Uuid, email: &str) {
    let change = Some(json!({ "email": email }));
    let changed = world
        .ask(Method::PATCH, &format!("/v1/users/{user}"), change, None)
        .await;
    changed.expect(200);
}

/// The body of an answer for programs, such as a CSV file.
async fn text(world: &World, path: &str) -> String {
    let answer = world.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.text
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap()
}

#[tokio::test]
async fn a_mail_that_failed_is_shown_with_the_address_that_does_not_exist() {
    World::run(async |world| {
        world.relay.set(WRONG, Behaviour::answer(Step::Rcpt, UNKNOWN));
        let user = world.person(WRONG).await;
        let ben = world.person("ben@example.org").await;
        let failed = world.invite(json!({ "users": [user] })).await;
        let waiting = world.invite(json!({ "users": [ben], "hold_seconds": 600 })).await;
        world.finished(failed).await;

        correct(world, user, RIGHT).await;
        correct(world, ben, "ben@example.com").await;

        let delivery = world.deliveries(failed).await.remove(0);
        let story = world.story(&delivery).await;
        assert_eq!(delivery["email"], WRONG, "{delivery}");
        assert_eq!(story["email"], WRONG, "{story}");
        assert_eq!(story["attempts"][0]["email"], WRONG, "{story}");
        let mut console = ConsoleSession::of(world, world.administrator().await).await;
        let ledger = text(world, &format!("/v1/batches/{failed}/deliveries.csv")).await;
        let report = console.get(&format!("/console/batches/{failed}/report.csv")).await.text;
        for file in [&ledger, &report] {
            assert!(file.contains(WRONG) && !file.contains(RIGHT), "{file}");
        }
        for path in [
            format!("/console/batches/{failed}?q={WRONG}"),
            format!("/console/batches/{failed}?q=example.org"),
            format!("/console/activity?q={WRONG}"),
            format!("/console/deliveries/{}", id(&delivery)),
            format!("/console/users/{user}"),
            "/console/users".to_owned(),
        ] {
            let page = console.get(&path).await.text;
            assert!(
                page.contains(WRONG),
                "{path} does not show where the email went: {page}"
            );
            assert!(
                !page.contains("Correct the address<span"),
                "{path} asks for what was done: {page}"
            );
        }
        let activity = console.get("/console/activity").await.text;
        assert!(activity.contains("Ada, ada@example.org"), "{activity}");
        let page = console
            .get(&format!("/console/deliveries/{}", id(&delivery)))
            .await
            .text;
        assert!(page.contains("to <strong>ada@example.com</strong>"), "{page}");
        assert!(!page.contains("Correct the address"), "{page}");

        let held = world.deliveries(waiting).await.remove(0);
        assert_eq!(
            held["email"], "ben@example.com",
            "it has no attempt, so it goes to the new address"
        );
        console.post(&format!("/console/batches/{waiting}/start"), &[]).await;
        world.finished(waiting).await;
        assert_eq!(world.relay.mails_to("ben@example.com").unwrap().len(), 1);
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn an_attempt_after_the_correction_goes_to_the_new_address_and_each_shows_its_own() {
    World::run(async |world| {
        world
            .relay
            .set(WRONG, Behaviour::answer(Step::Rcpt, "451 4.2.2 mailbox is full"));
        let user = world.person(WRONG).await;
        let batch = world.invite(json!({ "users": [user] })).await;
        world.until(batch, "retrying", 1).await;

        correct(world, user, RIGHT).await;
        let delivery = world.deliveries(batch).await.remove(0);
        let console = ConsoleSession::of(world, world.administrator().await).await;
        let page = console
            .get(&format!("/console/deliveries/{}", id(&delivery)))
            .await
            .text;
        world.let_pauses_pass().await;
        world.finished(batch).await;

        assert_eq!(delivery["email"], WRONG, "its only attempt went there: {delivery}");
        assert!(page.contains("The next attempt goes to the new address."), "{page}");
        let story = world.story(&delivery).await;
        assert_eq!(story["email"], RIGHT, "{story}");
        let addresses: Vec<&Value> = story["attempts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| &attempt["email"])
            .collect();
        assert_eq!(addresses, [WRONG, RIGHT]);
        let page = console
            .get(&format!("/console/deliveries/{}", id(&delivery)))
            .await
            .text;
        assert!(page.contains("to ada@example.org"), "{page}");
    })
    .await;
}

#[tokio::test]
async fn an_address_used_twice_is_shown_for_both_times() {
    World::run(async |world| {
        let user = world.person(WRONG).await;
        let recipients = json!({ "users": [user], "include_recent": true });
        let mut batches = Vec::new();
        for next in [RIGHT, WRONG, "ada@example.net"] {
            let batch = world.invite(recipients.clone()).await;
            world.finished(batch).await;
            correct(world, user, next).await;
            batches.push(batch);
        }

        let mut shown = Vec::new();
        for batch in batches {
            shown.push(world.deliveries(batch).await[0]["email"].clone());
        }
        assert_eq!(shown, [WRONG, RIGHT, WRONG]);
    })
    .await;
}

#[tokio::test]
async fn a_mail_not_sent_because_of_its_address_still_shows_it() {
    World::run(async |world| {
        world.relay.set(WRONG, Behaviour::answer(Step::Rcpt, UNKNOWN));
        let user = world.person(WRONG).await;
        let mut console = ConsoleSession::of(world, world.administrator().await).await;
        let ben = world.person("ben@example.org").await;
        let hers = world.invite(json!({ "users": [user], "hold_seconds": 600 })).await;
        let failed = world.reset_passwords(json!({ "users": [user] })).await;
        world.finished(failed).await;
        console.post(&format!("/console/batches/{hers}/start"), &[]).await;
        world.finished(hers).await;
        let sent = world.invite(json!({ "users": [ben] })).await;
        world.finished(sent).await;
        let again = world.invite(json!({ "users": [ben] })).await;
        let owed = world
            .reset_passwords(json!({ "users": [ben], "hold_seconds": 600 }))
            .await;

        correct(world, user, RIGHT).await;
        correct(world, ben, "ben@example.com").await;

        let delivery = world.deliveries(hers).await.remove(0);
        assert_eq!(
            [&delivery["state"], &delivery["email"]],
            ["suppressed", WRONG],
            "{delivery}"
        );
        let owed = world.deliveries(owed).await.remove(0);
        assert_eq!(
            [&owed["reason"], &owed["email"]],
            ["address_changed", "ben@example.org"],
            "{owed}"
        );
        let ledger = text(world, &format!("/v1/batches/{again}/deliveries.csv")).await;
        assert!(ledger.contains("mailed_recently"), "{ledger}");
        assert!(
            ledger.contains("ben@example.org") && !ledger.contains("ben@example.com"),
            "{ledger}"
        );
        let page = console
            .get(&format!("/console/deliveries/{}", id(&delivery)))
            .await
            .text;
        assert!(
            page.contains("to <strong>ada@example.com</strong>") && !page.contains("has since been unblocked"),
            "{page}"
        );
    })
    .await;
}
