//! The login at the relay, and the mechanisms that transmit it.
//!
//! The responses depend on the mechanism and not on the text of the challenges: LOGIN's first challenge asks
//! for the user and its second for the password, whatever their text (draft-murchison-sasl-login).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// A user name and password. Never printed.
#[derive(Clone)]
pub(super) struct Login {
    user: String,
    password: Zeroizing<String>,
    /// The mechanism, if the URL names one.
    mechanism: Option<Mechanism>,
    /// The forms in which AUTH transmits the password.
    carried: Zeroizing<Vec<String>>,
}

impl Login {
    /// A login at the relay with this host and port.
    pub(super) fn new(user: String, password: String, mechanism: Option<Mechanism>, server: (&str, u16)) -> Self {
        let mut login = Self {
            user,
            password: Zeroizing::new(password),
            mechanism,
            carried: Zeroizing::default(),
        };
        login.carried = Zeroizing::new(carried(&login, server));
        login
    }

    pub(super) fn user(&self) -> &str {
        &self.user
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }

    /// The mechanism that the URL names.
    pub(super) const fn mechanism(&self) -> Option<Mechanism> {
        self.mechanism
    }

    /// Whether the relay's words repeat the password, in plain text or as sent with AUTH.
    pub(super) fn appears_in(&self, words: &str) -> bool {
        words.contains(&*self.password) || self.carried.iter().any(|form| words.contains(form))
    }
}

/// A supported mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// RFC 4616.
    Plain,
    /// Obsolete, but the only one that some relays offer.
    Login,
    /// Used by Google and Microsoft, with an access token instead of a password.
    XOauth2,
    /// RFC 7628, also with an access token.
    OauthBearer,
}

impl Mechanism {
    /// Its name in the AUTH command.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::XOauth2 => "XOAUTH2",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }

    /// The response sent with AUTH and the response to each challenge, before base64.
    pub(super) fn responses(self, login: &Login, server: (&str, u16)) -> (Option<String>, Vec<String>) {
        let (user, password) = (login.user(), login.password());
        match self {
            // A relay that accepts no initial response asks for it in a challenge.
            Self::Plain => {
                let response = format!("\0{user}\0{password}");
                (Some(response.clone()), vec![response])
            }
            Self::Login => (None, vec![user.to_owned(), password.to_owned()]),
            // The challenge after a refusal holds the reason. The reply follows an empty response.
            Self::XOauth2 => (
                Some(format!("user={user}\x01auth=Bearer {password}\x01\x01")),
                vec![String::new()],
            ),
            Self::OauthBearer => {
                let (host, port) = server;
                let user = user.replace('=', "=3D").replace(',', "=2C");
                let response = format!("n,a={user},\x01host={host}\x01port={port}\x01auth=Bearer {password}\x01\x01");
                (Some(response), vec!["\x01".to_owned()])
            }
        }
    }
}

/// The forms in which AUTH transmits the password.
fn carried(login: &Login, server: (&str, u16)) -> Vec<String> {
    let mechanisms = [
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::XOauth2,
        Mechanism::OauthBearer,
    ];
    let forms = mechanisms.into_iter().flat_map(|mechanism| {
        let (initial, responses) = mechanism.responses(login, server);
        initial.into_iter().chain(responses)
    });
    let has_password = |form: &String| form.contains(login.password());
    forms.filter(has_password).map(|form| BASE64.encode(form)).collect()
}
