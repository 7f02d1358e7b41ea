//! The way to the relay: reaching it, making the line private, and its first words.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use lettre::transport::smtp::client::AsyncSmtpConnection;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{timeout, timeout_at};

use super::connection::Terms;
use super::phase::Phase;
use super::relay::Security;
use super::reply::{Lost, Reply, heard};
use super::verdict::Answer;
use super::wire::Wire;

/// Opens the line, encrypted from the start where the URL says so.
pub(super) async fn dial(terms: &Terms, ends: Instant) -> Result<Wire, Answer> {
    let started = Instant::now();
    let end = ends.min(started + terms.deadlines.connect);
    let dialled = timeout_at(end.into(), reach(terms)).await;
    terms.metrics.took(Phase::Connect, started.elapsed());
    let lost = |lost| Answer::from_lost(Phase::Connect, &lost);
    let wire = dialled
        .map_err(|_| lost(Lost::TimedOut))?
        .map_err(|fault| lost(Lost::Broken(fault.to_string())))?;
    if terms.relay.security() == Security::ImplicitTls {
        encrypt(terms, &wire, Phase::Connect, ends).await?;
    }
    Ok(wire)
}

async fn reach(terms: &Terms) -> io::Result<Wire> {
    let addresses: Vec<_> = tokio::net::lookup_host((terms.relay.host(), terms.relay.port()))
        .await?
        .collect();
    // An address that swallows our packets must leave time for the next one.
    let each = terms.deadlines.connect / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last_fault = io::Error::new(io::ErrorKind::NotFound, "the relay's name has no address");
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Wire::new(tcp),
            Ok(Err(fault)) => last_fault = fault,
            Err(_) => last_fault = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last_fault)
}

pub(super) async fn encrypt(terms: &Terms, wire: &Wire, phase: Phase, ends: Instant) -> Result<(), Answer> {
    let started = Instant::now();
    let end = ends.min(started + terms.deadlines.starttls);
    let not_private = |text: String| Answer::from_lost(phase, &Lost::NotPrivate(text));
    let name = ServerName::try_from(terms.relay.host().to_owned())
        .map_err(|_| not_private("the relay's name cannot stand in a certificate".to_owned()))?;
    let Some(config) = terms.tls.clone() else {
        return Err(not_private("the line was meant to be plain".to_owned()));
    };
    let handshake = timeout_at(end.into(), wire.encrypt(config, name)).await;
    terms.metrics.took(Phase::StartTls, started.elapsed());
    match handshake {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => Err(not_private(format!("no encrypted line to the relay: {fault}"))),
        Err(_) => Err(Answer::from_lost(phase, &Lost::TimedOut)),
    }
}

/// Hands the line to lettre, which reads the greeting and says EHLO.
pub(super) async fn greet(terms: &Terms, wire: &Wire, ends: Instant) -> Result<AsyncSmtpConnection, Answer> {
    let (metrics, deadlines) = (&terms.metrics, &terms.deadlines);
    let mut started = Instant::now();
    let silent_until_now = wire.written();
    let is_greeted = || wire.written() > silent_until_now;
    let mut both_steps = pin!(AsyncSmtpConnection::connect_with_transport(
        Box::new(wire.clone()),
        &terms.hello
    ));
    // The first thing we say is EHLO, and only a good greeting makes lettre say it.
    let first_step = poll_fn(|context| match both_steps.as_mut().poll(context) {
        Poll::Pending if is_greeted() => Poll::Ready(None),
        polled => polled.map(Some),
    });
    let end = ends.min(started + deadlines.greeting);
    let mut result = timeout_at(end.into(), first_step).await.ok().flatten();
    let mut phase = Phase::Greeting;
    if is_greeted() {
        metrics.took(phase, started.elapsed());
        metrics.heard(&Ok(Reply::unread(220)));
        (phase, started) = (Phase::Ehlo, Instant::now());
        if result.is_none() {
            let end = ends.min(started + deadlines.ehlo);
            result = timeout_at(end.into(), both_steps).await.ok();
        }
    }
    metrics.took(phase, started.elapsed());
    let heard = match result {
        Some(Ok(smtp)) => {
            metrics.heard(&Ok(Reply::unread(250)));
            return Ok(smtp);
        }
        Some(Err(fault)) => heard(Err(fault), wire.has_ended()),
        None => Err(Lost::TimedOut),
    };
    metrics.heard(&heard);
    Err(match heard {
        Ok(refusal) => Answer::from_reply(phase, &refusal),
        Err(silence) => Answer::from_lost(phase, &silence),
    })
}
