//! A client disconnects in the middle of a very large request. The request takes effect in full or not at all, and
//! leaks no memory.

use crate::json;
use harness::{Setup, World};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const ROWS: usize = 50_000;

/// Memory the API may gain, in bytes.
const MEMORY: u64 = 64 * 1024 * 1024;

/// Sends this much of a request and disconnects.
async fn break_off(world: &World, path: &str, kind: &str, body: &[u8], sent: usize) {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        world.key(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..sent]).await.unwrap();
}

#[tokio::test]
async fn it_takes_effect_completely_or_not_at_all() {
    World::run_with(Setup::default().workers(0), async |world| {
        world.people(10).await;
        let before = world.api.as_ref().unwrap().max_memory();
        let rows: Vec<String> = (0..ROWS).map(|n| format!("new{n}@example.org,Person {n}\n")).collect();
        let file = format!("email,first name\n{}", rows.concat()).into_bytes();
        let emails: Vec<String> = (0..ROWS).map(|n| format!("person{}@example.org", n % 10 + 1)).collect();
        let request = json!({ "emails": emails }).to_string().into_bytes();

        for part in [1, 50, 99] {
            break_off(world, "/v1/imports", "text/csv", &file, file.len() * part / 100).await;
            break_off(
                world,
                "/v1/invites",
                "application/json",
                &request,
                request.len() * part / 100,
            )
            .await;
        }
        break_off(world, "/v1/imports", "text/csv", &file, file.len()).await;
        break_off(world, "/v1/invites", "application/json", &request, request.len()).await;
        world
            .eventually("every request to have ended", async || {
                let asks = world.api_metric("beckon_http_requests_in_flight").await > 1.5;
                (!asks && world.open_transactions().await == 0).then_some(())
            })
            .await;
        let most = world.api.as_ref().unwrap().max_memory();
        // The stop waits for work that a request has already started.
        assert_eq!(world.stop_api().await, 0);

        let emails: Vec<String> = world.rows("users").column("email").await;
        let new = emails.iter().filter(|email| email.starts_with("new")).count();
        let batches = world.rows("batches").count().await;
        let owed = world.rows("deliveries").count().await;
        assert!([0, ROWS].contains(&new), "{new} of {ROWS} came in");
        assert_eq!(world.rows("imports").count().await, 1 + i64::from(new > 0));
        assert!(
            batches <= 1 && owed == 10 * batches,
            "{batches} batches with {owed} deliveries"
        );
        if let (Some(before), Some(most)) = (before, most) {
            assert!(most < before + MEMORY, "{before} bytes before, {most} after");
        }
        world.start_api().await.unwrap();
        world.assert_sums().await;
    })
    .await;
}
