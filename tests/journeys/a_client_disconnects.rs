//! A client disconnects in the middle of a write: the request takes effect in full or not at all, and later requests
//! are unharmed.
//!
//! Postgres is slow here, so that a request lasts long enough to be abandoned at each of its steps.

use crate::json;
use harness::faults::FaultProxy;
use harness::world::{AnotherApi, Rows};
use harness::{Setup, World};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

/// Latency in each direction. A request with a transaction makes about fifteen round trips.
const LATENCY: Duration = Duration::from_millis(15);

/// How many moments of a batch's and an import's lifetime are tried: closer together than Postgres's answers, so that
/// every statement is interrupted.
const MOMENTS: u32 = 24;

/// How many moments of a password request are tried. Such a request is one statement after another and costs hashes.
const FEWER_MOMENTS: u32 = 10;

/// Shorter than the 30 s after which Postgres itself ends an idle transaction.
const SOON: Duration = Duration::from_secs(15);

/// How soon thirty lists of batches are answered.
const LISTS_TIMEOUT: Duration = Duration::from_secs(30);

/// A world whose calls go to an API with a slow database.
async fn slow_world(setup: Setup) -> (World, AnotherApi, FaultProxy) {
    let mut world = World::with(setup).await;
    let direct = world.setting("DATABASE_URL").to_owned();
    let proxy = FaultProxy::in_front_of(&direct).await.unwrap();
    let slow = proxy.url(&direct).unwrap();
    let api = world.another_api(&[("DATABASE_URL", &slow)]).await.unwrap();
    proxy.latency(LATENCY);
    (world, api, proxy)
}

/// How long a client stays that waits for its answer.
const STAYS: Duration = Duration::from_mins(1);

/// When to disconnect at the `n`th of `many` moments. For the first two the client stays: then the statements are
/// prepared, and `whole` is how long a request takes.
fn moment(n: u32, many: u32, whole: Duration) -> Duration {
    if n < 2 { STAYS } else { whole * n / many }
}

/// Sends a complete request to the API at `base`, disconnects after this time or at the answer, and returns the elapsed
/// time.
async fn leave(world: &World, base: &str, path: &str, headers: &str, body: &str, after: Duration) -> Duration {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        world.key(),
        body.len()
    );
    let began = Instant::now();
    stream.write_all(request.as_bytes()).await.unwrap();
    let _ = tokio::time::timeout(after, stream.read_u8()).await;
    began.elapsed()
}

/// As [`leave`], with JSON.
async fn leave_json(world: &World, base: &str, path: &str, key: &str, body: &Value, after: Duration) -> Duration {
    let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
    leave(world, base, path, &headers, &body.to_string(), after).await
}

