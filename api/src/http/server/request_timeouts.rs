//! Time limits for sending a request: short within a request, long between requests.

use super::crowding::Crowding;
use hyper::rt::{Sleep, Timer};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::io::InspectReader;

/// Time limits of a client.
#[derive(Clone)]
pub(super) struct ClientTimeouts {
    /// From the start of the connection to its first byte, and from a request's first byte to the end of its headers.
    pub(super) headers: Duration,
    /// From a response to the first byte of the next request.
    pub(super) idle: Duration,
    /// While the server is crowded, idle connections have only the `headers` limit, so that they do not block new
    /// ones.
    pub(super) crowd: Crowding,
}

/// The timer from which hyper takes the limit for request headers.
///
/// hyper has a single limit, which runs from the moment it waits for a request and does not distinguish half a request
/// from none. Ten seconds are plenty for headers but too few between requests: proxies and clients keep connections for
/// minutes, and a request sent while the server closes the connection is lost, because a POST is not retried. So the
/// stream counts its reads for this timer, which replaces hyper's limit with the right one. Bytes that arrive before
/// the previous response is sent are not noticed as the start of a request: half a request sent that early has the idle
/// limit, and the headers limit once more of it arrives.
///
/// Over HTTP/1 hyper uses its timer only for this. It drops the sleep when the headers are complete and starts another
/// when a response has been sent, so no time runs in between.
pub(super) struct RequestTimer {
    timeouts: ClientTimeouts,
    reads: Arc<AtomicUsize>,
}

/// Wraps a stream, and creates the timer that observes it.
pub(super) fn watch<S: AsyncRead + AsyncWrite>(
    stream: S,
    timeouts: ClientTimeouts,
) -> (InspectReader<S, impl FnMut(&[u8])>, RequestTimer) {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let stream = InspectReader::new(stream, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (stream, RequestTimer { timeouts, reads })
}

impl RequestTimer {
    /// How long a client may stay silent from now on.
    fn silence(&self) -> Duration {
        let is_first = self.reads.load(Ordering::Relaxed) == 0;
        if is_first || self.timeouts.crowd.is_crowded() {
            self.timeouts.headers
        } else {
            self.timeouts.idle
        }
    }
}

impl Timer for RequestTimer {
    fn sleep(&self, _limit: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HeaderTimer {
            over: Box::pin(tokio::time::sleep(self.silence())),
            headers: self.timeouts.headers,
            reads: Arc::clone(&self.reads),
            reads_before: self.reads.load(Ordering::Relaxed),
            has_begun: false,
        })
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

/// Completes when the client is late. hyper polls it after each read that leaves headers incomplete.
struct HeaderTimer {
    over: Pin<Box<tokio::time::Sleep>>,
    headers: Duration,
    reads: Arc<AtomicUsize>,
    reads_before: usize,
    has_begun: bool,
}

impl Sleep for HeaderTimer {}

impl Future for HeaderTimer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !self.has_begun && self.reads.load(Ordering::Relaxed) != self.reads_before {
            self.has_begun = true;
            let end = Instant::now() + self.headers;
            self.over.as_mut().reset(end);
        }
        self.over.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::Response;
    use hyper::body::Incoming;
    use hyper_util::rt::TokioIo;
    use std::convert::Infallible;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::sync::Semaphore;
    use tokio::time::sleep;

    const HEADERS: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_mins(10);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// The client's side of a connection whose responses take this long. One free place is enough to avoid a crowd, and
    /// `free` places are free.
    fn connection(free: usize, takes: Duration) -> DuplexStream {
        let (ours, theirs) = duplex(1024);
        let timeouts = ClientTimeouts {
            headers: HEADERS,
            idle: IDLE,
            crowd: Crowding::new(Arc::new(Semaphore::new(free)), 1, HEADERS),
        };
        let (stream, timer) = watch(ours, timeouts);
        let service = hyper::service::service_fn(move |_: hyper::Request<Incoming>| async move {
            sleep(takes).await;
            Ok::<_, Infallible>(Response::new(Body::from("here")))
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .timer(timer)
                .header_read_timeout(HEADERS)
                .serve_connection(TokioIo::new(stream), service),
        );
        theirs
    }

    async fn ask(theirs: &mut DuplexStream) {
        theirs.write_all(REQUEST).await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"here") {
            assert_ne!(
                theirs.read_buf(&mut received).await.unwrap(),
                0,
                "closed instead of answered"
            );
        }
    }

    /// How long a silent connection stays open, to the second.
    async fn end(theirs: &mut DuplexStream) -> Duration {
        let began = Instant::now();
        assert_eq!(
            theirs.read(&mut [0; 64]).await.unwrap(),
            0,
            "the server sends something"
        );
        Duration::from_secs(began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_new_connection_has_the_header_limit() {
        let mut theirs = connection(1, Duration::ZERO);

        assert_eq!(end(&mut theirs).await, HEADERS);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_response_a_connection_may_be_idle_for_long() {
        for takes in [Duration::ZERO, HEADERS * 2] {
            let mut theirs = connection(1, takes);

            ask(&mut theirs).await;
            sleep(IDLE / 10 * 9).await;
            ask(&mut theirs).await;

            assert_eq!(end(&mut theirs).await, IDLE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_request_has_the_header_limit_from_its_first_byte() {
        let (mut first, mut second) = (connection(1, Duration::ZERO), connection(1, Duration::ZERO));
        ask(&mut second).await;
        for theirs in [&mut first, &mut second] {
            sleep(HEADERS / 2).await;
            theirs.write_all(REQUEST.split_last().unwrap().1).await.unwrap();

            assert_eq!(end(theirs).await, HEADERS);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn slow_headers_have_the_same_limit() {
        let mut theirs = connection(1, Duration::ZERO);
        ask(&mut theirs).await;
        sleep(HEADERS * 3).await;
        let began = Instant::now();

        theirs.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        while theirs.write_all(b"X-A: b\r\n").await.is_ok() {
            sleep(HEADERS / 10).await;
        }

        let open = began.elapsed();
        assert!(open >= HEADERS && open <= HEADERS + HEADERS / 5, "{open:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_may_take_longer_than_the_idle_limit() {
        let mut theirs = connection(1, IDLE * 2);

        ask(&mut theirs).await;

        assert_eq!(end(&mut theirs).await, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_crowd_idle_connections_are_closed_early() {
        let mut theirs = connection(0, Duration::ZERO);

        ask(&mut theirs).await;

        assert_eq!(end(&mut theirs).await, HEADERS);
    }
}
