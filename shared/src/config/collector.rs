//! The collector that receives traces.
//!
//! It runs close by and is reached over plain HTTP. TLS and credentials for the trace store are the collector's
//! task, so an address with a login is an error. The error does not repeat it.

use super::{Faults, SharedArgs};

impl SharedArgs {
    /// Reads the full address of the collector; `None` disables traces.
    pub fn collector(&self, faults: &mut Faults) -> Option<Option<String>> {
        let text = self.otel_exporter_otlp_endpoint.as_deref().unwrap_or_default();
        faults.read("OTEL_EXPORTER_OTLP_ENDPOINT", text, read)
    }
}

/// Parses the base address and appends the path for spans. Empty disables traces.
fn read(text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = url::Url::parse(text).ok().filter(|url| {
        let is_bare = url.username().is_empty() && url.password().is_none();
        url.scheme() == "http" && url.has_host() && is_bare && url.query().is_none() && url.fragment().is_none()
    });
    let url =
        url.ok_or("cannot be used; write the address of a collector for OTLP over HTTP, like http://127.0.0.1:4318")?;
    Ok(Some(format!("{}/v1/traces", url.as_str().trim_end_matches('/'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_of_plain_http() {
        let at = |text| read(text).unwrap().unwrap();
        assert_eq!(at("http://127.0.0.1:4318"), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(
            at("http://otel.lerna.example/in/"),
            "http://otel.lerna.example/in/v1/traces"
        );
        assert_eq!(read(""), Ok(None));
        for wrong in [
            "otel:4318",
            "https://otel.example",
            "grpc://otel:4317",
            "http://u:p@otel:4318",
            "http://otel?x=1",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
