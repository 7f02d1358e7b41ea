//! The throughput of the mailer. Run by hand: `cargo test --release -p worker --lib speed -- --ignored
//! --nocapture`.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A relay that does as little work as possible.
async fn sink(mut tcp: TcpStream, offers: &str) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.write_all(b"220 sink\r\n").await?;
    let (mut bytes, mut replies) = (Vec::with_capacity(64 * 1024), String::new());
    let mut in_body = false;
    while tcp.read_buf(&mut bytes).await? > 0 {
        let mut rest = &bytes[..];
        loop {
            let end = if in_body { &b"\r\n.\r\n"[..] } else { b"\r\n" };
            let Some(at) = rest.windows(end.len()).position(|window| window == end) else {
                break;
            };
            let line = &rest[..at];
            rest = &rest[at + end.len()..];
            let starts = |verb: &[u8]| line.starts_with(verb);
            let reply = match () {
                () if std::mem::take(&mut in_body) => "250 2.0.0 queued\r\n",
                () if starts(b"DATA") => {
                    in_body = true;
                    "354 go\r\n"
                }
                () if starts(b"EHLO") => offers,
                () => "250 2.1.0 ok\r\n",
            };
            replies.push_str(reply);
        }
        let done = bytes.len() - rest.len();
        bytes.drain(..done);
        tcp.write_all(replies.as_bytes()).await?;
        replies.clear();
    }
    Ok(())
}

async fn measure(connections: usize, mails: usize, lane: Lane, offers: &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(sink(tcp, offers));
        }
    });
    let settings = Settings {
        queue_limit: Duration::from_mins(1),
        ..Settings::for_connections(connections, "beckon.example.org")
    };
    let mailer = mailer_with(&url, settings);
    let message = "Subject: Welcome\r\n\r\n".to_owned() + &("x".repeat(70) + "\r\n").repeat(85);
    let started = Instant::now();
    let answers: Vec<_> = (0..mails)
        .map(|_| begin(&mailer, to("ada@example.com"), message.as_bytes(), lane, true))
        .collect();
    for answer in answers {
        let answer = answer.await.unwrap();
        assert_eq!(answer.verdict, Verdict::Accepted, "{answer:?}");
    }
    let rate = f64::from(u32::try_from(mails).unwrap()) / started.elapsed().as_secs_f64();
    println!("{connections} connections, {lane:?}: {rate:.0} mails/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a promise"]
async fn throughput_of_one_connection_and_of_ten() {
    for (what, offers) in [
        ("pipelined", "250-sink\r\n250 PIPELINING\r\n"),
        ("one by one", "250 sink\r\n"),
    ] {
        println!("{what}:");
        for lane in [Lane::Interactive, Lane::Bulk] {
            measure(1, 20_000, lane, offers).await;
            measure(10, 40_000, lane, offers).await;
            measure(20, 40_000, lane, offers).await;
        }
    }
}
