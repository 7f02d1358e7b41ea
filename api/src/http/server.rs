//! Serves connections so that slow or stalled clients do not tie up resources.
//!
//! `axum::serve` waits for a request's headers forever. This module drives hyper directly: headers have a time limit
//! (`request_timeouts`), so has reading the response (`write_timeout`), and connections are limited in total and per
//! client (`admission`). On shutdown, requests in progress have some time to finish.

mod admission;
mod crowding;
mod request_timeouts;
mod write_timeout;

use crate::http::client_address::TrustedProxies;
use admission::{Admission, Admitted};
use axum::Router;
use axum::http::Request;
pub use crowding::Crowding;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use request_timeouts::ClientTimeouts;
use shared::lifecycle::Lifecycle;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt as _;
use tracing::{debug, warn};
use write_timeout::with_write_timeout;

/// Time allowed for the request headers. Slower clients are disconnected.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);

/// Time allowed between requests. Longer than common clients and proxies keep a connection (60 seconds for nginx and
/// AWS, 90 for Go and reqwest, 600 for the load balancers of Google Cloud, which require more than that), so that they
/// close it and the server never does while a request is on its way.
const MAX_IDLE: Duration = Duration::from_secs(620);

/// How long a client may accept no data of its response before it is disconnected.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of request line and headers. A key and a trace take some hundred bytes.
const HEADERS_MOST_BYTES: usize = 64 * 1024;

/// Maximum number of connections. Further clients wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;

/// Maximum number of connections from a client that is not a trusted proxy. Further ones are closed.
const MAX_CONNECTIONS_PER_CLIENT: usize = MAX_CONNECTIONS / 8;

/// Serves `routes` until the process stops, then waits for requests in progress for a limited time.
///
/// Each request carries its [`ClientAddress`](crate::http::client_address::ClientAddress) and the [`Crowding`].
pub async fn serve(listener: TcpListener, routes: Router, proxies: TrustedProxies, lifecycle: Lifecycle) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let timeouts = ClientTimeouts {
        headers: HEADERS_TIMEOUT,
        idle: MAX_IDLE,
        crowd: Crowding::new(Arc::clone(&places), MAX_CONNECTIONS / 2, HEADERS_TIMEOUT),
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
                // Dropping the connection of a client over its limit closes it.
                let Some(admitted) = admission.admit(accepted.1) else {
                    continue;
                };
                let answering = ConnectionContext {
                    routes: routes.clone(),
                    proxies: proxies.clone(),
                    timeouts: timeouts.clone(),
                };
                answering.begin(accepted, &graceful, (place, admitted));
            }
            (_, Err(fault)) => {
                // Most likely out of file descriptors: wait until a connection has ended.
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
struct ConnectionContext {
    routes: Router,
    proxies: TrustedProxies,
    timeouts: ClientTimeouts,
}

impl ConnectionContext {
    fn begin(
        self,
        (stream, peer): (TcpStream, SocketAddr),
        graceful: &GracefulShutdown,
        place: (OwnedSemaphorePermit, Admitted),
    ) {
        let Self {
            routes,
            proxies,
            timeouts,
        } = self;
        // Responses are small; Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let crowd = timeouts.crowd.clone();
        let (stream, timer) = request_timeouts::watch(with_write_timeout(stream, WRITE_TIMEOUT), timeouts);
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let client = proxies.client_of(peer, request.headers());
            request.extensions_mut().insert(client);
            request.extensions_mut().insert(crowd.clone());
            routes.clone().oneshot(request)
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(timer)
            .header_read_timeout(HEADERS_TIMEOUT)
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
