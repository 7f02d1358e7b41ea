//! Many passwords to verify and a batch of passwords to generate: each has its own threads, which bound memory.

use crate::json;
use harness::world::PATIENCE;
use harness::{Setup, World};
use std::time::{Duration, Instant};

/// Hashing threads in each process.
const THREADS: u64 = 2;

/// Memory that these threads need, with a margin for the rest of the process: request buffers, and an allocator that
/// keeps freed memory.
const MEMORY: u64 = THREADS * 19 * 1024 * 1024 + 48 * 1024 * 1024;

/// Users who sign in with a wrong password at the same moment. If each allocated memory at once, the total would be
/// more than twice [`MEMORY`].
const STRANGERS: u64 = 12;

#[tokio::test]
async fn memory_is_bounded_and_users_can_sign_in() {
    let threads = THREADS.to_string();
    let setup = Setup::default().api_setting("BECKON_HASH_THREADS", &threads);
    World::run_with(setup, async |world| {
        let import = world.people(30).await;
        world.person("ada@example.com").await;
        let first = world.reset_passwords(json!({ "emails": ["ada@example.com"] })).await;
        world.finished(first).await;
        let password = world.relay.mails_to("ada@example.com").unwrap()[0]
            .password()
            .unwrap()
            .to_owned();
        let programs = || world.api.iter().chain(&world.workers);
        let before: Vec<Option<u64>> = programs().map(harness::program::Program::max_memory).collect();

        let batch = world.reset_passwords(json!({ "import": import })).await;
        world.relay.wait_for(3, PATIENCE).await.unwrap();
        let strangers = (0..STRANGERS).map(|n| async move { format!("person{n}@example.org") });
        let strangers = strangers.map(|address| async {
            let wrong = world.verify(&address.await, "abcde-fghjk-mnpqr-stuvw").await;
            assert!(
                wrong.status == 429 || wrong.body == json!({ "valid": false }),
                "{}",
                wrong.text
            );
        });
        let ada = async {
            let began = Instant::now();
            world.sign_in("ada@example.com", &password).await;
            began.elapsed()
        };
        let (_, waited) = tokio::join!(futures_util::future::join_all(strangers), ada);
        let finished = world.finished(batch).await;

        assert!(waited < Duration::from_secs(30), "{waited:?}");
        assert_eq!(finished["counts"]["sent"], 30, "{finished}");
        for (program, before) in programs().zip(before) {
            if let (Some(before), Some(most)) = (before, program.max_memory()) {
                assert!(most < before + MEMORY, "{before} bytes before, {most} after");
            }
        }
        world.assert_promises_kept().await;
    })
    .await;
}
