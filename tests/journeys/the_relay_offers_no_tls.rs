//! No mail and no SMTP password is sent over an unencrypted connection.

use crate::json;
use harness::relay::{Login, Mode, Script, Tls};
use harness::world::PATIENCE;
use harness::{Setup, World};

/// Waits until a worker's log contains this.
async fn assert_logged(world: &World, worker: usize, word: &str) {
    world
        .eventually(&format!("{word} in the log"), async || {
            world.workers[worker].log().contains(word).then_some(())
        })
        .await;
}

#[tokio::test]
async fn nothing_is_sent_without_tls_and_everything_once_it_is_offered() {
    let relay = Script {
        tls: Tls::StartTls,
        login: Some(Login {
            user: "beckon".to_owned(),
            password: "geheim".to_owned(),
        }),
        mode: Mode::StripsStartTls,
        ..Script::default()
    };
    let setup = Setup {
        relay,
        workers: 0,
        ..Setup::default()
    };
    World::run_with(setup, async |world| {
        let import = world.people(20).await;
        let url = format!("smtp://beckon:geheim@{}?tls=required", world.relay.address());
        let trusting = format!("{url}&ca={}", world.relay.authority_pem().unwrap().display());

        let batch = world.reset_passwords(json!({ "import": import })).await;
        world.start_worker_unready(&[("SMTP_URL", &trusting)]).await.unwrap();
        assert_logged(world, 0, "does not offer STARTTLS, which SMTP_URL requires").await;
        world.relay.set_mode(Mode::BreaksTls);
        let connections = world.relay.connections();
        let again = world
            .relay
            .wait_until("another try", PATIENCE, |counts| counts.connections > connections + 1);
        again.await.unwrap();
        world.stop_worker(0).await;
        world.relay.set_mode(Mode::Normal);
        let (logins, mails) = (world.relay.logins(), world.relay.log());
        world.start_worker_unready(&[("SMTP_URL", &url)]).await.unwrap();
        assert_logged(world, 0, "certificate").await;
        let (untrusted_logins, untrusted_mails) = (world.relay.logins(), world.relay.log());
        let meanwhile = world.batch(batch).await;
        world.start_worker_with(&[("SMTP_URL", &trusting)]).await.unwrap();
        let finished = world.finished(batch).await;

        assert!(logins.is_empty() && mails.is_empty(), "{logins:?} {mails:?}");
        assert!(
            untrusted_logins.is_empty() && untrusted_mails.is_empty(),
            "{untrusted_logins:?} {untrusted_mails:?}"
        );
        assert_eq!(meanwhile["counts"]["failed"], 0, "{meanwhile}");
        assert_eq!(finished["counts"]["sent"], 20, "{finished}");
        assert!(
            world
                .relay
                .logins()
                .iter()
                .all(|login| login.is_encrypted && login.is_accepted)
        );
        assert!(!world.logs().contains("geheim"));
        let most = world.most_attempts().await;
        assert_eq!(most, 1, "a line that is not private spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}
