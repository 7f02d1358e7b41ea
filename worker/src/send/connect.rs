//! Connects to the relay: name resolution, TCP and TLS.

use std::io;
use std::time::Instant;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::dialogue::Terms;
use super::phase::Phase;
use super::relay::Security;
use super::reply::ReplyError;
use super::stream::RelayStream;
use super::verdict::Answer;

/// Opens a stream, encrypted from the start if the URL requires it.
pub(super) async fn connect(terms: &Terms, ends: Instant) -> Result<RelayStream, Answer> {
    let started = Instant::now();
    let end = ends.min(started + terms.deadlines.connect);
    let dialled = timeout_at(end.into(), dial(terms)).await;
    terms.metrics.observe(Phase::Connect, started.elapsed());
    let lost = |lost| Answer::from_reply_error(Phase::Connect, &lost);
    let stream = dialled
        .map_err(|_| lost(ReplyError::TimedOut))?
        .map_err(|fault| lost(ReplyError::Broken(fault.to_string())))?;
    if terms.relay.security() == Security::ImplicitTls {
        return encrypt(terms, stream, Phase::Connect, ends).await;
    }
    Ok(stream)
}

async fn dial(terms: &Terms) -> io::Result<RelayStream> {
    let addresses: Vec<_> = tokio::net::lookup_host((terms.relay.host(), terms.relay.port()))
        .await?
        .collect();
    // An address that drops our packets must leave time for the next one.
    let each = terms.deadlines.connect / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last_fault = io::Error::new(io::ErrorKind::NotFound, "the relay's name has no address");
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return RelayStream::new(tcp),
            Ok(Err(fault)) => last_fault = fault,
            Err(_) => last_fault = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last_fault)
}

/// Starts TLS and verifies the relay's certificate.
pub(super) async fn encrypt(
    terms: &Terms,
    stream: RelayStream,
    phase: Phase,
    ends: Instant,
) -> Result<RelayStream, Answer> {
    let started = Instant::now();
    let end = ends.min(started + terms.deadlines.starttls);
    let not_private = |text: String| Answer::from_reply_error(phase, &ReplyError::NotPrivate(text));
    let name = ServerName::try_from(terms.relay.host().to_owned())
        .map_err(|_| not_private("the relay's name cannot stand in a certificate".to_owned()))?;
    let Some(config) = terms.tls.clone() else {
        return Err(not_private("the connection was meant to be plain".to_owned()));
    };
    let handshake = timeout_at(end.into(), stream.encrypt(config, name)).await;
    terms.metrics.observe(Phase::StartTls, started.elapsed());
    match handshake {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(fault)) => Err(not_private(format!(
            "could not encrypt the connection to the relay: {fault}"
        ))),
        Err(_) => Err(Answer::from_reply_error(phase, &ReplyError::TimedOut)),
    }
}
