//! The content of a job: ids and a version.

use harness::{Setup, World};
use serde_json::json;
use shared::job::Job;
use uuid::Uuid;

#[test]
fn a_job_is_these_bytes_and_no_others() {
    let delivery: Uuid = "0190b1f4-7d3a-7c21-9a55-0242ac120002".parse().unwrap();

    let written = String::from_utf8(Job { delivery, attempt: 3 }.encode()).unwrap();

    assert_eq!(
        written,
        r#"{"v":1,"delivery":"0190b1f4-7d3a-7c21-9a55-0242ac120002","attempt":3}"#
    );
}

#[test]
fn the_longest_job_is_read_back() {
    let job = Job {
        delivery: Uuid::max(),
        attempt: i32::MAX,
    };

    let bytes = job.encode();

    assert!(bytes.len() < 100, "{} bytes", bytes.len());
    assert_eq!(Job::decode(&bytes), Ok(job));
}

#[test]
fn foreign_messages_are_not_jobs() {
    let id = Uuid::nil();
    let mut nearly = vec![
        format!(r#"{{"v":1,"delivery":"{id}"}}"#),
        format!(r#"{{"v":1,"delivery":"{id}","attempt":"1"}}"#),
        format!(r#"{{"v":1,"delivery":"{id}","attempt":-1}}"#),
        format!(r#"{{"v":1,"delivery":"{id}","attempt":2147483648}}"#),
        format!(r#"{{"v":1,"delivery":"{id}","attempt":1}} {{}}"#),
        format!(r#"{{"v":1,"delivery":"{id}","delivery":"{id}","attempt":1}}"#),
        r#"{"v":1,"delivery":"ada@example.org","attempt":1}"#.to_owned(),
        String::new(),
        "null".to_owned(),
        "[".repeat(1_000),
    ];
    nearly.push(format!("{}{}", nearly[0], " ".repeat(2_000)));

    for body in &nearly {
        assert!(Job::decode(body.as_bytes()).is_err(), "{body}");
    }
}

#[tokio::test]
async fn jobs_contain_no_name_no_address_and_no_secret() {
    World::run_with(Setup::default().workers(0), async |world| {
        let user = world.person("grace.hopper@example.org").await;

        let batch = world.reset_passwords(json!({ "users": [user] })).await;
        world.until(batch, "queued", 1).await;
        let messages = world.messages("beckon.interactive").await;

        let delivery = world.deliveries(batch).await[0]["id"].clone();
        let expected = format!(r#"{{"v":1,"delivery":{delivery},"attempt":1}}"#);
        assert_eq!(messages.len(), 1, "{messages:?}");
        let message = &messages[0];
        assert_eq!(message.body, expected);
        assert!(message.is_persistent);
        let names: Vec<&str> = message.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["traceparent"], "{message:?}");
        let everything = format!("{message:?}").to_lowercase();
        for secret in ["grace", "hopper", "example.org", "lerna", "argon"] {
            assert!(!everything.contains(secret), "{secret} is in {everything}");
        }
        // Her first name is also three hexadecimal digits, which any id may contain.
        let mut words = everything.split(|c: char| !c.is_alphanumeric());
        assert!(!words.any(|word| word == "ada"), "ada is in {everything}");
    })
    .await;
}
