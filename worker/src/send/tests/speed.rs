//! How fast mails leave. Run by hand:
//! `cargo test --release -p worker --lib speed -- --ignored --nocapture`.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A relay that does as little as can be.
async fn sink(mut tcp: TcpStream, offers: &str) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.write_all(b"220 sink\r\n").await?;
    let mut bytes = Vec::with_capacity(64 * 1024);
    let mut in_body = false;
    while tcp.read_buf(&mut bytes).await? > 0 {
        if in_body {
            if bytes.ends_with(b"\r\n.\r\n") {
                in_body = false;
                bytes.clear();
                tcp.write_all(b"250 2.0.0 queued\r\n").await?;
            }
            continue;
        }
        let mut replies = String::new();
        for line in String::from_utf8_lossy(&bytes).lines() {
            in_body = line == "DATA";
            replies += match line {
                "DATA" => "354 go\r\n",
                _ if line.starts_with("EHLO") => offers,
                _ => "250 2.1.0 ok\r\n",
            };
        }
        bytes.clear();
        tcp.write_all(replies.as_bytes()).await?;
    }
    Ok(())
}

async fn measure(connections: usize, senders: u32, mails: u32, offers: &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            tokio::spawn(sink(tcp, offers));
        }
    });
    let mailer = mailer_with(&url, Settings::for_connections(connections, "beckon.example.org"));
    let message = "Subject: Welcome\r\n\r\n".to_owned() + &("x".repeat(70) + "\r\n").repeat(85) + ".\r\n";
    let started = Instant::now();
    let tasks: Vec<_> = (0..senders)
        .map(|_| {
            let (mailer, message) = (mailer.clone(), message.clone());
            tokio::spawn(async move {
                let envelope = to("ada@example.com");
                for _ in 0..mails / senders {
                    let answer = mailer
                        .send(&envelope, message.as_bytes(), Lane::Interactive, &|| true)
                        .await;
                    assert_eq!(answer.verdict, Verdict::Accepted, "{answer:?}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rate = f64::from(mails) / started.elapsed().as_secs_f64();
    println!("{connections} connections, {senders} senders: {rate:.0} mails/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a promise"]
async fn speed_of_one_connection_and_of_ten() {
    for (told, offers) in [
        ("pipelined", "250-sink\r\n250 PIPELINING\r\n"),
        ("one by one", "250 sink\r\n"),
    ] {
        println!("{told}:");
        measure(1, 1, 20_000, offers).await;
        measure(10, 10, 40_000, offers).await;
        measure(10, 100, 40_000, offers).await;
    }
}
