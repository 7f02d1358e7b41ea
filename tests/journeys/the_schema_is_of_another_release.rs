//! During an upgrade programs meet a schema that is newer or older than their own.

use crate::json;
use harness::program::Program;
use harness::world::PATIENCE;
use harness::{Setup, World};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use std::path::Path;

/// Applies our migrations except the last one to a new database, and returns its URL.
async fn older_database(world: &World, name: &str) -> String {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/migrations");
    let mut older = Migrator::new(ours).await.unwrap();
    let mut migrations = older.migrations.to_vec();
    migrations.pop().unwrap();
    older.migrations = migrations.into();
    let url = world.stack().create_database(name, None).await.unwrap();
    let db = PgPool::connect(&url).await.unwrap();
    older.run(&db).await.unwrap();
    db.close().await;
    url
}

/// The world's settings with these replaced.
fn settings(world: &World, own: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = own
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    world.settings().iter().cloned().chain(own).collect()
}

#[tokio::test]
async fn a_newer_schema_is_accepted() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.people(1).await;
        let later = json!({
            "version": 9000, "description": "of a later release", "success": true, "checksum": "\\x00",
            "execution_time": 1,
        });
        world.insert("_sqlx_migrations", later).await;

        world.stop_api().await;
        world.start_api().await.unwrap();
        world.start_worker().await.unwrap();
        let batch = world.invite(json!({ "emails": ["person1@example.org"] })).await;
        let finished = world.finished(batch).await;

        assert_eq!(finished["counts"]["sent"], 1, "{finished}");
        world.assert_promises_kept().await;
    })
    .await;
}

/// The response to a browser.
async fn ask(address: &str, path: &str) -> Option<(u16, String)> {
    let asked = reqwest::Client::new().get(format!("http://{address}{path}"));
    let answer = asked.header("sec-fetch-mode", "navigate").send().await.ok()?;
    Some((answer.status().as_u16(), answer.text().await.ok()?))
}

#[tokio::test]
async fn an_older_schema_is_reported_and_awaited() {
    World::run_with(Setup::default().workers(0), async |world| {
        let name = format!("older_{}", uuid::Uuid::new_v4().simple());
        let url = older_database(world, &name).await;
        let address = || world.spare_address().unwrap().to_string();
        let (worker_probes, api_probes, listen) = (address(), address(), address());
        let relay = format!("smtp://{}?tls=none", world.relay.address());
        let own = settings(
            world,
            &[
                ("DATABASE_URL", &url),
                ("SMTP_URL", &relay),
                ("BECKON_PROBES_LISTEN", &worker_probes),
                ("BECKON_LISTEN", &listen),
                ("BECKON_MIGRATE", "false"),
            ],
        );
        let mut of_api = own.clone();
        of_api.push(("BECKON_PROBES_LISTEN".to_owned(), api_probes.clone()));

        let worker = Program::start("beckon-worker", world.folder(), "early-worker", &[], &own)
            .await
            .unwrap();
        let api = Program::start("beckon-api", world.folder(), "early-api", &["serve"], &of_api)
            .await
            .unwrap();
        let probes = [&worker_probes, &api_probes];
        let mut early = Vec::new();
        for address in probes {
            let readiness = async || ask(address, "/readyz").await;
            early.push(world.eventually("a program to report its readiness", readiness).await);
        }
        let alive = ask(&api_probes, "/healthz").await.unwrap();
        let request = ask(&listen, "/v1/batches").await.unwrap();
        let page = ask(&listen, "/console/sign-in").await.unwrap();
        let (migrated, output) = world.run_program("beckon-api", &["migrate"], &own).await.unwrap();
        for address in probes {
            let is_ready = async || ask(address, "/readyz").await.filter(|(status, _)| *status == 200);
            world.eventually("a program to be ready", is_ready).await;
        }
        let served = ask(&listen, "/console/sign-in").await.unwrap();

        let lacks = "the database lacks migration ";
        for (status, body) in early {
            assert!(status == 503 && body.contains(lacks), "{status}: {body}");
        }
        assert_eq!(alive.0, 200, "{alive:?}");
        for (status, text) in [&request, &page] {
            assert!(*status == 503 && text.contains("is being upgraded"), "{status}: {text}");
        }
        assert!(page.1.trim_start().starts_with("<!doctype html>"), "{}", page.1);
        assert_eq!(migrated, 0, "{output}");
        assert_eq!(served.0, 200, "{}", served.1);
        for program in [worker, api] {
            assert!(program.log().contains(lacks), "{}", program.log());
            program.signal(nix::sys::signal::Signal::SIGTERM);
            assert_eq!(program.ended(PATIENCE).await.unwrap(), 0, "{}", program.log_tail());
        }
        world.stack().drop_database(&name).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_api_that_waits_for_its_schema_can_be_stopped() {
    World::run_with(Setup::default().workers(0), async |world| {
        let name = format!("older_{}", uuid::Uuid::new_v4().simple());
        let url = older_database(world, &name).await;
        let (probes, listen) = (world.spare_address().unwrap(), world.spare_address().unwrap());
        let own = settings(
            world,
            &[
                ("DATABASE_URL", &url),
                ("BECKON_PROBES_LISTEN", &probes.to_string()),
                ("BECKON_LISTEN", &listen.to_string()),
                ("BECKON_MIGRATE", "false"),
            ],
        );
        let api = Program::start("beckon-api", world.folder(), "early-api", &["serve"], &own)
            .await
            .unwrap();
        world
            .eventually("the API to wait", async || {
                api.log().contains("rejecting requests").then_some(())
            })
            .await;

        api.signal(nix::sys::signal::Signal::SIGTERM);
        let code = api.ended(PATIENCE).await.unwrap();

        assert_eq!(code, 0, "{}", api.log_tail());
        world.stack().drop_database(&name).await.unwrap();
    })
    .await;
}
