//! Files that a page offers for download.

use reqwest::{Client, Method, header};
use serde_json::Value;

use super::Browser;
use super::find::Sort;
use crate::error::{HarnessError, Result};

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// HTTP status.
    pub status: u16,
    /// The `Content-Type` header.
    pub content_type: String,
    /// The `Content-Disposition` header as the server writes it: `attachment; filename="…"`.
    pub disposition: String,
    /// The content.
    pub text: String,
}

impl Browser {
    /// Downloads the file that a link points to, with the browser's cookies and without leaving the page.
    pub async fn download(&self, name: &str) -> Download {
        self.with(Sort::Pressable, name, async |element| {
            let address = self.session.of(element, Method::GET, "property/href", None).await?;
            let Some(address) = address.as_str() else {
                return Err(HarnessError::new("it leads nowhere"));
            };
            self.fetch(address).await
        })
        .await
    }

    async fn fetch(&self, address: &str) -> Result<Download> {
        let cookies = self.session.ask(Method::GET, "/cookie", None).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pairs = cookies.as_array().into_iter().flatten();
        let pairs: Vec<String> = pairs
            .map(|cookie| format!("{}={}", text(&cookie["name"]), text(&cookie["value"])))
            .collect();
        let failed = |fault| HarnessError::because(format!("could not take {address}"), fault);
        let client = Client::builder().no_proxy().build().map_err(failed)?;
        let request = client.get(address).header(header::COOKIE, pairs.join("; "));
        let answer = request.send().await.map_err(failed)?;
        let value_of = |name| {
            let value = answer.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Download {
            status: answer.status().as_u16(),
            content_type: value_of(header::CONTENT_TYPE),
            disposition: value_of(header::CONTENT_DISPOSITION),
            text: answer.text().await.map_err(failed)?,
        })
    }
}
