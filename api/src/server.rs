//! Serving connections so that a slow or endless client ties nothing up.
//!
//! `axum::serve` waits for a request's headers for ever. Here hyper is driven directly: headers
//! must come soon once begun (`prompt`), an answer must be taken (`patient`), connections are
//! bounded (in all, and those of each client: `admission`), and a stop lets requests that have begun finish for a while and then ends them.

mod admission;
mod crowd;
mod patient;
mod prompt;

use crate::client_address::TrustedProxies;
use admission::{Admission, Admitted};
use axum::Router;
use axum::http::Request;
pub use crowd::Crowd;
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

/// Connections at a time from one client that is not a trusted proxy; further ones are closed.
const MAX_CONNECTIONS_PER_CLIENT: usize = CONNECTIONS_MOST / 8;

/// Serves `routes` until the process stops, then waits for requests that have begun until it ends.
///
/// Each request carries its [`ClientAddress`](crate::client_address::ClientAddress) and the [`Crowd`].
pub async fn serve(listener: TcpListener, routes: Router, proxies: TrustedProxies, lifecycle: Lifecycle) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MOST));
    let terms = Terms {
        headers: HEADERS_WITHIN,
        idle: IDLE_MOST,
        crowd: Crowd::new(Arc::clone(&places), CONNECTIONS_MOST / 2, HEADERS_WITHIN),
    };
    let mut admission = Admission::new(proxies.clone(), MAX_CONNECTIONS_PER_CLIENT);
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = lifecycle.stopping().cancelled() => break,
        };
        match (place, accepted) {
            (Ok(place), Ok(accepted)) => {
                // Dropping the connection of a client that has too many closes it.
                let Some(admitted) = admission.admit(accepted.1) else {
                    continue;
                };
                let answering = Answering {
                    routes: routes.clone(),
                    proxies: proxies.clone(),
                    terms: terms.clone(),
                };
                answering.begin(accepted, &graceful, (place, admitted));
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
        () = lifecycle.ending().cancelled() => warn!("Ended requests that did not finish in time"),
    }
}

/// What a connection needs to answer its requests.
struct Answering {
    routes: Router,
    proxies: TrustedProxies,
    terms: Terms,
}

impl Answering {
    fn begin(
        self,
        (stream, peer): (TcpStream, SocketAddr),
        graceful: &GracefulShutdown,
        place: (OwnedSemaphorePermit, Admitted),
    ) {
        let Self { routes, proxies, terms } = self;
        // Answers are small; waiting to fill a packet only makes them late.
        let _ = stream.set_nodelay(true);
        let crowd = terms.crowd.clone();
        let (stream, prompt) = prompt::watch(Patient::new(stream, TAKES_WITHIN), terms);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let client = proxies.client_of(peer, request.headers());
            request.extensions_mut().insert(client);
            request.extensions_mut().insert(crowd.clone());
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
