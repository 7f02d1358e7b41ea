use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::FaultProxy;

/// A proxy, and both ends of a connection through it.
async fn connected() -> (FaultProxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (proxy, client, server)
}

/// What arrives next; nothing when nothing does for a moment.
async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut received = vec![0; 64];
    let read = stream.read(&mut received);
    let read = tokio::time::timeout(Duration::from_millis(100), read).await;
    received.truncate(read.map_or(0, Result::unwrap));
    received
}

/// Waits for exactly this, in however many pieces it comes.
async fn expect(stream: &mut TcpStream, text: &[u8]) {
    let mut received = vec![0; text.len()];
    let read = stream.read_exact(&mut received);
    tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(received, text);
}

#[tokio::test]
async fn everything_passes_without_a_fault() {
    let (proxy, mut client, mut server) = connected().await;

    client.write_all(b"ping").await.unwrap();
    expect(&mut server, b"ping").await;
    server.write_all(b"pong").await.unwrap();
    expect(&mut client, b"pong").await;
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    server.write_all(b"last words").await.unwrap();
    expect(&mut client, b"last words").await;
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_cut_ends_all_connections_and_refuses_until_restored() {
    let (proxy, mut client, mut server) = connected().await;

    proxy.cut().await;

    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    proxy.restore().await.unwrap();
    TcpStream::connect(proxy.address()).await.unwrap();
}

#[tokio::test]
async fn a_stall_delays_and_loses_nothing() {
    let (proxy, mut client, mut server) = connected().await;

    proxy.stall_replies();
    client.write_all(b"asked").await.unwrap();
    expect(&mut server, b"asked").await;
    server.write_all(b"answered").await.unwrap();
    assert_eq!(receive(&mut client).await, b"");
    proxy.stall();
    client.write_all(b"asked again").await.unwrap();
    assert_eq!(receive(&mut server).await, b"");

    proxy.restore().await.unwrap();

    expect(&mut client, b"answered").await;
    expect(&mut server, b"asked again").await;
}

#[tokio::test]
async fn a_reset_is_not_an_orderly_close() {
    let (proxy, mut client, mut server) = connected().await;

    proxy.reset();

    for stream in [&mut client, &mut server] {
        let end = stream.read(&mut [0; 8]).await;
        assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

#[tokio::test]
async fn a_limit_forwards_that_many_bytes_and_closes() {
    let (proxy, mut client, mut server) = connected().await;
    client.write_all(b"12345").await.unwrap();
    expect(&mut server, b"12345").await;

    proxy.limit(8);
    client.write_all(b"67890").await.unwrap();

    let mut rest = Vec::new();
    server.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"678");
    assert!(matches!(client.read(&mut [0; 8]).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn slices_and_latency_slow_down_traffic() {
    let (proxy, mut client, mut server) = connected().await;

    proxy.slice(2);
    client.write_all(b"abcdef").await.unwrap();
    expect(&mut server, b"abcdef").await;

    proxy.restore().await.unwrap();
    proxy.latency(Duration::from_millis(50));
    let start = Instant::now();
    server.write_all(b"late").await.unwrap();
    expect(&mut client, b"late").await;
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn jitter_stays_within_its_bounds_and_bandwidth_is_limited() {
    let (proxy, mut client, mut server) = connected().await;
    let (least, most) = (Duration::from_millis(10), Duration::from_millis(60));
    proxy.latency_between(least, most);
    let mut delays = Vec::new();
    for _ in 0..5 {
        let start = Instant::now();
        client.write_all(b"late").await.unwrap();
        expect(&mut server, b"late").await;
        delays.push(start.elapsed());
    }
    assert!(delays.iter().all(|delay| *delay >= least), "{delays:?}");

    proxy.restore().await.unwrap();
    proxy.bandwidth(1_000);
    let start = Instant::now();
    client.write_all(&[b'x'; 200]).await.unwrap();
    expect(&mut server, &[b'x'; 200]).await;
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn urls_lead_through_the_proxy() {
    let direct = "amqp://guest:guest@127.0.0.1:9/side?heartbeat=10";
    let proxy = FaultProxy::in_front_of(direct).await.unwrap();

    let url = proxy.url(direct).unwrap();

    let port = proxy.address().port();
    let through = format!("amqp://guest:guest@127.0.0.1:{port}/side?heartbeat=10");
    assert_eq!(url, through);
}

#[tokio::test]
async fn a_dropped_proxy_ends_its_connections() {
    let (proxy, mut client, _server) = connected().await;

    drop(proxy);

    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
}
