//! The health check command, which asks a running process whether it is ready.
//!
//! Container engines run a command to check a process. This command is our own binary, so that an image needs
//! neither a shell nor `curl`. It sends the same request as a probe and reads no setting except the address:
//! a check that needed the secrets could fail for reasons of its own.

use crate::config::listen_address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Timeout for the answer. The process queries Postgres meanwhile; if that takes longer, it is in trouble.
const DEADLINE: Duration = Duration::from_secs(3);

/// Limit on the answer, which is a line of JSON.
const ANSWER_MOST_BYTES: u64 = 64 * 1024;

/// Asks the process that listens at `listen` and prints to standard error why it is not ready.
///
/// `setting` is the name of the setting that holds the address, and `listen` its value.
pub async fn healthcheck(setting: &str, listen: &str) -> ExitCode {
    let obstacle = match listen_address(listen.trim()) {
        Ok(address) => probe(reachable(address), DEADLINE).await.err(),
        Err(problem) => Some(format!("{setting} {problem}")),
    };
    match obstacle {
        None => ExitCode::SUCCESS,
        Some(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// The address for reaching a process that listens here: "every address" cannot be connected to.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Requests `/readyz`. Obstacles are returned as one line.
async fn probe(address: SocketAddr, deadline: Duration) -> Result<(), String> {
    let answer = tokio::time::timeout(deadline, answer_of(address))
        .await
        .map_err(|_| format!("no answer from {address} within {deadline:?}"))?
        .map_err(|fault| format!("could not connect to {address}: {fault}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        Some("503") => Err(format!("not ready: {}", one_line(body))),
        _ => Err(format!(
            "{address} answered with something other than a readiness report: {}",
            one_line(status)
        )),
    }
}

async fn answer_of(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address).await?;
    // HTTP/1.0, so that the answer ends with the connection and is not chunked.
    let request = format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(ANSWER_MOST_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::probes::{self, Readiness};
    use tokio::net::TcpListener;

    async fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// A process that reports these obstacles.
    async fn process(obstacles: Vec<String>) -> SocketAddr {
        let (listener, address) = listening().await;
        let routes = probes::routes(Metrics::for_process(), move || {
            std::future::ready(Readiness {
                obstacles: obstacles.clone(),
                ..Readiness::default()
            })
        });
        tokio::spawn(probes::serve(listener, routes));
        address
    }

    #[tokio::test]
    async fn a_ready_process_is_healthy() {
        let address = process(Vec::new()).await;

        assert_eq!(probe(address, DEADLINE).await, Ok(()));
    }

    #[tokio::test]
    async fn obstacles_are_reported_in_one_line() {
        let address = process(vec!["Postgres does not answer".to_owned()]).await;

        let refusal = probe(address, DEADLINE).await.unwrap_err();

        assert!(
            refusal.starts_with("not ready: ") && refusal.contains("Postgres does not answer"),
            "{refusal}"
        );
        assert_eq!(refusal.lines().count(), 1, "{refusal}");
    }

    #[tokio::test]
    async fn a_missing_silent_or_foreign_process_is_not_healthy() {
        let (listener, gone) = listening().await;
        drop(listener);
        let (_silent_listener, silent) = listening().await;
        let (listener, other) = listening().await;
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            connection.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
        });

        let refusal = [
            probe(gone, DEADLINE).await.unwrap_err(),
            probe(silent, Duration::from_millis(50)).await.unwrap_err(),
            probe(other, DEADLINE).await.unwrap_err(),
        ];

        assert!(refusal[0].starts_with("could not connect to 127.0.0.1:"), "{refusal:?}");
        assert!(refusal[1].ends_with("within 50ms"), "{refusal:?}");
        // A connection closed with an unread request may be reset before its greeting is read.
        assert!(
            refusal[2].contains("220 mail.example") || refusal[2].contains("could not connect to"),
            "{refusal:?}"
        );
    }

    #[test]
    fn an_unspecified_address_is_probed_at_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("10.1.2.3:8081", "10.1.2.3:8081"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
