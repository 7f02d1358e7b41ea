//! A trace collector: OTLP over HTTP with protobuf, decoded with OpenTelemetry's own types.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use prost::Message as _;
use tokio::task::JoinHandle;

use crate::error::Result;
use crate::ports::Port;

/// A received span.
#[derive(Clone, Debug)]
pub struct Collected {
    /// Which program sent it.
    pub program: String,
    /// The span.
    pub span: Span,
}

impl Collected {
    /// The trace id in hexadecimal.
    pub fn trace(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// The span id in hexadecimal.
    pub fn id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The parent span's id in hexadecimal; empty for a root span.
    pub fn parent(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// The trace id and span id of each linked span.
    pub fn links(&self) -> Vec<(String, String)> {
        let links = self.span.links.iter();
        links.map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect()
    }

    /// The span kind.
    pub fn kind(&self) -> SpanKind {
        self.span.kind()
    }

    /// Whether its status is an error.
    pub fn has_failed(&self) -> bool {
        let status = self.span.status.as_ref();
        status.is_some_and(|status| status.code() == SpanStatus::Error)
    }

    /// The attribute with this name, as text; empty when there is none.
    pub fn attribute(&self, name: &str) -> String {
        let mut attributes = self.span.attributes.iter();
        let found = attributes.find(|attribute| attribute.key == name);
        match found.and_then(|attribute| attribute.value.clone()?.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            Some(other) => format!("{other:?}"),
            None => String::new(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// Receives spans until it is dropped.
pub struct Collector {
    port: Port,
    requests: Arc<Mutex<Vec<Bytes>>>,
    serving: JoinHandle<()>,
}

impl Collector {
    /// Starts a collector on a free port.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start() -> Result<Self> {
        let port = Port::claim()?;
        let listener = port.listen().await?;
        let requests = Arc::default();
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&requests));
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Ok(Self {
            port,
            requests,
            serving,
        })
    }

    /// The endpoint setting for a program.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// The bytes of all requests, as received.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.requests).concat()
    }

    /// The spans received so far.
    ///
    /// # Panics
    ///
    /// When a request is not OTLP.
    pub fn spans(&self) -> Vec<Collected> {
        let mut all = Vec::new();
        for bytes in lock(&self.requests).iter() {
            let Ok(request) = ExportTraceServiceRequest::decode(bytes.as_ref()) else {
                panic!("a program sent what is no OTLP: {bytes:?}")
            };
            for part in request.resource_spans {
                let resource = Collected {
                    program: String::new(),
                    span: Span {
                        attributes: part.resource.unwrap_or_default().attributes,
                        ..Span::default()
                    },
                };
                let program = resource.attribute("service.name");
                let spans = part.scope_spans.into_iter().flat_map(|scope| scope.spans);
                all.extend(spans.map(|span| Collected {
                    program: program.clone(),
                    span,
                }));
            }
        }
        all
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

type Requests = Arc<Mutex<Vec<Bytes>>>;

fn lock(requests: &Mutex<Vec<Bytes>>) -> std::sync::MutexGuard<'_, Vec<Bytes>> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn take(State(requests): State<Requests>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok());
    if kind != Some("application/x-protobuf") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE;
    }
    lock(&requests).push(body);
    StatusCode::OK
}
