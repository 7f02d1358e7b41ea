//! Why a text is not an address, for users and for programs.

/// Why a text is not an address that mail can be sent to.
///
/// `Display` is the message for the user, [`AddressFault::code`] the code for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressFault {
    /// Nothing, or only white space.
    #[error("Enter an email address")]
    Missing,
    /// A control character, a text direction mark or another invisible character inside the address.
    #[error("Not a valid email address: it contains a control character or an invisible one")]
    ControlCharacter,
    /// Two or more addresses in one field.
    #[error("Enter one email address only: this looks like several")]
    SeveralAddresses,
    /// An address that begins with `mailto:`.
    #[error("Not a valid email address: leave out “mailto:”")]
    MailtoPrefix,
    /// An address in angle brackets, perhaps after a name.
    #[error("Not a valid email address: leave out the name and the brackets < >")]
    AngleBrackets,
    /// No `@`.
    #[error("Not a valid email address: it has no @")]
    AtSignMissing,
    /// More than one `@`.
    #[error("Not a valid email address: it has more than one @")]
    SeveralAtSigns,
    /// A space inside the address.
    #[error("Not a valid email address: it contains a space")]
    Space,
    /// Nothing before the `@`.
    #[error("Not a valid email address: the part before @ is missing")]
    LocalPartMissing,
    /// A local part in quotation marks. Allowed by RFC 5321 and rejected by many systems.
    #[error("Email addresses with quotation marks are not supported")]
    QuotedLocalPart,
    /// A non-ASCII local part, which only relays with SMTPUTF8 could carry.
    #[error("Email addresses with letters such as “ü” before the @ are not supported")]
    NonAsciiLocalPart,
    /// A local part that starts or ends with a dot, or has two dots together.
    #[error("Not a valid email address: a dot in the part before @ is in the wrong place")]
    LocalPartDot,
    /// A character that no unquoted local part may contain.
    #[error("Not a valid email address: the part before @ contains the character {0}")]
    LocalPartCharacter(char),
    /// Nothing after the `@`.
    #[error("Not a valid email address: the part after @ is missing")]
    DomainMissing,
    /// A domain of one label.
    #[error("Not a valid email address: the part after @ has no dot")]
    DomainWithoutDot,
    /// The address of a machine, or a name for the local machine.
    #[error("Not a valid email address: the part after @ is not a public domain name")]
    DomainNotPublic,
    /// A domain that ends with a dot.
    #[error("Not a valid email address: it ends with a dot")]
    DomainTrailingDot,
    /// A domain that starts with a dot or has two dots together.
    #[error("Not a valid email address: a dot in the part after @ is in the wrong place")]
    DomainDot,
    /// A label that starts or ends with a hyphen.
    #[error("Not a valid email address: a hyphen in the part after @ is in the wrong place")]
    DomainHyphen,
    /// A character that no domain name may contain.
    #[error("Not a valid email address: the part after @ contains a character it must not")]
    DomainCharacter,
    /// An `xn--` label that does not decode, or decodes to something that a domain may not contain.
    #[error("Not a valid email address: the part after @ has a wrong “xn--” name")]
    DomainPunycode,
    /// A local part over 64 octets.
    #[error("Email address is too long: the part before @ must be 64 characters or fewer")]
    LocalPartTooLong,
    /// A domain over 253 octets, or with a label over 63.
    #[error("Email address is too long: the part after @ is longer than a domain name can be")]
    DomainTooLong,
    /// An address over 254 octets as sent over SMTP.
    #[error("Email address is too long: it must be 254 characters or fewer")]
    TooLong,
}

impl AddressFault {
    /// The code for programs, as in `errors[].code` of an API response.
    ///
    /// Faults share a code if a program would handle them alike.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "address_missing",
            Self::ControlCharacter => "control_character",
            Self::SeveralAddresses => "several_addresses",
            Self::MailtoPrefix => "mailto_prefix",
            Self::AngleBrackets => "angle_brackets",
            Self::AtSignMissing => "at_sign_missing",
            Self::SeveralAtSigns => "several_at_signs",
            Self::Space => "space_in_address",
            Self::LocalPartMissing => "local_part_missing",
            Self::QuotedLocalPart => "quoted_local_part_unsupported",
            Self::NonAsciiLocalPart => "smtputf8_unsupported",
            Self::LocalPartDot | Self::LocalPartCharacter(_) => "local_part_invalid",
            Self::DomainMissing => "domain_missing",
            Self::DomainWithoutDot | Self::DomainNotPublic => "domain_not_public",
            Self::DomainTrailingDot | Self::DomainDot | Self::DomainHyphen | Self::DomainCharacter => "domain_invalid",
            Self::DomainPunycode => "domain_punycode_invalid",
            Self::LocalPartTooLong | Self::DomainTooLong | Self::TooLong => "address_too_long",
        }
    }
}
