//! Abusive connections: half a request, one byte at a time, bytes that are not HTTP.

use std::time::{Duration, Instant};

use harness::World;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::api_request::a_world;

/// By then the server must have disconnected.
const ENOUGH: Duration = Duration::from_secs(15);

async fn connect(world: &World) -> TcpStream {
    TcpStream::connect(world.base().trim_start_matches("http://"))
        .await
        .unwrap()
}

/// A connection from this source address to a server that listens on 127.0.0.1.
async fn connect_from(world: &World, source: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    let server = world.base().trim_start_matches("http://").parse().unwrap();
    socket.connect(server).await.unwrap()
}

/// Everything the server sends until it closes, or what went wrong.
async fn rest(stream: &mut TcpStream, within: Duration) -> Result<String, &'static str> {
    let mut received = Vec::new();
    match tokio::time::timeout(within, stream.read_to_end(&mut received)).await {
        Ok(_) => Ok(String::from_utf8_lossy(&received).into_owned()),
        Err(_) => Err("the connection is still open"),
    }
}

/// Sends these bytes and returns everything the server sends until it closes.
async fn exchange(world: &World, bytes: &[u8]) -> String {
    let mut stream = connect(world).await;
    stream.write_all(bytes).await.unwrap();
    rest(&mut stream, ENOUGH).await.unwrap()
}

#[tokio::test]
async fn a_client_that_never_ends_its_headers_is_disconnected() {
    World::run_in(a_world().await, async |world| {
        let half = format!(
            "GET /v1/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n",
            world.key()
        );
        let (mut silent, mut halfway, mut dripping) = tokio::join!(connect(world), connect(world), connect(world));
        halfway.write_all(half.as_bytes()).await.unwrap();
        dripping.write_all(half.as_bytes()).await.unwrap();
        let drip = async {
            let began = Instant::now();
            let mut received = [0; 512];
            // The read timeout is the pause between two bytes.
            while began.elapsed() < ENOUGH {
                match tokio::time::timeout(Duration::from_millis(500), dripping.read(&mut received)).await {
                    Ok(Ok(0) | Err(_)) => return true,
                    Err(_) if dripping.write_all(b"X-A: b\r\n").await.is_err() => return true,
                    _ => {}
                }
            }
            false
        };

        let (silent, halfway, dripping) = tokio::join!(rest(&mut silent, ENOUGH), rest(&mut halfway, ENOUGH), drip);

        assert!(halfway.is_ok(), "half-sent headers: {halfway:?}");
        assert!(dripping, "headers that drip keep the connection open");
        assert!(silent.is_ok(), "a client that sends nothing: {silent:?}");
    })
    .await;
}

/// Sends a request without a body and leaves the connection open.
async fn ask(stream: &mut TcpStream) -> String {
    stream
        .write_all(b"HEAD /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        assert_ne!(
            stream.read_buf(&mut received).await.unwrap(),
            0,
            "closed instead of answered"
        );
    }
    String::from_utf8(received).unwrap()
}

