//! Postfix refuses our sender, login or relaying, all of it only at `RCPT`, because it waits until it knows the recipient
//! (`smtpd_delay_reject`). No delivery fails, no attempt is spent, and the batch names the cause.

use crate::{assert_arrived, json, most_attempts, people_at, send_to, world};
use harness::World;
use harness::mail_servers::{PASSWORD, Postfix, USER};
use serde_json::Value;
use std::time::Instant;
use uuid::Uuid;

const PEOPLE: usize = 60;

/// A refusal that lasts for 30 s counts as permanent; this ages the workers' trouble by half a minute.
async fn it_has_lasted(world: &World) {
    let aged = sqlx::query(
        "update workers set trouble_since = trouble_since - interval '30 seconds'
         where trouble_since > now() - interval '30 seconds'",
    );
    aged.execute(&world.db).await.unwrap();
}

async fn paused(world: &World, batch: Uuid) -> Value {
    world
        .eventually("the batch to pause itself", async || {
            it_has_lasted(world).await;
            let seen = world.batch(batch).await;
            assert_ne!(seen["state"], "finished", "it did not pause itself: {seen}");
            let is_still = seen["counts"]["sending"] == 0 && seen["counts"]["queued"] == 0;
            (seen["state"] == "paused" && is_still).then_some(seen)
        })
        .await
}

/// A misconfiguration of Postfix, how Beckon connects, and the cause that the batch must name.
struct Case {
    settings: &'static [&'static str],
    logs_in: bool,
    cause: &'static str,
}

const fn case(settings: &'static [&'static str], cause: &'static str) -> Case {
    Case {
        settings,
        logs_in: false,
        cause,
    }
}

/// Sends a batch to a Postfix with each of these settings, fixes the cause, resumes it, and checks what happened.
async fn assert_waits_for_resume(cases: &[Case]) {
    let mut world = world().await;
    let mut listeners: Vec<&[&str]> = vec![&[]];
    listeners.extend(cases.iter().map(|case| case.settings));
    let postfix = Postfix::start(world.relay.address(), &[], &listeners).await.unwrap();
    for (n, case) in cases.iter().enumerate() {
        let Case { settings, cause, .. } = case;
        let address = postfix.address(n + 1);
        let login = if case.logs_in {
            format!("{USER}:{PASSWORD}@")
        } else {
            String::new()
        };
        let import = people_at(&world, &format!("example{n}.org"), PEOPLE).await;
        let (refused, began) = (postfix.refused(), Instant::now());
        world
            .start_worker_unready(&[("SMTP_URL", &format!("smtp://{login}{address}?tls=none"))])
            .await
            .unwrap();

        let batch = world.invite(json!({ "import": import })).await;
        let seen = paused(&world, batch).await;
        let refused = postfix.refused() - refused;

        println!(
            "figure: {settings:?}: {refused} of {PEOPLE} met the refusal, paused after {:.1} s: {}",
            began.elapsed().as_secs_f64(),
            seen["reason"]
        );
        assert_eq!(seen["counts"]["failed"], 0, "{settings:?}: {seen}");
        let reason = seen["reason"].as_str().unwrap();
        assert!(reason.contains(cause), "{settings:?}: {reason}");

        send_to(&mut world, &postfix.url(0)).await;
        world
            .post(&format!("/v1/batches/{batch}/resume"), json!({}))
            .await
            .expect(200);
        crate::make_due(&world).await;
        let finished = world.finished(batch).await;
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{settings:?}: {finished}");
        assert_eq!(most_attempts(&world).await, 1, "{settings:?} spent an attempt");
        while !world.workers.is_empty() {
            world.stop_worker(0).await;
        }
    }
    assert_arrived(world, cases.len() * PEOPLE).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn a_refused_sender_waits_for_resume() {
    const SENDER: &str = "refuses our sender address";
    const OWNER: &str = "smtpd_sender_login_maps=inline:{invites@lerna.example=somebody}";
    const MISMATCH: &str = "smtpd_sender_restrictions=reject_sender_login_mismatch";
    const ALL: &str = "smtpd_sasl_path=all";
    assert_waits_for_resume(&[
        case(&["smtpd_sender_restrictions=reject"], SENDER),
        case(&["smtpd_sender_restrictions=reject", "soft_bounce=yes"], SENDER),
        case(&["smtpd_sasl_auth_enable=yes", ALL, OWNER, MISMATCH], SENDER),
        Case {
            settings: &["smtpd_sasl_auth_enable=yes", ALL, OWNER, MISMATCH],
            logs_in: true,
            cause: SENDER,
        },
    ])
    .await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn a_missing_login_waits_for_resume() {
    const SASL: &str = "smtpd_sasl_auth_enable=yes";
    const ALL: &str = "smtpd_sasl_path=all";
    const CLIENT: &str = "smtpd_client_restrictions=permit_sasl_authenticated, reject";
    const RELAY: &str = "smtpd_relay_restrictions=permit_sasl_authenticated, reject";
    const LOGIN: &str = "requires a login";
    assert_waits_for_resume(&[
        case(&[SASL, ALL, CLIENT], LOGIN),
        case(&[SASL, ALL, CLIENT, "soft_bounce=yes"], LOGIN),
        case(&[SASL, ALL, RELAY], LOGIN),
    ])
    .await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn denied_relaying_waits_for_resume() {
    const STRANGERS: &str = "mynetworks=10.0.0.0/8";
    const CAUSE: &str = "does not relay our mail";
    assert_waits_for_resume(&[
        case(&[STRANGERS], CAUSE),
        case(
            &[STRANGERS, "smtpd_relay_restrictions=reject_unauth_destination"],
            CAUSE,
        ),
    ])
    .await;
}
