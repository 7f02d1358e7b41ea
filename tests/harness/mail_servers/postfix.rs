//! Postfix: one instance with a port for each setting, and postgrey, which it can ask.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::{HOST, MailServer, Result};
use crate::ports::Port;
use crate::relay::issue;
use crate::stack::Stop;

/// Its services. Those that pass mails on have Debian's defaults, except that none runs in a chroot.
const SERVICES: &str = "\
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -     - proxymap
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
error     unix  - - n -     - error
retry     unix  - - n -     - error
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
";

/// A running Postfix.
#[derive(Debug)]
pub struct Postfix {
    server: MailServer,
}

impl Postfix {
    /// Starts Postfix, which passes mails on to `onward`. `main` is added to `main.cf`; each listener is a port with
    /// its own settings, `name=value`. Everything else has the defaults.
    ///
    /// # Errors
    ///
    /// When it is not unpacked (`deploy/setup --mail-servers`) or does not start; the text quotes its log.
    pub async fn start(onward: SocketAddr, main: &[&str], listeners: &[&[&str]]) -> Result<Self> {
        let mut ports = Vec::new();
        let mut master = String::new();
        for settings in listeners {
            let port = Port::claim()?;
            let _infallible = write!(master, "{} inet n - n - - smtpd", port.address());
            for setting in *settings {
                let _infallible = write!(master, " -o {{{setting}}}");
            }
            master.push('\n');
            ports.push(port);
        }
        master.push_str(SERVICES);
        let issued = issue(&["127.0.0.1".to_owned(), HOST.to_owned()])?;
        let files = [
            ("main.cf", main_cf(onward, main)),
            ("master.cf", master),
            ("authority.pem", issued.authority_pem),
            (
                "certificate.pem",
                issued.key.serialize_pem() + &issued.certificate.pem(),
            ),
            ("sasl/all.conf", sasl("PLAIN LOGIN CRAM-MD5")),
            ("sasl/plain.conf", sasl("PLAIN")),
            ("sasl/login.conf", sasl("LOGIN")),
            ("sasl/challenge.conf", sasl("CRAM-MD5")),
        ];
        let script = include_str!("postfix.sh");
        let server = MailServer::start("postfix", script, &files, ports).await?;
        Ok(Self { server })
    }

    /// The address of a listener.
    pub fn address(&self, at: usize) -> SocketAddr {
        self.server.address(at)
    }

    /// The value of `SMTP_URL` for a listener without TLS.
    pub fn url(&self, at: usize) -> String {
        format!("smtp://{}?tls=none", self.address(at))
    }

    /// The certificate of the authority that signed its certificate.
    pub fn authority_pem(&self) -> PathBuf {
        self.server.folder.path().join("authority.pem")
    }

    /// Ends it. Its queue stays.
    ///
    /// # Errors
    ///
    /// When it does not end.
    pub async fn stop(&mut self, how: Stop) -> Result<()> {
        self.server.stop(how).await
    }

    /// Starts it after a stop, on the same ports.
    ///
    /// # Errors
    ///
    /// As [`Postfix::start`].
    pub async fn start_again(&mut self) -> Result<()> {
        self.server.start_again().await
    }

    /// Its log.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Number of log lines with this text.
    pub fn logged(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Number of recipients it has refused.
    pub fn refused(&self) -> usize {
        self.logged(": reject: RCPT from")
    }
}

fn main_cf(onward: SocketAddr, settings: &[&str]) -> String {
    let own = format!(
        "compatibility_level = 3.7\nqueue_directory = /var/spool/postfix\ndata_directory = /var/lib/postfix\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmeta_directory = /run/server\n\
         maillog_file = /dev/stdout\nmyhostname = {HOST}\nmydestination =\nalias_maps =\n\
         inet_interfaces = loopback-only\ninet_protocols = ipv4\nmynetworks = 127.0.0.0/8\n\
         relayhost = [{}]:{}\nsmtpd_tls_chain_files = /run/server/certificate.pem\n\
         cyrus_sasl_config_path = /run/server/sasl\nsmtpd_sasl_local_domain = {HOST}\n",
        onward.ip(),
        onward.port()
    );
    settings.iter().fold(own, |all, setting| all + setting + "\n")
}

/// A configuration of Cyrus SASL that offers these mechanisms.
fn sasl(mechanisms: &str) -> String {
    format!(
        "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: /run/server/users\nmech_list: {mechanisms}\n"
    )
}

/// A running postgrey, which defers the first attempt of each sender and recipient for a second.
#[derive(Debug)]
pub struct Greylist {
    server: MailServer,
}

impl Greylist {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// As [`Postfix::start`].
    pub async fn start() -> Result<Self> {
        let port = Port::claim()?;
        let files = [("port", port.number().to_string())];
        let script = include_str!("postgrey.sh");
        let server = MailServer::start("postgrey", script, &files, vec![port]).await?;
        Ok(Self { server })
    }

    /// The setting of a Postfix listener that asks it.
    pub fn policy(&self) -> String {
        format!(
            "smtpd_recipient_restrictions=check_policy_service inet:{}",
            self.server.address(0)
        )
    }
}