#[tokio::test]
async fn a_connection_may_be_idle_between_requests_but_not_within_one() {
    World::run_in(a_world().await, async |world| {
        let (mut idle, mut halfway) = tokio::join!(connect(world), connect(world));
        for stream in [&mut idle, &mut halfway] {
            assert!(ask(stream).await.starts_with("HTTP/1.1 200"));
        }
        halfway.write_all(b"HEAD /openapi.json HTTP/1.1\r\n").await.unwrap();

        let (halfway, ()) = tokio::join!(rest(&mut halfway, ENOUGH), tokio::time::sleep(ENOUGH));

        assert_eq!(halfway.as_deref(), Ok(""), "half a second request");
        assert!(ask(&mut idle).await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_disconnects_midway_leaves_nothing() {
    World::run_in(a_world().await, async |world| {
        world.people(2).await;
        let head = |path: &str, kind: &str| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: 10000\r\n\r\n",
                world.key()
            )
        };

        for (path, kind, begun) in [
            ("/v1/imports", "text/csv", "email\nnew1@example.org\nnew2@example.org\n"),
            ("/v1/invites", "application/json", "{\"everyone\":true}"),
        ] {
            let mut stream = connect(world).await;
            stream.write_all(head(path, kind).as_bytes()).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let received = rest(&mut stream, ENOUGH).await.unwrap();
            assert!(
                received.is_empty() || received.starts_with("HTTP/1.1 400"),
                "{received}"
            );
        }

        assert_eq!(
            (world.rows("users").count().await, world.rows("imports").count().await),
            (2, 1)
        );
        assert_eq!(world.rows("batches").count().await, 0);
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_not_http_are_refused() {
    World::run_in(a_world().await, async |world| {
        let refused = [
            ("no request at all", "hello\r\n\r\n".to_owned(), "HTTP/1.1 400"),
            (
                "TLS",
                "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\r\n\r\n".to_owned(),
                "HTTP/1.1 400",
            ),
            ("HTTP/9", "GET / HTTP/9.9\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 400"),
            (
                "a header too large",
                format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(500_000)),
                "HTTP/1.1 431",
            ),
            (
                "too many headers",
                format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(2_000)),
                "HTTP/1.1 431",
            ),
            (
                "a URL too long",
                format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(500_000)),
                "HTTP/1.1 4",
            ),
            (
                "two lengths",
                "POST /v1/invites HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ".to_owned(),
                "HTTP/1.1 400",
            ),
            (
                "a wrong length",
                "POST /v1/invites HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}".to_owned(),
                "HTTP/1.1 400",
            ),
            (
                "a folded header",
                "GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n".to_owned(),
                "HTTP/1.1 400",
            ),
        ];

        for (what, bytes, expected) in refused {
            let received = exchange(world, bytes.as_bytes()).await;
            assert!(received.starts_with(expected), "{what}: {received}");
        }
    })
    .await;
}

#[tokio::test]
async fn unusual_http_is_answered() {
    World::run_in(a_world().await, async |world| {
        let close = "Connection: close\r\n\r\n";
        let answered = [
            (
                "HTTP/1.0 without a host",
                "GET /openapi.json HTTP/1.0\r\n\r\n".to_owned(),
                "HTTP/1.0 200",
            ),
            (
                "a whole URL",
                format!("GET http://evil.example/openapi.json HTTP/1.1\r\nHost: x\r\n{close}"),
                "HTTP/1.1 200",
            ),
            (
                "another host",
                format!("GET /v1/batches HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n{close}"),
                "HTTP/1.1 401",
            ),
            (
                "TRACE",
                format!("TRACE /v1/batches HTTP/1.1\r\nHost: x\r\n{close}"),
                "HTTP/1.1 405",
            ),
            (
                "a path that climbs",
                format!("GET /docs/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n{close}"),
                "HTTP/1.1 404",
            ),
            (
                "a path that climbs in disguise",
                format!("GET /docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\n{close}"),
                "HTTP/1.1 404",
            ),
        ];

        for (what, bytes, expected) in answered {
            let received = exchange(world, bytes.as_bytes()).await;
            assert!(received.starts_with(expected), "{what}: {received}");
            assert!(!received.contains("evil.example"), "{what}: {received}");
        }
        let twice =
            format!("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/batches HTTP/1.1\r\nHost: x\r\n{close}");
        let received = exchange(world, twice.as_bytes()).await;
        assert_eq!(
            (
                received.matches("HTTP/1.1 200").count(),
                received.matches("HTTP/1.1 401").count()
            ),
            (1, 1),
            "{received}"
        );
    })
    .await;
}

#[tokio::test]
async fn slow_bodies_on_every_connection_do_not_block_probes() {
    World::run_in(a_world().await, async |world| {
        let begun = b"POST /console/sign-in HTTP/1.1\r\nHost: x\r\n\
                      Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\nemail=";
        let mut slow = Vec::new();
        let opened = Instant::now();
        // A few more than the API accepts, because the harness may hold one of them; from ten addresses, because one
        // may hold only 128.
        for n in (1..=10).cycle().take(1_030) {
            let mut stream = connect_from(world, [127, 0, 6, n]).await;
            stream.write_all(begun).await.unwrap();
            slow.push(stream);
        }
        let open = async || (world.api_metric("beckon_http_requests_in_flight").await > 1_015.0).then_some(());
        world
            .eventually("about as many requests as there may be connections", open)
            .await;

        let mut newcomer = connect(world).await;
        newcomer.write_all(b"GET /openapi.json HTTP/1.0\r\n\r\n").await.unwrap();
        let newcomer = rest(&mut newcomer, Duration::from_millis(300)).await;
        let began = Instant::now();
        let ready = world.probe("/readyz").await;
        let alive = world.probe("/healthz").await;

        assert!(newcomer.is_err(), "the API has connections left: {newcomer:?}");
        assert_eq!((ready.status, alive.status), (200, 200), "{}", ready.text);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let reply = rest(&mut slow[0], ENOUGH.saturating_sub(opened.elapsed())).await;
        assert!(
            reply.as_deref().is_ok_and(|reply| reply.starts_with("HTTP/1.1 408")),
            "a stranger's form may take long although connections are scarce: {reply:?}"
        );
        drop(slow);
    })
    .await;
}

#[tokio::test]
async fn a_client_with_128_connections_gets_no_more_but_others_do() {
    World::run_in(a_world().await, async |world| {
        let half = b"POST /console/sign-in HTTP/1.1\r\nHost: x\r\n";
        let mut held = Vec::new();
        for _ in 0..128 {
            let mut stream = connect_from(world, [127, 0, 7, 1]).await;
            stream.write_all(half).await.unwrap();
            held.push(stream);
        }

        let mut refused = connect_from(world, [127, 0, 7, 1]).await;
        let refused = rest(&mut refused, Duration::from_secs(2)).await;
        let mut other = connect_from(world, [127, 0, 7, 2]).await;
        other.write_all(b"GET /openapi.json HTTP/1.0\r\n\r\n").await.unwrap();
        let other = rest(&mut other, Duration::from_secs(2)).await;
        let still_open = rest(&mut held[127], Duration::from_millis(50)).await;

        assert_eq!(refused.as_deref(), Ok(""), "connection 129 is not closed at once");
        assert!(other.unwrap().starts_with("HTTP/1.0 200"));
        assert!(still_open.is_err(), "connection 128 is closed: {still_open:?}");
    })
    .await;
}
