//! Wrong credentials are logged in one line, fail no mail, and recovery needs no intervention in Beckon.

use crate::json;
use harness::program::Program;
use harness::relay::{Login, Mode, Script};
use harness::world::PATIENCE;
use harness::{Setup, World};
use serde_json::Value;

/// Starts a worker with this value instead of the world's setting.
async fn misled(world: &World, name: &str, setting: &str, value: &str) -> (Program, String) {
    let probes = world.spare_address().unwrap().to_string();
    let mut settings = world.settings().to_vec();
    for (name, value) in [
        ("BECKON_PROBES_LISTEN", probes.as_str()),
        ("SMTP_URL", "smtp://127.0.0.1:1?tls=none"),
        (setting, value),
    ] {
        settings.push((name.to_owned(), value.to_owned()));
    }
    let program = Program::start("beckon-worker", world.folder(), name, &[], &settings).await;
    (program.unwrap(), probes)
}

/// The log lines at WARN and above.
fn complaints(log: &str) -> Vec<String> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let loud = lines.filter(|line| line["level"] == "WARN" || line["level"] == "ERROR");
    loud.map(|line| line.to_string()).collect()
}

#[tokio::test]
async fn a_worker_refused_by_postgres_reports_it_and_consumes_no_jobs() {
    World::run_with(Setup::default().workers(0), async |world| {
        let good = world.setting("DATABASE_URL").to_owned();
        world.people(1).await;
        let batch = world.invite(json!({ "emails": ["person1@example.org"] })).await;
        world.until(batch, "queued", 1).await;
        let wrong = [
            ("a-user", good.replace("postgres@", "stranger:geheim@"), "stranger"),
            ("a-database", format!("{good}_nowhere"), "_nowhere"),
        ];

        for (what, url, word) in &wrong {
            let (worker, probes) = misled(world, what, "DATABASE_URL", url).await;
            let complaint = world
                .eventually("a word about Postgres in the log", async || {
                    complaints(&worker.log()).into_iter().next()
                })
                .await;
            let alive = reqwest::get(format!("http://{probes}/healthz")).await.unwrap();
            let ready = reqwest::get(format!("http://{probes}/readyz")).await.unwrap();

            let server = url.split(['@', '/']).nth(3).unwrap();
            for word in [format!("Postgres at {server} (DATABASE_URL)").as_str(), word] {
                assert!(complaint.contains(word), "{what}: {word} is not in {complaint}");
            }

            assert!(!worker.log().contains("geheim"), "{what}: {}", worker.log());
            assert!(alive.status().is_success(), "{what}");
            assert_eq!(ready.status().as_u16(), 503, "{what}");
            let not_ready = ready.text().await.unwrap();
            for word in [format!("Postgres at {server} (DATABASE_URL)").as_str(), word] {
                assert!(not_ready.contains(word), "{what}: {word} is not in {not_ready}");
            }
            assert_eq!(worker.exit_code(), None, "{what}: {}", worker.log_tail());
            assert_eq!(world.count(batch, "queued").await, 1, "{what}");
            let messages = world.messages("beckon.interactive").await;
            assert_eq!(messages.len(), 1, "{what}: the worker holds a job it cannot claim");
        }
    })
    .await;
}

/// A relay that asks for a login and refuses it.
fn refusing_logins() -> Setup {
    let relay = Script {
        login: Some(Login {
            user: "beckon".to_owned(),
            password: "geheim".to_owned(),
        }),
        mode: Mode::RefusesLogin,
        ..Script::default()
    };
    Setup {
        relay,
        ..Setup::default()
    }
}

#[tokio::test]
async fn a_relay_that_refuses_our_login_uses_up_no_attempts() {
    World::run_with(refusing_logins(), async |world| {
        let import = world.people(40).await;

        let batch = world.invite(json!({ "import": import })).await;
        world
            .eventually("a second try to log in", async || {
                (world.relay.logins().len() >= 2).then_some(())
            })
            .await;
        let refused = world.batch(batch).await;
        let attempts = world.rows("attempts").having("ended_at").count().await;
        let logged = world.workers[0].log();
        world.relay.set_mode(Mode::Normal);
        world.relay.wait_for(40, PATIENCE).await.unwrap();
        let finished = world.finished(batch).await;

        assert_eq!(refused["counts"]["failed"], 0, "{refused}");
        assert_eq!(attempts, 0, "a refused login spent an attempt");
        let lines = complaints(&logged);
        assert!(lines.iter().any(|line| line.contains("535")), "{lines:#?}");
        assert!(!world.logs().contains("geheim"), "{}", world.logs());
        assert_eq!(finished["counts"]["sent"], 40, "{finished}");
        let most = world.most_attempts().await;
        assert_eq!(most, 1, "a refused login spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn a_worker_names_the_relay_that_refuses_its_login_and_not_rabbitmq() {
    World::run_with(refusing_logins().workers(0), async |world| {
        world.person("ada@example.org").await;
        let url = format!("smtp://beckon:geheim@{}?tls=none", world.relay.address());
        let (worker, probes) = misled(world, "refused", "SMTP_URL", &url).await;

        world.invite(json!({ "emails": ["ada@example.org"] })).await;
        // When it gives back its jobs, the worker closes its connection to RabbitMQ.
        world
            .eventually("the worker to give its jobs back", async || {
                worker.log().contains("Returned jobs to their queues").then_some(())
            })
            .await;
        let ready = reqwest::get(format!("http://{probes}/readyz")).await.unwrap();

        assert_eq!(ready.status().as_u16(), 503);
        let body = ready.text().await.unwrap();
        let relay = format!("the relay at {} (SMTP_URL) accepts no mail: 535", world.relay.address());
        assert!(body.contains(&relay), "{relay} is not in {body}");
        assert!(!body.contains("RabbitMQ") && !body.contains("geheim"), "{body}");
    })
    .await;
}
