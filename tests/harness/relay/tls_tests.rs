use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Login, Mode, Relay, Script, Tls};

async fn relay(tls: Tls) -> Relay {
    let login = Login {
        user: "beckon".to_owned(),
        password: "secret".to_owned(),
    };
    Relay::start(Script {
        tls,
        login: Some(login),
        ..Script::default()
    })
    .await
    .unwrap()
}

/// A TLS connector that trusts only the relay's authority.
fn connector(relay: &Relay) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(relay.authority_pem().unwrap()).unwrap();
    roots.add(authority).unwrap();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, line: &str) -> String {
    stream.write_all(line.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut reply = String::new();
    loop {
        let start = reply.len();
        stream.read_line(&mut reply).await.unwrap();
        if reply.as_bytes().get(start + 3) != Some(&b'-') {
            return reply;
        }
    }
}

#[tokio::test]
async fn tls_starts_implicitly_or_with_starttls() {
    for tls in [Tls::Implicit, Tls::StartTls] {
        let relay = relay(tls).await;
        let mut plain = BufReader::new(TcpStream::connect(relay.address()).await.unwrap());
        if tls == Tls::StartTls {
            ask(&mut plain, "").await;
            let offers = ask(&mut plain, "EHLO test\r\n").await;
            assert!(offers.contains("STARTTLS") && !offers.contains("AUTH"));
            assert!(ask(&mut plain, "STARTTLS\r\n").await.starts_with("220"));
        }

        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector(&relay).connect(name, plain.into_inner()).await;
        let mut stream = BufReader::new(stream.unwrap());
        if tls == Tls::Implicit {
            ask(&mut stream, "").await;
        }

        let offers = ask(&mut stream, "EHLO test\r\n").await;
        assert!(offers.contains("AUTH PLAIN LOGIN") && !offers.contains("STARTTLS"));
        let welcome = ask(&mut stream, "AUTH PLAIN AGJlY2tvbgBzZWNyZXQ=\r\n").await;
        assert!(welcome.starts_with("235"));
        assert!(relay.logins()[0].is_encrypted);
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_not_accepted() {
    let relay = relay(Tls::Implicit).await;
    let plain = TcpStream::connect(relay.address()).await.unwrap();

    let name = ServerName::try_from("elsewhere.example").unwrap();

    assert!(connector(&relay).connect(name, plain).await.is_err());
}

#[tokio::test]
async fn starttls_can_be_stripped_and_broken() {
    let relay = relay(Tls::StartTls).await;
    let mut plain = BufReader::new(TcpStream::connect(relay.address()).await.unwrap());
    ask(&mut plain, "").await;

    relay.set_mode(Mode::StripsStartTls);
    assert!(!ask(&mut plain, "EHLO test\r\n").await.contains("STARTTLS"));
    assert!(ask(&mut plain, "STARTTLS\r\n").await.starts_with("502"));
    relay.set_mode(Mode::BreaksTls);
    assert!(ask(&mut plain, "STARTTLS\r\n").await.starts_with("220"));
    let name = ServerName::try_from("localhost").unwrap();
    let handshake = connector(&relay).connect(name, plain.into_inner()).await;
    assert!(handshake.is_err());
}
