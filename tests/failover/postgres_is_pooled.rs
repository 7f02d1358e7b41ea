//! A connection pooler between Beckon and Postgres: in session mode everything works, in the others Beckon does not
//! start and reports the reason.

use crate::{assert_each_got_one, json};
use harness::pooler::{Pooler, Release};
use harness::program::Program;
use harness::{Setup, World};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

async fn is_refused(release: Release, mode: &str) {
    World::run_with(Setup::default().workers(0), async |world| {
        let pooler = Pooler::start(release, mode, world.setting("DATABASE_URL"))
            .await
            .unwrap();
        let pooled = pooler.url(world.setting("DATABASE_URL")).unwrap();
        let mut settings = world.settings().to_vec();
        for (name, value) in [
            ("BECKON_LISTEN", world.spare_address().unwrap().to_string()),
            ("BECKON_PROBES_LISTEN", world.spare_address().unwrap().to_string()),
            ("SMTP_URL", "smtp://127.0.0.1:1?tls=none".to_owned()),
            ("DATABASE_URL", pooled),
        ] {
            settings.push((name.to_owned(), value));
        }

        for (name, program, arguments) in [
            ("api", "beckon-api", &[][..]),
            ("migrate", "beckon-api", &["migrate"]),
            ("worker", "beckon-worker", &[]),
        ] {
            let running = Program::start(program, world.folder(), name, arguments, &settings)
                .await
                .unwrap();
            let code = running.ended(SOON).await.unwrap();

            assert_eq!(code, 78, "{name}: {}", running.log_tail());
            let log = running.log();
            for words in ["pool_mode = session", "DATABASE_URL", &pooler.address().to_string()] {
                assert!(log.contains(words), "{name}: {words} is not in {log}");
            }
        }
        let check = Program::start(
            "beckon-worker",
            world.folder(),
            "check",
            &["check-config", "--connect"],
            &settings,
        );
        let check = check.await.unwrap();
        assert_eq!(check.ended(SOON).await.unwrap(), 1);
        assert!(check.log().contains("pool_mode = session"), "{}", check.log());
    })
    .await;
}

#[tokio::test]
async fn transaction_mode_is_refused_with_a_message() {
    is_refused(Release::Installed, "transaction").await;
}

#[tokio::test]
async fn statement_mode_is_refused_with_a_message() {
    is_refused(Release::Installed, "statement").await;
}

#[tokio::test]
#[ignore = "nightly: PgBouncer of Debian's next release"]
async fn with_a_newer_pooler_transaction_and_statement_mode_are_refused_with_a_message() {
    is_refused(Release::Newer, "transaction").await;
    is_refused(Release::Newer, "statement").await;
}

async fn works_in_session_mode(release: Release) {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(200).await;
        let pooler = Pooler::start(release, "session", world.setting("DATABASE_URL"))
            .await
            .unwrap();
        let pooled = pooler.url(world.setting("DATABASE_URL")).unwrap();
        world.start_api_with(&[("DATABASE_URL", &pooled)]).await.unwrap();
        let another = world.another_api(&[("DATABASE_URL", &pooled)]).await.unwrap();
        world.start_worker_with(&[("DATABASE_URL", &pooled)]).await.unwrap();

        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;

        assert_each_got_one(world, &finished, 200);
        drop(another);
        world.assert_promises_kept().await;
    })
    .await;
}

#[tokio::test]
async fn session_mode_works_without_further_settings() {
    works_in_session_mode(Release::Installed).await;
}

#[tokio::test]
#[ignore = "nightly: PgBouncer of Debian's next release"]
async fn with_a_newer_pooler_session_mode_works_without_further_settings() {
    works_in_session_mode(Release::Newer).await;
}

#[tokio::test]
async fn a_pooler_without_its_server_is_reported_with_the_cause() {
    World::run_with(Setup::default().workers(0), async |world| {
        // It accepts a connection and closes it without a reply, as some proxies do.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let closing = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                // Read first; otherwise the close would be a reset.
                let mut first = [0; 8];
                let _ = tokio::io::AsyncReadExt::read_exact(&mut connection, &mut first).await;
            }
        });
        let own = [("DATABASE_URL", format!("postgres://postgres@{address}/beckon"))];
        let own = own.each_ref().map(|(name, value)| (*name, value.as_str()));
        world.start_worker_unready(&own).await.unwrap();
        let error = world
            .eventually("a word about it", async || {
                let log = world.workers[0].log();
                let error = log.lines().find(|line| line.contains(&address.to_string()));
                error.map(str::to_owned)
            })
            .await;

        assert!(error.contains("closed before Postgres answered"), "{error}");
        assert!(!world.workers[0].log().contains("SSLRequest"), "{error}");
        closing.abort();
    })
    .await;
}
