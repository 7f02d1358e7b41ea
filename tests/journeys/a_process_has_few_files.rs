//! A process that may open few files does what it can with them and keeps running.

use crate::json;
use harness::program::binary_path;
use harness::{Setup, World};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Limits the open files of programs started from now on, for as long as the folder is kept.
#[must_use]
fn allow(world: &mut World, files: usize) -> TempDir {
    // A folder that allows execution.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for program in ["beckon-api", "beckon-worker"] {
        let path = folder.path().join(program);
        let real = binary_path(program).unwrap();
        let script = format!("#!/bin/sh\nulimit -n {files}\nexec {} \"$@\"\n", real.display());
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.turn_to_programs(Some(folder.path()));
    folder
}

#[tokio::test]
async fn a_worker_sends_over_the_connections_it_can_open() {
    World::run_with(Setup::default().workers(0), async |world| {
        let import = world.people(300).await;
        let _programs = allow(world, 24);
        world
            .relay
            .set_default(harness::relay::Behaviour::SlowDot(std::time::Duration::from_millis(30)));

        world.start_worker().await.unwrap();
        let batch = world.invite(json!({ "import": import })).await;
        let finished = world.finished(batch).await;

        let most = world.relay.counts().most_open;
        assert!(most < 20, "it opened all its {most} connections");
        assert_eq!(finished["counts"]["sent"], 300, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 0, "{finished}");
        assert_eq!(world.workers[0].exit_code(), None, "{}", world.workers[0].log_tail());
        let most = world.most_attempts().await;
        assert_eq!(most, 1, "a want of files spent an attempt");
        world.assert_promises_kept().await;
    })
    .await;
}

/// Checks that the API answers, over a new connection.
async fn a_newcomer(world: &World) -> reqwest::Result<reqwest::Response> {
    reqwest::get(format!("{}/openapi.json", world.base())).await
}

#[tokio::test]
async fn an_api_without_free_connections_answers_once_one_is_closed() {
    World::run_with(Setup::default().workers(0), async |world| {
        let _programs = allow(world, 40);
        world.kill_api().await;
        world.start_api().await.unwrap();

        let mut callers = Vec::new();
        for _ in 0..60 {
            callers.push(TcpStream::connect(world.address()).await.unwrap());
        }
        let waiting = tokio::time::timeout(std::time::Duration::from_secs(1), a_newcomer(world)).await;
        drop(callers);
        let answered = a_newcomer(world).await;

        assert!(waiting.is_err(), "the API was never full: {waiting:?}");
        assert_eq!(answered.unwrap().status(), 200);
        let api = world.api.as_ref().unwrap();
        assert_eq!(api.exit_code(), None, "{}", api.log_tail());
    })
    .await;
}
