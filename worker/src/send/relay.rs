//! The relay's location and security: `SMTP_URL`, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};

use shared::config::is_loopback;
use url::{Host, Url};

use super::login::{Login, Mechanism};

/// How the conversation is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (`smtps://`).
    ImplicitTls,
    /// STARTTLS; without it no mail and no password is sent (`smtp://…?tls=required`).
    StartTls,
    /// Readable on the network (`smtp://…?tls=none`): for a relay on this machine.
    Plaintext,
}

/// The relay's address, its security and our login.
///
/// `Debug` and `Display` print the URL with the password masked.
#[derive(Clone)]
pub struct RelayUrl {
    security: Security,
    host: String,
    port: u16,
    login: Option<Login>,
    extra_root: Option<PathBuf>,
}

/// What is wrong with an `SMTP_URL`. Never repeats text of the URL, since any part of a mistyped one may be
/// the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayUrlError {
    /// Often caused by a password with a character that separates parts of a URL.
    #[error(
        "SMTP_URL is not a URL ({0}); characters such as @ : / ? # % in the user name or password must be percent-encoded"
    )]
    Unreadable(url::ParseError),
    /// The scheme is not supported.
    #[error("SMTP_URL must begin with smtps:// or smtp://")]
    Scheme,
    /// There is no host to connect to.
    #[error("SMTP_URL names no host")]
    NoHost,
    /// The port is 0.
    #[error("SMTP_URL names port 0, which cannot be connected to")]
    Port,
    /// The host is followed by something other than a query.
    #[error("SMTP_URL must not have a path or a #; a / or # in the password must be percent-encoded")]
    Path,
    /// There is a password without a user, or a user without a password.
    #[error("SMTP_URL must name both a user and a password, or neither")]
    HalfALogin,
    /// `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("SMTP_URL has a user name or password whose percent-encoding is broken")]
    Encoding,
    /// A control character would become part of the conversation.
    #[error("SMTP_URL has a control character in the user name or password")]
    ControlCharacter,
    /// A parameter that is unknown, and would be ignored, or one that is repeated.
    #[error("SMTP_URL has a query parameter other than tls, ca and auth, or one of them twice")]
    Parameter,
    /// Not one of the two mechanisms that use a token.
    #[error("SMTP_URL must have auth=xoauth2 or auth=oauthbearer, or no auth for a user and a password")]
    Mechanism,
    /// A mechanism without a login.
    #[error("SMTP_URL names a mechanism with auth=, and neither a user nor an access token")]
    MechanismAlone,
    /// Not one of the two values.
    #[error("SMTP_URL must have tls=required or tls=none")]
    Tls,
    /// `smtps` with `tls=none`.
    #[error("SMTP_URL has both smtps:// and tls=none, which contradict each other")]
    Contradiction,
    /// The passwords of all invited users would cross the network in plain text.
    #[error(
        "SMTP_URL has tls=none for a relay on another machine, so the network in between can read emails; use tls=required, or set BECKON_ALLOW_PLAINTEXT_SMTP=true"
    )]
    Plaintext,
}

