//! Passwords: made, chosen, turned into verifiers, checked.
//!
//! The one place that names the alphabet of generated passwords and argon2's parameters.
//!
//! A password exists in three shapes. [`Password`] is the secret, wiped when dropped and
//! without `Debug`, `Display`, `Clone` or `Serialize`. [`Verifier`] is what Postgres keeps.
//! A candidate is what somebody typed at a sign-in; it is only ever compared.
//!
//! A generated password is 23 signs of 31, 113.9 bits, which no attacker can guess, online or
//! with a stolen verifier, so its verifier needs little work (`hasher.rs`); `BECKON_MAILED_PASSWORD_COST`
//! asks for the full cost all the same. It is shown in groups
//! of five and may be typed back in any case, with or without the hyphens: only the 23 signs are
//! hashed. Releases up to 0.1 made 20 signs (99 bits) with a verifier of full cost; those are
//! accepted until they expire (`comparison.rs`).
//!
//! A chosen password is as strong as its owner makes it: `strength.rs` refuses what is easy to
//! guess, and its verifier has the full cost.

mod comparison;
mod hasher;
mod line;
mod pool;
mod reservations;
mod strength;
#[cfg(test)]
mod tests;

use std::fmt;

use rand::TryCryptoRng;
use rand::rngs::SysRng;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

pub use comparison::is_like_mailed;
pub use hasher::{Cost, HashFault, Hasher, Salt, dummy_verifier};
pub use pool::{HashPool, Rank};
pub use reservations::Reservation;
pub use strength::PersonalWords;

/// Signs of generated passwords: no `i`, `l`, `o`, `0`, `1`, which look like one another.
///
/// 31 signs carry 4.954 bits each.
const ALPHABET: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Signs in a generated password: 23 × 4.954 = 113.9 bits.
///
/// From 112 bits on, NIST SP 800-63B-4 (3.1.2.2) and ASVS 5.0 (6.5.2) ask for no work factor.
const SIGNS: usize = 23;
/// Signs between two hyphens, few enough to be held in mind while typing.
const GROUP: usize = 5;
/// Fewest characters of a chosen password (NIST SP 800-63B-4, 3.1.1.2, without a second factor).
const CHOSEN_CHARACTERS: usize = 15;
/// Most bytes of a password that are hashed, so that nobody can keep us hashing with megabytes.
const MAX_BYTES: usize = 1024;

/// Who made a password, and so how what is typed is compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Made by us: compared without regard to case, hyphens and spaces.
    Generated,
    /// Chosen by its owner: compared as typed, in Unicode's composed form.
    Chosen,
}

/// A secret a person signs in with.
///
/// Wiped when dropped. The only ways out are [`Password::expose_for_mail`] and a hash.
pub struct Password {
    /// As its owner sees it.
    shown: Zeroizing<String>,
    form: Form,
    cost: Cost,
}

