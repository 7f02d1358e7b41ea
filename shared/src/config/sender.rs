//! The sender of emails.

/// The sender of an email.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The display name; may be empty.
    pub name: String,
    /// The address.
    pub address: crate::address::EmailAddress,
}

impl Sender {
    /// Reads `Name <address>` or a bare address.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text),
        };
        if name.chars().any(char::is_control) {
            return Err("has a control character in its name".to_owned());
        }
        let address = crate::address::EmailAddress::parse(address)
            .map_err(|fault| format!("is {text:?}; write Name <address>. {fault}"))?;
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }

    /// The domain in the form used in SMTP. Message-IDs end with it.
    pub fn domain(&self) -> &str {
        self.address.domain()
    }
}
