//! Dovecot: a submission service in front of another relay, and a server that checks logins for Postfix.

use std::net::SocketAddr;

use super::{HOST, MailServer, PASSWORD, Result, USER};
use crate::ports::Port;

/// A running Dovecot.
#[derive(Debug)]
pub struct Dovecot {
    server: MailServer,
}

impl Dovecot {
    /// Starts it. Its submission service passes mails on to `onward`, with the one user's login checked.
    ///
    /// # Errors
    ///
    /// When it is not unpacked (`deploy/setup --mail-servers`) or does not start; the text quotes its log.
    pub async fn start(onward: SocketAddr) -> Result<Self> {
        let ports = vec![Port::claim()?, Port::claim()?];
        let numbers: Vec<u16> = ports.iter().map(Port::number).collect();
        let files = [("dovecot.conf", settings(onward, &numbers))];
        let script = include_str!("dovecot.sh");
        let server = MailServer::start("dovecot", script, &files, ports).await?;
        Ok(Self { server })
    }

    /// The value of `SMTP_URL` for its submission service.
    pub fn url(&self) -> String {
        format!("smtp://{USER}:{PASSWORD}@{}?tls=none", self.server.address(0))
    }

    /// The setting of Postfix that makes it check logins.
    pub fn sasl_path(&self) -> String {
        format!("smtpd_sasl_path=inet:{}", self.server.address(1))
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

fn settings(onward: SocketAddr, ports: &[u16]) -> String {
    let [submission, logins] = ports else {
        return String::new();
    };
    format!(
        "protocols = submission\nlisten = 127.0.0.1\nlog_path = /dev/stderr\nbase_dir = /run/dovecot\nssl = no\n\
         disable_plaintext_auth = no\nauth_mechanisms = plain login\nmail_location = maildir:/var/mail/%u\n\
         hostname = {HOST}\nsubmission_relay_host = {}\nsubmission_relay_port = {}\nsubmission_relay_trusted = yes\n\
         first_valid_uid = 1\n\
         passdb {{\n  driver = static\n  args = user={USER} password={PASSWORD}\n}}\n\
         userdb {{\n  driver = static\n  args = uid=dovecot gid=dovecot home=/var/mail/%u\n}}\n\
         service submission-login {{\n  inet_listener submission {{\n    port = {submission}\n  }}\n}}\n\
         service auth {{\n  inet_listener {{\n    port = {logins}\n  }}\n}}\n",
        onward.ip(),
        onward.port()
    )
}