impl Password {
    /// Makes a password of 23 unbiased signs from `randomness`.
    ///
    /// # Errors
    ///
    /// What the source of randomness reports; the operating system's has none in practice
    /// once it has started. Trying again later is right.
    pub fn generate<R: TryCryptoRng>(randomness: &mut R) -> Result<Self, R::Error> {
        // One byte more than the text needs would make it move and leave a copy behind.
        let mut shown = Zeroizing::new(String::with_capacity(SIGNS + SIGNS / GROUP));
        let mut signs = 0;
        let mut bytes = Zeroizing::new([0_u8; 32]);
        while signs < SIGNS {
            randomness.try_fill_bytes(bytes.as_mut_slice())?;
            // Five bits choose one of 32; the 32nd has no sign and is drawn again, because
            // folding it onto another sign would make that one more likely.
            for sign in bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 31))) {
                if signs == SIGNS {
                    break;
                }
                if signs > 0 && signs % GROUP == 0 {
                    shown.push('-');
                }
                shown.push(char::from(*sign));
                signs += 1;
            }
        }
        Ok(Self {
            shown,
            form: Form::Generated,
            cost: Cost::Light,
        })
    }

    /// The same password, whose verifier is to have this cost. A chosen one always has the full cost.
    #[must_use]
    pub fn with_cost(mut self, cost: Cost) -> Self {
        if self.form == Form::Generated {
            self.cost = cost;
        }
        self
    }

    /// Accepts the password a person chose.
    ///
    /// Length and resistance to guessing are the rules (NIST SP 800-63B-4, 3.1.1.2; ASVS 5.0,
    /// 6.2.4 and 6.2.11): no kinds of characters are demanded, nothing is cut off or trimmed,
    /// spaces count. `words` are the person's own, which an attacker tries first. Text is brought
    /// to Unicode's composed form (NFC), because keyboards differ in how they send "é".
    ///
    /// Takes milliseconds, at most as long as a hash; [`HashPool::choose`] does it off the runtime's
    /// threads.
    ///
    /// # Errors
    ///
    /// A sentence for the person.
    pub fn chosen(typed: &str, words: &PersonalWords) -> Result<Self, PasswordFault> {
        if typed.len() > MAX_BYTES {
            return Err(PasswordFault::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(PasswordFault::ControlCharacter);
        }
        let shown = composed(typed);
        if shown.chars().count() < CHOSEN_CHARACTERS {
            return Err(PasswordFault::TooShort);
        }
        if strength::is_guessable(&shown, words) {
            return Err(PasswordFault::Guessable);
        }
        Ok(Self {
            shown,
            form: Form::Chosen,
            cost: Cost::Full,
        })
    }

    /// The secret itself, for the mail that takes it to its owner and for nothing else.
    pub fn expose_for_mail(&self) -> &str {
        &self.shown
    }

    /// Whether somebody's words repeat it, in whatever case, with its hyphens or without.
    pub fn appears_in(&self, words: &str) -> bool {
        let words = Zeroizing::new(words.to_lowercase());
        let shown = Zeroizing::new(self.shown.to_lowercase());
        words.contains(shown.as_str()) || words.contains(shown.replace('-', "").as_str())
    }

    /// Who made it.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What is hashed.
    fn hashed(&self) -> Zeroizing<String> {
        comparable(&self.shown, self.form)
    }
}

/// Why a person cannot have the password they chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer than 15 characters.
    #[error("Password must be 15 characters or more")]
    TooShort,
    /// More than 1,024 bytes.
    #[error("Password must be 1,024 bytes or fewer")]
    TooLong,
    /// A line break, tab or other control.
    #[error("Password must not contain tabs, line breaks or other control characters")]
    ControlCharacter,
    /// Common words, repetitions, keyboard patterns, dates, or the person's own words.
    #[error("Password is too easy to guess: use several unrelated words, and not your name or address")]
    Guessable,
}

impl PasswordFault {
    /// The word for programs, as in `errors[].code` of an API answer.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "password_too_short",
            Self::TooLong => "password_too_long",
            Self::ControlCharacter => "control_character",
            Self::Guessable => "password_obvious",
        }
    }
}

/// What Postgres keeps of a password: an argon2id hash as a PHC string, with its own salt.
///
/// The PHC string names its parameters, so verifiers of both costs are checked alike.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(String);

impl Verifier {
    /// Takes a verifier back from where it was stored. One that cannot be read matches nothing.
    pub fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, for storing.
    pub fn as_stored(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// The operating system's randomness: the one source outside tests.
pub fn os_randomness() -> SysRng {
    SysRng
}

/// The form in which two passwords of one [`Form`] are equal or not.
fn comparable(text: &str, form: Form) -> Zeroizing<String> {
    match form {
        Form::Chosen => composed(text),
        Form::Generated => {
            let mut kept = Zeroizing::new(String::with_capacity(text.len()));
            // Mail programs and word processors turn hyphens into other dashes.
            let is_dash = |c| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}');
            let is_invisible = |c| matches!(c, '\u{00AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}');
            for c in text.chars() {
                if !(c.is_whitespace() || is_dash(c) || is_invisible(c)) {
                    kept.push(c.to_ascii_lowercase());
                }
            }
            kept
        }
    }
}

/// Unicode's composed form, NFC.
fn composed(text: &str) -> Zeroizing<String> {
    // NFC lengthens no text more than threefold, so the buffer never moves and leaves no copy.
    let mut composed = Zeroizing::new(String::with_capacity(3 * text.len()));
    composed.extend(text.nfc());
    composed
}
