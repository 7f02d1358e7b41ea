//! A firewall drops a listener's connection silently: it gets no notification and no error, and still notices.

use harness::{Setup, World};

/// Logged when the listener finds its connection dead, and when it listens again.
const DEAF: &str = "Postgres sends no notifications";
const AGAIN: &str = "Listening to Postgres again";

#[tokio::test]
async fn a_listener_without_notifications_is_detected_and_listens_again() {
    World::run_with(Setup::default().workers(0), async |world| {
        let (proxy, url) = world.detour("DATABASE_URL").await;
        let other = world.another_api(&[("DATABASE_URL", &url)]).await.unwrap();

        proxy.silence();
        world
            .eventually("the deaf listener to be noticed and replaced", async || {
                let log = other.program.log();
                (log.contains(DEAF) && log.contains(AGAIN)).then_some(())
            })
            .await;

        let own = world.api.as_ref().unwrap().log();
        assert!(
            !own.contains(DEAF),
            "a listener without notifications is not reported as deaf: {own}"
        );
        drop(other);
    })
    .await;
}
