//! Saving a system email creates a version; every mail uses the version its batch was sent with.

use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;

const INVITE: &str = "/v1/system-emails/invite";

/// Saves a text and returns the status and the answer.
async fn save(world: &World, subject: &str, based_on: Option<i64>) -> (u16, Value) {
    let body = "Dear {{ first_name }},\n\nthe gate is open.";
    let draft = json!({ "subject": subject, "body": body, "based_on_version": based_on });
    let answer = world.ask(Method::PUT, INVITE, Some(draft), None).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn each_mail_has_the_version_of_its_batch() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        world.person("bob@example.org").await;
        world.person("cleo@example.org").await;
        let shipped = world.get(INVITE).await.expect(200);

        let before = world.invite(json!({ "emails": ["ada@example.org"] })).await;
        let held = world
            .invite(json!({ "emails": ["cleo@example.org"], "hold_seconds": 1 }))
            .await;
        let (status, saved) = save(world, "{{ first_name }}, come in", None).await;
        world.start_worker().await.unwrap();
        world.finished(before).await;
        world.finished(held).await;
        // The same worker, which has cached the old text.
        let after = world.invite(json!({ "emails": ["bob@example.org"] })).await;
        world.finished(after).await;

        assert_eq!((shipped["version"].as_i64(), status), (Some(1), 200), "{saved}");
        assert_eq!(
            (&saved["version"], &saved["changed_by"]),
            (&json!(2), &json!("key tests")),
            "{saved}"
        );
        assert_eq!(world.batch(before).await["version"], 1);
        assert_eq!(world.batch(after).await["version"], 2);
        for email in ["ada@example.org", "cleo@example.org"] {
            let old = world.relay.mails_to(email).unwrap().remove(0);
            assert!(old.subject.starts_with("You're invited"), "{}", old.subject);
            assert!(!old.text.contains("the gate is open"), "{}", old.text);
        }
        let new = world.relay.mails_to("bob@example.org").unwrap().remove(0);
        assert_eq!(new.subject, "Ada, come in");
        assert!(new.text.contains("the gate is open"), "{}", new.text);
        assert!(new.html.contains("the gate is open"), "{}", new.html);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn saving_the_same_text_creates_no_version() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (_, first) = save(world, "Come in", Some(1)).await;

        // Accepted even from a form that shows version 1, because the requested text is the current one.
        let (status, again) = save(world, "Come in", Some(1)).await;

        assert_eq!((status, &again), (200, &first));
        assert_eq!(again["version"], 2, "{again}");
    })
    .await;
}

#[tokio::test]
async fn a_concurrent_change_is_not_overwritten() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (one, other) = tokio::join!(save(world, "Come in", Some(1)), save(world, "Please come in", Some(1)));

        let (kept, lost) = if one.0 == 200 { (one, other) } else { (other, one) };
        assert_eq!((kept.0, lost.0), (200, 409), "{} {}", kept.1, lost.1);
        assert_eq!(kept.1["version"], 2, "{}", kept.1);
        assert_eq!(lost.1["type"], "/problems/changed_meanwhile", "{}", lost.1);
        let detail = lost.1["detail"].as_str().unwrap();
        assert!(detail.contains("key tests saved version 2"), "{detail}");
        assert_eq!(
            world.get(INVITE).await.expect(200),
            kept.1,
            "the first to save is in use"
        );
        let (status, later) = save(world, "Come in, all of you", Some(2)).await;
        assert_eq!((status, &later["version"]), (200, &json!(3)), "{later}");
        let (status, late) = save(world, "Come in, all of you, now", Some(2)).await;
        assert_eq!(status, 409, "{late}");
    })
    .await;
}
