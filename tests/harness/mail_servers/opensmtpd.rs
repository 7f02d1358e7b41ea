//! OpenSMTPD.

use std::net::SocketAddr;

use super::{HOST, MailServer, Result};
use crate::ports::Port;

/// A running OpenSMTPD without TLS.
#[derive(Debug)]
pub struct OpenSmtpd {
    server: MailServer,
}

impl OpenSmtpd {
    /// Starts it. It passes mails on to `onward`.
    ///
    /// # Errors
    ///
    /// When it is not unpacked (`deploy/setup --mail-servers`) or does not start; the text quotes its log.
    pub async fn start(onward: SocketAddr) -> Result<Self> {
        let port = Port::claim()?;
        let settings = format!(
            "listen on 127.0.0.1 port {} hostname {HOST}\naction \"onward\" relay host smtp://{onward}\n\
             match from any for any action \"onward\"\n",
            port.number()
        );
        let files = [("smtpd.conf", settings)];
        let script = include_str!("opensmtpd.sh");
        let server = MailServer::start("opensmtpd", script, &files, vec![port]).await?;
        Ok(Self { server })
    }

    /// The value of `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}?tls=none", self.server.address(0))
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.server.log()
    }
}
