//! Serving connections so that a slow or endless client ties nothing up.
//!
//! `axum::serve` waits for a request's headers for ever. Here hyper is driven directly: headers
//! must come soon once begun (`prompt`), an answer must be taken (`patient`), connections are
//! bounded, and a stop lets requests that have begun finish for a while and then ends them.

mod patient;
mod prompt;

use crate::client_address::TrustedProxies;
use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use patient::Patient;
use prompt::Terms;
use shared::lifecycle::Lifecycle;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// A client that needs longer for a few hundred bytes is none.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Longer than the longest time for which usual clients and proxies keep a connection, so that it is
/// they who close it, and never we while a request is on its way: 60 seconds for nginx and AWS, 90
/// for Go and reqwest, 600 for the load balancers of Google Cloud, which ask for more than that.
const IDLE_MOST: Duration = Duration::from_secs(620);

/// A client that takes none of its answer for so long is not reading it.
const TAKES_WITHIN: Duration = Duration::from_secs(30);

/// Headers and request line together; a key and a trace are some hundred bytes.
const HEADERS_MOST_BYTES: usize = 64 * 1024;

/// Connections at a time; beyond it clients wait to be accepted.
const CONNECTIONS_MOST: usize = 1024;

/// Serves `routes` until the process stops, then waits `grace` for requests that have begun.
///
/// Each request carries its [`ClientAddress`](crate::client_address::ClientAddress).
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    proxies: TrustedProxies,
    lifecycle: Lifecycle,
    grace: Duration,
) {
    let terms = Terms {
        headers: HEADERS_WITHIN,
        idle: IDLE_MOST,
        room: Arc::new(Semaphore::new(CONNECTIONS_MOST)),
        room_enough: CONNECTIONS_MOST / 2,
    };
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&terms.room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = lifecycle.stopping().cancelled() => break,
        };
        match (place, accepted) {
            (Ok(place), Ok(accepted)) => {
                let answering = Answering {
                    routes: routes.clone(),
                    proxies: proxies.clone(),
                    terms: terms.clone(),
                };
                answering.begin(accepted, &graceful, place);
            }
            (_, Err(fault)) => {
                // Out of file descriptors, most likely: wait until some connection has ended.
                warn!(error = %fault, "Could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            (Err(_), _) => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(grace) => warn!("Ended requests that did not finish in time"),
        () = lifecycle.ending().cancelled() => {}
    }
}

/// What a connection needs to answer its requests.
struct Answering {
    routes: Router,
    proxies: TrustedProxies,
    terms: Terms,
}

impl Answering {
    fn begin(self, (stream, peer): (TcpStream, SocketAddr), graceful: &GracefulShutdown, place: OwnedSemaphorePermit) {
        let Self { routes, proxies, terms } = self;
        // Answers are small; waiting to fill a packet only makes them late.
        let _ = stream.set_nodelay(true);
        let (stream, prompt) = prompt::watch(Patient::new(stream, TAKES_WITHIN), terms);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let client = proxies.client_of(peer, request.headers());
            request.extensions_mut().insert(client);
            routes.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(prompt)
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(HEADERS_MOST_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(fault) = connection.await {
                debug!(error = %fault, "A connection ended early");
            }
            drop(place);
        });
    }
}