impl RelayUrl {
    /// Parses an `SMTP_URL`.
    ///
    /// `allow_plaintext` permits `tls=none` to other machines.
    pub fn parse(text: &str, allow_plaintext: bool) -> Result<Self, RelayUrlError> {
        let url = Url::parse(text.trim()).map_err(RelayUrlError::Unreadable)?;
        let implicit = match url.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(RelayUrlError::Scheme),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(RelayUrlError::Path);
        }
        let host = host(&url)?;
        let Parameters {
            tls,
            extra_root,
            mechanism,
        } = parameters(&url)?;
        let security = match (implicit, tls) {
            (true, Some(false)) => return Err(RelayUrlError::Contradiction),
            (true, _) => Security::ImplicitTls,
            (false, Some(false)) => Security::Plaintext,
            (false, _) => Security::StartTls,
        };
        if security == Security::Plaintext && !allow_plaintext && !is_loopback(&host) {
            return Err(RelayUrlError::Plaintext);
        }
        let port = match (url.port(), security) {
            (Some(0), _) => return Err(RelayUrlError::Port),
            (Some(port), _) => port,
            (None, Security::ImplicitTls) => 465,
            (None, Security::StartTls) => 587,
            (None, Security::Plaintext) => 25,
        };
        let login = login(&url, (&host, port), mechanism)?;
        if mechanism.is_some() && login.is_none() {
            return Err(RelayUrlError::MechanismAlone);
        }
        Ok(Self {
            security,
            host,
            port,
            login,
            extra_root,
        })
    }

    /// How the conversation is protected.
    pub fn security(&self) -> Security {
        self.security
    }

    /// The relay's name or address; an IPv6 address has no brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, without the login.
    pub fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// A file with additional certificate authorities to trust.
    pub fn extra_root(&self) -> Option<&Path> {
        self.extra_root.as_deref()
    }

    pub(super) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }
}

fn host(url: &Url) -> Result<String, RelayUrlError> {
    match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => Ok(name.to_ascii_lowercase()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        _ => Err(RelayUrlError::NoHost),
    }
}

struct Parameters {
    /// Whether the URL requires or declines TLS.
    tls: Option<bool>,
    extra_root: Option<PathBuf>,
    mechanism: Option<Mechanism>,
}

fn parameters(url: &Url) -> Result<Parameters, RelayUrlError> {
    let (mut tls, mut extra_root, mut mechanism) = (None, None, None);
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("tls", "required") if tls.is_none() => tls = Some(true),
            ("tls", "none") if tls.is_none() => tls = Some(false),
            ("tls", _) if tls.is_none() => return Err(RelayUrlError::Tls),
            ("ca", path) if extra_root.is_none() && !path.is_empty() => extra_root = Some(PathBuf::from(path)),
            ("auth", "xoauth2") if mechanism.is_none() => mechanism = Some(Mechanism::XOauth2),
            ("auth", "oauthbearer") if mechanism.is_none() => mechanism = Some(Mechanism::OauthBearer),
            ("auth", _) if mechanism.is_none() => return Err(RelayUrlError::Mechanism),
            _ => return Err(RelayUrlError::Parameter),
        }
    }
    Ok(Parameters {
        tls,
        extra_root,
        mechanism,
    })
}

fn login(url: &Url, server: (&str, u16), mechanism: Option<Mechanism>) -> Result<Option<Login>, RelayUrlError> {
    match (url.username(), url.password().filter(|password| !password.is_empty())) {
        ("", None) => Ok(None),
        ("", Some(_)) | (_, None) => Err(RelayUrlError::HalfALogin),
        (user, Some(password)) => {
            let login = Login::new(decode(user)?, decode(password)?, mechanism, server);
            if login
                .user()
                .chars()
                .chain(login.password().chars())
                .any(char::is_control)
            {
                return Err(RelayUrlError::ControlCharacter);
            }
            Ok(Some(login))
        }
    }
}

/// Decodes percent-encoding. Unlike in form data, `+` is left unchanged.
fn decode(text: &str) -> Result<String, RelayUrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                return Err(RelayUrlError::Encoding);
            };
            bytes.extend(u8::try_from(high * 16 + low));
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).map_err(|_| RelayUrlError::Encoding)
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::ImplicitTls {
            "smtps"
        } else {
            "smtp"
        };
        write!(f, "{scheme}://")?;
        if let Some(login) = &self.login {
            write!(f, "{}:***@", login.user())?;
        }
        f.write_str(&self.server())?;
        match self.security {
            Security::ImplicitTls => Ok(()),
            Security::StartTls => f.write_str("?tls=required"),
            Security::Plaintext => f.write_str("?tls=none"),
        }
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelayUrl({self})")
    }
}
