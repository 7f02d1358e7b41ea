//! Starting with servers that refuse the login, or that contain unexpected objects.

use std::time::Duration;

use harness::program::Program;
use harness::{Setup, World};
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::api_request::a_world;
use crate::json;

/// How long a program may take to find that it cannot start.
const SOON: Duration = Duration::from_secs(20);

/// The world's settings with this one replaced, and the resulting probes address.
fn settings(world: &World, name: &str, value: &str) -> (Vec<(String, String)>, String) {
    let probes = world.spare_address().unwrap().to_string();
    let mut settings = world.settings().to_vec();
    for (name, value) in [
        ("BECKON_LISTEN", world.spare_address().unwrap().to_string().as_str()),
        ("BECKON_PROBES_LISTEN", &probes),
        ("SMTP_URL", "smtp://127.0.0.1:1?tls=none"),
        (name, value),
    ] {
        settings.push((name.to_owned(), value.to_owned()));
    }
    (settings, format!("http://{probes}"))
}

/// The messages of the error lines of a log.
fn errors(log: &str) -> Vec<String> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors = lines.filter(|line| line["level"] == "ERROR");
    errors.map(|line| line.to_string()).collect()
}

#[tokio::test]
async fn a_queue_with_other_arguments_stops_the_start_with_advice() {
    World::run_with(Setup::default().workers(0).own_stack(), async |world| {
        let vhost = format!(
            "{}_other",
            world
                .settings()
                .iter()
                .find(|(name, _)| name == "DATABASE_URL")
                .unwrap()
                .1
                .rsplit('/')
                .next()
                .unwrap()
        );
        let amqp_url = world.stack().create_vhost(&vhost).await.unwrap();
        let base = world.stack().management_url().unwrap();
        let declared = Client::new()
            .put(format!("{base}/queues/{vhost}/beckon.bulk"))
            .basic_auth("guest", Some("guest"))
            .json(&json!({ "durable": true, "arguments": { "x-queue-type": "classic" } }))
            .send()
            .await
            .unwrap();
        assert!(declared.status().is_success(), "{}", declared.status());

        let (settings, _) = settings(world, "AMQP_URL", &amqp_url);
        let api = Program::start("beckon-api", world.folder(), "misled", &[], &settings)
            .await
            .unwrap();
        let code = api.ended(SOON).await.unwrap();

        assert_eq!(code, 78, "{}", api.log_tail());
        let errors = errors(&api.log());
        assert_eq!(errors.len(), 1, "it is reported in one line: {errors:#?}");
        for word in ["beckon.bulk", "x-queue-type", "Delete the queue", "policy"] {
            assert!(errors[0].contains(word), "{word} is not in {}", errors[0]);
        }
        assert!(!api.log().contains("guest:guest"), "{}", api.log());
        world.stack().delete_vhost(&vhost).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_broker_that_refuses_the_login_is_named_and_everything_else_works() {
    World::run_in(a_world().await, async |world| {
        let good = world.amqp_url().to_owned();
        let wrong = [
            ("a password", good.replace("guest:guest", "guest:geheim")),
            ("a user", good.replace("guest:guest", "stranger:geheim")),
            (
                "a virtual host",
                format!("{}/nowhere", good.rsplit_once('/').unwrap().0).replace("guest:guest", "guest:guest"),
            ),
        ];

        for (place, (what, url)) in (0..).zip(&wrong) {
            for program in ["beckon-api", "beckon-worker"] {
                let (settings, base) = settings(world, "AMQP_URL", url);
                let name = format!("{program}-{place}");
                let running = Program::start(program, world.folder(), &name, &[], &settings)
                    .await
                    .unwrap();
                let log_line = world.eventually("a word about RabbitMQ in the log", async || {
                    let log = running.log();
                    log.lines()
                        .find(|line| line.contains("could not connect to RabbitMQ at 127.0.0.1:"))
                        .map(str::to_owned)
                });
                let log_line = log_line.await;

                assert!(
                    !running.log().contains("geheim") && !running.log().contains("guest:"),
                    "{what}: {}",
                    running.log()
                );
                let noise: Vec<String> = errors(&running.log())
                    .into_iter()
                    .filter(|line| line.contains("lapin"))
                    .collect();
                assert!(noise.is_empty(), "one failure is logged once, by us: {noise:#?}");
                let refusal = ["ACCESS_REFUSED", "NOT_ALLOWED", "not found", "refused"];
                assert!(refusal.iter().any(|word| log_line.contains(word)), "{what}: {log_line}");
                let alive = reqwest::get(format!("{base}/healthz")).await.unwrap();
                assert_eq!(alive.status(), StatusCode::OK, "{what}");
                let ready = reqwest::get(format!("{base}/readyz")).await.unwrap();
                assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE, "{what}");
                let ready = ready.text().await.unwrap();
                let server = format!("could not connect to RabbitMQ at {} (AMQP_URL): ", host_of(url));
                for words in ["RabbitMQ is not connected", &server] {
                    assert!(ready.contains(words), "{what}: {words} is not in {ready}");
                }
                // Nothing that never existed is reported as lost or interrupted.
                for words in ["Lost the connection to RabbitMQ", "interrupted", "reconnecting"] {
                    assert!(!running.log().contains(words), "{what}: {}", running.log());
                }
                assert_eq!(running.exit_code(), None, "{what}: {}", running.log_tail());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_refuses_the_login_stops_the_start_with_a_message() {
    World::run_in(a_world().await, async |world| {
        let good = world
            .settings()
            .iter()
            .find(|(name, _)| name == "DATABASE_URL")
            .unwrap()
            .1
            .clone();
        let closed = world.spare_address().unwrap();
        let wrong = [
            ("a user", good.replace("postgres@", "stranger:geheim@"), "stranger"),
            ("a database", format!("{good}_nowhere"), "_nowhere"),
            (
                "a port",
                format!("postgres://postgres:geheim@{closed}/beckon"),
                "refused",
            ),
            (
                "a URL",
                "postgres://postgres:geheim@:x/beckon".to_owned(),
                "DATABASE_URL",
            ),
        ];

        for (place, (what, url, word)) in (0..).zip(&wrong) {
            let (settings, _) = settings(world, "DATABASE_URL", url);
            let api = Program::start(
                "beckon-api",
                world.folder(),
                &format!("locked-out-{place}"),
                &[],
                &settings,
            )
            .await
            .unwrap();
            let code = api.ended(SOON).await.unwrap();

            let errors = errors(&api.log());
            assert_ne!(code, 0, "{what}");
            assert!(!api.log().contains("geheim"), "{what}: {}", api.log());
            let log_line = errors.first().cloned().unwrap_or_else(|| api.log());
            assert!(
                errors.len() <= 1 && log_line.lines().count() == 1,
                "{what}: it is reported in one line: {}",
                api.log()
            );
            assert!(log_line.contains(word), "{what}: {word} is not in {log_line}");
            assert!(log_line.contains("DATABASE_URL"), "{what}: {log_line}");
            if *what != "a URL" {
                let server = format!("could not use Postgres at {} (DATABASE_URL): ", host_of(url));
                assert!(log_line.contains(&server), "{what}: {server} is not in {log_line}");
            }
        }
    })
    .await;
}

/// Host and port of a server's URL.
fn host_of(url: &str) -> String {
    let (_, place) = url.split_once("://").unwrap();
    let place = place.split('/').next().unwrap();
    place.rsplit('@').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_missing_database_is_named_with_the_cause() {
    World::run_in(a_world().await, async |world| {
        let closed = world.spare_address().unwrap();
        let url = format!("postgres://postgres:geheim@{closed}/beckon");
        let cause = format!("could not use Postgres at {closed} (DATABASE_URL): Connection refused");

        for program in ["beckon-api", "beckon-worker"] {
            let (mut own, probes) = settings(world, "DATABASE_URL", &url);
            own.push(("BECKON_MIGRATE".to_owned(), "false".to_owned()));
            let running = Program::start(program, world.folder(), &format!("{program}-alone"), &[], &own)
                .await
                .unwrap();
            let log = world.eventually("a word about Postgres in the log", async || {
                Some(running.log()).filter(|log| log.contains(&cause))
            });
            let log = log.await;
            let began = std::time::Instant::now();
            let ready = reqwest::get(format!("{probes}/readyz")).await.unwrap();

            assert!(!log.contains("geheim"), "{program}: {log}");
            assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE, "{program}");
            let body = ready.text().await.unwrap();
            assert!(body.contains(&cause), "{program}: {body}");
            // The pool itself waits five seconds, and a health check three.
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{program}: {:?}",
                began.elapsed()
            );
            assert_eq!(running.exit_code(), None, "{program}: {}", running.log_tail());
            let (code, output) = world
                .run_program(program, &["check-config", "--connect"], &own)
                .await
                .unwrap();
            assert!(code == 1 && output.contains(&cause), "{program}: {code} {output}");
        }
    })
    .await;
}

/// The URL of a page that exists.
fn page_of(world: &World) -> String {
    format!("{}/docs", world.base())
}

/// Settings whose servers and pages all exist.
fn reachable(world: &World) -> Vec<(String, String)> {
    let mut settings = world.settings().to_vec();
    let relay = format!("smtp://{}?tls=none", world.relay.address());
    settings.push(("SMTP_URL".to_owned(), relay));
    settings.push(("BECKON_SIGN_IN_URL".to_owned(), page_of(world)));
    settings
}

#[tokio::test]
async fn check_config_connects_to_every_server_once() {
    World::run_in(a_world().await, async |world| {
        let (good, page, relay) = (reachable(world), page_of(world), world.relay.address());
        let (postgres, rabbitmq) = (host_of(world.setting("DATABASE_URL")), host_of(world.amqp_url()));

        let answers = [
            format!("DATABASE_URL: Postgres at {postgres} answers"),
            format!("AMQP_URL: RabbitMQ at {rabbitmq} answers"),
            format!("BECKON_SIGN_IN_URL: {page} answers 200"),
            format!("SMTP_URL: the relay at {relay} answers"),
            "The settings are valid.".to_owned(),
        ];
        for program in ["beckon-api", "beckon-worker"] {
            let (code, output) = world
                .run_program(program, &["check-config", "--connect"], &good)
                .await
                .unwrap();
            let missing: Vec<&String> = answers.iter().filter(|line| !output.contains(*line)).collect();
            let is_api = program == "beckon-api";
            assert!(code == 0 && missing.len() == usize::from(is_api), "{program}: {output}");
        }
    })
    .await;
}

#[tokio::test]
async fn check_config_names_a_missing_server_or_page() {
    World::run_in(a_world().await, async |world| {
        let (good, closed) = (reachable(world), world.spare_address().unwrap());
        let wrong = [
            (
                "AMQP_URL",
                format!("amqp://guest:geheim@{closed}/x"),
                format!("RabbitMQ at {closed} (AMQP_URL): "),
            ),
            (
                "SMTP_URL",
                format!("smtp://{closed}?tls=none"),
                format!("the relay at {closed} (SMTP_URL): Connection refused"),
            ),
            (
                "BECKON_SIGN_IN_URL",
                format!("{}/sign-in", world.base()),
                format!(
                    "BECKON_SIGN_IN_URL is \"{}/sign-in\", which answers 404, and every email links there",
                    world.base()
                ),
            ),
            (
                "BECKON_SIGN_IN_URL",
                format!("http://{closed}/sign-in"),
                "which this machine could not fetch (Connection refused".to_owned(),
            ),
        ];
        for (name, value, expected) in wrong {
            let mut settings = good.clone();
            settings.push((name.to_owned(), value));
            let (code, output) = world
                .run_program("beckon-worker", &["check-config", "--connect"], &settings)
                .await
                .unwrap();
            assert!(
                code == 1 && output.contains(&expected),
                "{name}: {expected} is not in {output}"
            );
            assert!(
                !output.contains("geheim") && !output.contains("settings are valid"),
                "{name}: {output}"
            );
            let others = ["DATABASE_URL: ", "AMQP_URL: ", "BECKON_SIGN_IN_URL: ", "SMTP_URL: "];
            assert_eq!(
                others.iter().filter(|other| output.contains(*other)).count(),
                3,
                "{name}: {output}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    World::run_in(a_world().await, async |world| {
        let taken = world.base().trim_start_matches("http://").to_owned();

        for (program, setting) in [
            ("beckon-api", "BECKON_LISTEN"),
            ("beckon-api", "BECKON_PROBES_LISTEN"),
            ("beckon-worker", "BECKON_PROBES_LISTEN"),
        ] {
            let (settings, _) = settings(world, setting, &taken);
            let name = format!("late-{program}-{setting}");
            let late = Program::start(program, world.folder(), &name, &[], &settings)
                .await
                .unwrap();
            let code = late.ended(SOON).await.unwrap();

            assert_ne!(code, 0, "{program}");
            let errors = errors(&late.log());
            assert_eq!(errors.len(), 1, "{program}: {}", late.log());
            assert!(errors[0].contains(setting), "{program}: {}", errors[0]);
        }
    })
    .await;
}
