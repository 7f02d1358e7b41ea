//! Exim: limits the rate of recipients, and signs every mail that it passes on with DKIM.

use std::net::SocketAddr;

use super::{HOST, MailServer, Result};
use crate::ports::Port;

/// A running Exim.
#[derive(Debug)]
pub struct Exim {
    server: MailServer,
}

impl Exim {
    /// Starts it. It passes mails on to `onward` and accepts recipients at this rate, such as `60 / 20s`.
    ///
    /// # Errors
    ///
    /// When it is not unpacked (`deploy/setup --mail-servers`) or does not start; the text quotes its log.
    pub async fn start(onward: SocketAddr, rate: Option<&str>) -> Result<Self> {
        let port = Port::claim()?;
        let files = [("exim.conf", settings(port.number(), onward, rate))];
        let script = include_str!("exim.sh");
        let server = MailServer::start("exim", script, &files, vec![port]).await?;
        Ok(Self { server })
    }

    /// The value of `SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}?tls=none", self.server.address(0))
    }

    /// Number of recipients it has deferred.
    pub fn deferred(&self) -> usize {
        let log = self.server.file("log/exim4/mainlog");
        log.lines()
            .filter(|line| line.contains("temporarily rejected RCPT"))
            .count()
    }

    /// The public key of its signatures in base64, as in the DNS record `relay._domainkey.lerna.example`.
    pub fn public_key(&self) -> String {
        let pem = self.server.file("lib/exim4/public.pem");
        pem.lines().filter(|line| !line.starts_with('-')).collect()
    }
}

fn settings(port: u16, onward: SocketAddr, rate: Option<&str>) -> String {
    let limit = rate.map_or_else(String::new, |rate| {
        format!(
            "  defer message = Sender rate $sender_rate / $sender_rate_period\n        ratelimit = {rate} / per_rcpt\n"
        )
    });
    format!(
        "primary_hostname = {HOST}\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {port}\n\
         log_file_path = /var/log/exim4/%slog\nspool_directory = /var/spool/exim4\nkeep_environment =\n\
         host_lookup =\nrfc1413_hosts =\ntls_advertise_hosts =\nsmtp_accept_queue_per_connection = 0\n\
         acl_smtp_rcpt = recipient\nacl_smtp_data = accept\n\
         begin acl\nrecipient:\n{limit}  accept\n\
         begin routers\nonward:\n  driver = manualroute\n  route_list = * {} byname\n  transport = onward\n  self = send\n\
         begin transports\nonward:\n  driver = smtp\n  port = {}\n  allow_localhost\n  hosts_try_chunking =\n\
         \x20 dkim_domain = lerna.example\n  dkim_selector = relay\n  dkim_private_key = /var/lib/exim4/private.pem\n\
         begin retry\n* * F,1h,1s\n",
        onward.ip(),
        onward.port()
    )
}
