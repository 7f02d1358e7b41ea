//! Requests one page from a web server, to check whether a link works.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// Timeout for the page. A user who follows a link waits no longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Limit for the status line.
const STATUS_LINE_MOST_BYTES: u64 = 4 * 1024;

/// Requests a page and returns its status. Redirects are not followed.
///
/// # Errors
///
/// Why there is no answer, in words for the operator.
pub(crate) async fn status(address: &str) -> Result<u16, String> {
    let url = Url::parse(address).map_err(|fault| fault.to_string())?;
    match tokio::time::timeout(DEADLINE, get(&url)).await {
        Ok(Ok(line)) => status_of(&line).ok_or_else(|| "what answers is not a web server".to_owned()),
        Ok(Err(fault)) => Err(fault.to_string()),
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn get(url: &Url) -> io::Result<String> {
    let no_host = || io::Error::new(io::ErrorKind::InvalidInput, "the address names no host");
    let host = match url.host().ok_or_else(no_host)? {
        Host::Ipv6(address) => address.to_string(),
        other => other.to_string(),
    };
    let port = url.port_or_known_default().ok_or_else(no_host)?;
    let connection = TcpStream::connect((host.as_str(), port)).await?;
    if url.scheme() != "https" {
        return request_page(connection, url).await;
    }
    let name = ServerName::try_from(host).map_err(|fault| io::Error::new(io::ErrorKind::InvalidInput, fault))?;
    let encrypted = TlsConnector::from(Arc::new(trust()?)).connect(name, connection).await?;
    request_page(encrypted, url).await
}

/// The certificate authorities that this machine trusts.
fn trust() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // Single unreadable certificates are common and harmless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // Named explicitly instead of using the process default, on which two crates may disagree.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn request_page(mut connection: impl AsyncRead + AsyncWrite + Unpin, url: &Url) -> io::Result<String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let request = format!(
        "GET {}{query} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: beckon\r\nAccept: text/html, */*\r\nConnection: close\r\n\r\n",
        url.path()
    );
    connection.write_all(request.as_bytes()).await?;
    connection.flush().await?;
    let mut answer = Vec::new();
    let mut limited = connection.take(STATUS_LINE_MOST_BYTES);
    while !answer.contains(&b'\n') {
        if limited.read_buf(&mut answer).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&answer)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn status_of(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let status = rest.get(..3)?.parse().ok()?;
    (version.starts_with("HTTP/1.") && (100..600).contains(&status)).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A server that sends this answer on one connection.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 1_024];
            let length = connection.read(&mut asked).await.unwrap();
            connection.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (format!("http://{address}"), serving)
    }

    #[tokio::test]
    async fn the_status_of_a_page_is_found() {
        let (base, serving) = server("HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n").await;

        assert_eq!(status(&format!("{base}/in?next=%2Fa#b")).await, Ok(302));

        let asked = serving.await.unwrap();
        assert!(
            asked.starts_with("GET /in?next=%2Fa HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_server_that_is_no_web_server_is_reported() {
        let (base, _serving) = server("220 smtp.example ESMTP\r\n").await;
        assert_eq!(status(&base).await.unwrap_err(), "what answers is not a web server");

        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let refusal = status(&format!("http://{closed}/")).await.unwrap_err();
        assert!(refusal.contains("refused"), "{refusal}");
        let (base, _serving) = server("HTTP/1.1 200 OK\r\n\r\n").await;
        let refusal = status(&base.replace("http://", "https://")).await.unwrap_err();
        assert!(!refusal.is_empty(), "{refusal}");
    }
}