/// Waits until no session is in a transaction. Checked after every disconnect, because the next user of a connection
/// would clean up a transaction that was left open by mistake.
async fn assert_nothing_left_open(world: &World) {
    let began = Instant::now();
    world
        .eventually("every session to be out of its transaction", async || {
            (world.open_transactions().await == 0).then_some(())
        })
        .await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

/// Asserts that the API soon answers more requests than it has connections. A list takes a few round trips, however
/// many batches are in it.
async fn assert_unharmed(world: &mut World, api: &AnotherApi) {
    world.turn_to(&api.base, &api.probes);
    let began = Instant::now();
    let later = (0..30).map(|_| world.get("/v1/batches"));
    for answer in futures_util::future::join_all(later).await {
        answer.expect(200);
    }
    assert!(began.elapsed() < LISTS_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_batch_or_an_import_is_complete_or_absent() {
    let (world, api, _proxy) = slow_world(Setup::default().workers(0)).await;
    World::run_in(world, async |world| {
        world.people(5 * usize::try_from(MOMENTS).unwrap()).await;
        let mut wholes = [STAYS; 2];

        for n in 0..MOMENTS {
            let after = wholes.map(|whole| moment(n, MOMENTS, whole));
            let five = (1..=5).map(|one| format!("person{}@example.org", 5 * n + one));
            let batch = json!({ "emails": five.collect::<Vec<_>>(), "hold_seconds": 3600 });
            let rows: Vec<String> = (0..60).map(|row| format!("new{row}@n{n}.example\n")).collect();
            let headers = format!("Content-Type: text/csv\r\nIdempotency-Key: import{n}\r\n");
            let (rows, key) = (format!("email\n{}", rows.concat()), format!("batch{n}"));
            let lasted = tokio::join!(
                leave_json(world, &api.base, "/v1/invites", &key, &batch, after[0]),
                leave(world, &api.base, "/v1/imports", &headers, &rows, after[1]),
            );
            if n < 2 {
                wholes = lasted.into();
            }
            assert_nothing_left_open(world).await;
        }
        assert_unharmed(world, &api).await;

        let emails: Vec<String> = world.rows("users").column("email").await;
        let mut found = BTreeSet::new();
        for n in 0..MOMENTS {
            let (batches, imports) = (format!("batch{n}"), format!("import{n}"));
            let answers = async |key: &str| -> Vec<Value> {
                let answered = world.rows("idempotency_keys").with("key", key);
                answered.column("answer").await
            };
            let answered = answers(&batches).await;
            let mut owed = 0;
            for answer in &answered {
                let batch = answer["batch"].as_str().unwrap();
                owed += world.rows("deliveries").with("batch_id", batch).count().await;
                found.insert(batch.to_owned());
            }
            assert_eq!(owed, 5 * i64::try_from(answered.len()).unwrap(), "{batches}");
            let domain = format!("@n{n}.example");
            let users = emails.iter().filter(|email| email.ends_with(&domain)).count();
            assert_eq!(users, 60 * answers(&imports).await.len(), "{imports}");
        }
        let batches: Vec<Uuid> = world.rows("batches").column("id").await;
        let nameless = batches.iter().filter(|batch| !found.contains(&batch.to_string()));
        assert_eq!(nameless.count(), 0, "a batch that no caller can find");
        let done = world.rows("idempotency_keys").count().await;
        assert!(done >= 2, "those who stayed were not answered");
        world.assert_sums().await;
    })
    .await;
}

/// Mails passwords to `each` users of a `kind` at every moment, and returns the batches.
async fn passwords(world: &World, kind: &str, each: usize) -> Vec<Uuid> {
    let mut batches = Vec::new();
    for n in 0..FEWER_MOMENTS {
        let people: Vec<String> = (0..each).map(|one| format!("{kind}{one}@n{n}.example")).collect();
        world
            .import(&format!("email\n{}\n", people.join("\n")))
            .await
            .expect(201);
        let recipients = json!({ "emails": people, "include_recent": true });
        batches.push(world.reset_passwords(recipients).await);
    }
    batches
}

/// The newest password in this user's mailbox.
fn newest(world: &World, person: &str) -> String {
    let mails = world.relay.mails_to(person).unwrap();
    mails.last().unwrap().password().unwrap().to_owned()
}

/// The credentials of a user.
async fn of<'a>(world: &'a World, person: &str) -> Rows<'a> {
    world.rows("credentials").with("user_id", world.user_id(person).await)
}

/// 1 if the user has signed in.
async fn signed_in(world: &World, person: &str) -> i64 {
    let user = world.rows("users").with("email", person);
    user.having("signed_in_at").count().await
}

/// Asserts at every moment that no request took effect in part. Returns how often using a password, choosing one and
/// revoking three took effect.
async fn ends_of_passwords(world: &World) -> [u32; 3] {
    let mut ends = [0, 0, 0];
    for n in 0..FEWER_MOMENTS {
        let person = format!("verify0@n{n}.example");
        let has_signed_in = signed_in(world, &person).await;
        let used = of(world, &person).await.having("used_at").count().await;
        let (live, has_used) = (of(world, &person).await.count().await, used * has_signed_in);
        assert!(matches!((live, has_used), (2, 0 | 1)), "{person}: {live} {has_used}");
        let person = format!("choose0@n{n}.example");
        let mailed = of(world, &person).await.with("kind", "generated").count().await;
        let chosen = of(world, &person).await.with("kind", "chosen").count().await;
        let chosen = chosen * signed_in(world, &person).await;
        assert!(
            matches!((mailed, chosen), (1, 0) | (0, 1)),
            "{person}: {mailed} {chosen}"
        );
        let mut left = 0;
        for one in 0..3 {
            left += of(world, &format!("revoke{one}@n{n}.example")).await.count().await;
        }
        assert!(matches!(left, 0 | 3), "{left} of 3 are left at {n}");
        for (end, done) in ends.iter_mut().zip([has_used == 1, chosen == 1, left == 0]) {
            *end += u32::from(done);
        }
    }
    ends
}

#[tokio::test]
async fn a_password_is_used_chosen_or_revoked_completely_or_not_at_all() {
    let (world, api, _proxy) = slow_world(Setup::default()).await;
    World::run_in(world, async |world| {
        for batch in passwords(world, "verify", 1).await {
            world.finished(batch).await;
        }
        let (again, choosing) = (
            passwords(world, "verify", 1).await,
            passwords(world, "choose", 1).await,
        );
        let ended = passwords(world, "revoke", 3).await;
        for batch in again.iter().chain(&choosing).chain(&ended) {
            world.finished(*batch).await;
        }
        let mut wholes = [STAYS; 3];

        for (n, batch) in (0..FEWER_MOMENTS).zip(&ended) {
            let after = wholes.map(|whole| moment(n, FEWER_MOMENTS, whole));
            let person = |kind: &str| format!("{kind}0@n{n}.example");
            let mailed = |kind: &str| newest(world, &person(kind));
            let verify = json!({ "email": person("verify"), "password": mailed("verify") });
            let choose =
                json!({ "email": person("choose"), "password": mailed("choose"), "new_password": "their own password" });
            let revoke = json!({ "batch": batch });
            let key = format!("moment-{n}");
            let lasted = tokio::join!(
                leave_json(world, &api.base, "/v1/credentials/verify", "none", &verify, after[0]),
                leave_json(world, &api.base, "/v1/credentials/choose", &key, &choose, after[1]),
                leave_json(world, &api.base, "/v1/credentials/revoke", "none", &revoke, after[2]),
            );
            if n < 2 {
                wholes = lasted.into();
            }
            assert_nothing_left_open(world).await;
        }
        assert_unharmed(world, &api).await;

        let ends = ends_of_passwords(world).await;
        assert!(
            ends.iter().all(|end| *end > 0),
            "clients always left too early: {ends:?}"
        );
    })
    .await;
}
