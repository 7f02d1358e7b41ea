//! Argon2id with a reused memory arena.
//!
//! A chosen password gets OWASP's first choice for argon2id: 19 MiB, two passes, one lane, about 19 ms of one
//! core. Reusing the arena saves the kernel from allocating and zeroing 19 MiB for every password.
//!
//! A generated password has 113.9 bits, which no attacker can search however cheap a guess is, so its
//! verifier has argon2id's lowest cost: 8 KiB (RFC 9106, section 3.1), one pass, 16 µs. More would only make
//! sending slower. NIST SP 800-63B-4 (3.1.2.2) lets look-up secrets of 112 bits or more be hashed without a work factor, and ASVS 5.0 (6.5.2) draws the line
//! there too. It is still a salted PHC string that other systems read. If an auditor requires it,
//! [`Cost::Full`] gives it the cost of a chosen one.

use argon2::password_hash::phc;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version};
use rand::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::{MAX_BYTES, Password, PasswordOrigin, Verifier, comparable};

/// Memory in KiB, which is also the number of blocks (OWASP: m=19456, t=2, p=1).
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes, computed one after the other on one thread.
const LANES: u32 = 1;
/// Memory in KiB for a generated password.
const LIGHT_MEMORY_KIB: u32 = 8;
/// Passes over that memory.
const LIGHT_PASSES: u32 = 1;
/// Length of a hash in bytes.
const OUTPUT_BYTES: usize = 32;
/// Length of a salt in bytes, as RFC 9106 recommends.
const SALT_BYTES: usize = 16;

/// Maximum memory that a stored verifier may require, in KiB. A forged one must not exhaust us.
const MOST_MEMORY_KIB: u32 = 64 * 1024;
/// Maximum number of passes that a stored verifier may require.
const MOST_PASSES: u32 = 8;
/// Maximum number of lanes that a stored verifier may require.
const MOST_LANES: u32 = 4;

/// The cost of creating and checking a verifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// 8 KiB and one pass: for secrets that cannot be guessed.
    #[default]
    Light,
    /// OWASP's first choice.
    Full,
}

impl Cost {
    /// Parses the setting for mailed passwords.
    ///
    /// # Errors
    ///
    /// A phrase that names both values.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "light" => Ok(Self::Light),
            "owasp" => Ok(Self::Full),
            _ => Err(format!("is {text:?}; write light or owasp")),
        }
    }
}

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashFault {
    /// The operating system provided no randomness for a salt. Retry later.
    #[error("could not generate a salt: the operating system provided no randomness")]
    Randomness(#[from] rand::rngs::SysError),
    /// Argon2 rejected its parameters: a bug in this file.
    #[error("could not hash a password: argon2 refused its parameters")]
    Parameters,
    /// Too many callers wait already, or one with a better [`Rank`](super::Rank) took the place. Retry in a
    /// second.
    #[error("could not hash a password: the queue is full")]
    Busy,
    /// The pool's threads have ended, or one of them lost the job. It is safe to retry.
    #[error("could not hash a password: the hashing thread did not answer")]
    NoAnswer,
}

/// Makes equal passwords have different verifiers.
pub struct Salt([u8; SALT_BYTES]);

impl Salt {
    /// Draws 16 bytes.
    ///
    /// # Errors
    ///
    /// The error of the source of randomness.
    pub fn generate<R: TryCryptoRng>(randomness: &mut R) -> Result<Self, R::Error> {
        let mut salt = [0; SALT_BYTES];
        randomness.try_fill_bytes(&mut salt)?;
        Ok(Self(salt))
    }
}

/// Hashes and checks passwords, one at a time, in a reused arena.
///
/// The arena (19 MiB, allocated at first use) holds the last password's blocks until the next password
/// overwrites them or [`Hasher::wipe`] is called. An attacker who read them could guess a chosen password
/// without argon2's cost. Wiping takes about a twentieth of the time of a hash, so it happens when no caller
/// waits, and on drop.
#[derive(Default)]
pub struct Hasher {
    arena: Vec<Block>,
    /// Whether the arena may contain data of a password.
    pub(super) is_used: bool,
    /// Number of full-cost hashes computed.
    #[cfg(test)]
    pub(super) costly_hashes: usize,
}

impl Verifier {
    /// Whether checking it costs more than checking a generated password's. An unreadable one costs nothing.
    pub(super) fn is_costly(&self) -> bool {
        let params = PasswordHash::new(self.as_stored()).map(|read| Params::try_from(&read));
        params.is_ok_and(|params| params.is_ok_and(|params| is_costly(&params)))
    }
}

fn is_costly(params: &Params) -> bool {
    params.m_cost() > LIGHT_MEMORY_KIB || params.t_cost() > LIGHT_PASSES || params.p_cost() > LANES
}

/// A verifier that nothing matches and that costs as much to check as a chosen password's.
///
/// For users who do not exist: an equal response time does not reveal who does.
pub fn dummy_verifier() -> Verifier {
    dummy("m=19456,t=2,p=1")
}

/// Like [`dummy_verifier`], at the cost of a generated password's.
pub(super) fn light_dummy_verifier() -> Verifier {
    dummy("m=8,t=1,p=1")
}

fn dummy(params: &str) -> Verifier {
    Verifier(format!(
        "$argon2id$v=19${params}$c29kaXVtIGNobG9yaWRlIQ$5d1qVYxrN8c0yT3gBkPjWm2sLzHf7uEoXaJtR4vQiKw"
    ))
}

impl Hasher {
    /// Creates a hasher without allocating its arena.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hashes a password at its cost.
    ///
    /// # Errors
    ///
    /// [`HashFault::Parameters`] only.
    pub fn hash(&mut self, password: &Password, salt: &Salt) -> Result<Verifier, HashFault> {
        let (memory, passes) = match password.cost {
            Cost::Light => (LIGHT_MEMORY_KIB, LIGHT_PASSES),
            Cost::Full => (MEMORY_KIB, PASSES),
        };
        let params = Params::new(memory, passes, LANES, Some(OUTPUT_BYTES)).map_err(|_| HashFault::Parameters)?;
        let text = phc::ParamsString::try_from(&params).map_err(|_| HashFault::Parameters)?;
        let mut output = [0; OUTPUT_BYTES];
        self.fill(params, password.hashed().as_bytes(), &salt.0, &mut output)?;
        let verifier = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: text,
            salt: Some(phc::Salt::new(&salt.0).map_err(|_| HashFault::Parameters)?),
            hash: Some(phc::Output::new(&output).map_err(|_| HashFault::Parameters)?),
        };
        Ok(Verifier(verifier.to_string()))
    }

    /// Whether `candidate` is the password of `verifier`.
    ///
    /// Takes the time of one hash whatever is wrong with the candidate, except that one over 1,024 bytes is
    /// rejected at once, whether the user exists or not. A verifier that is unreadable or requires more than
    /// 64 MiB matches nothing.
    pub fn verify(&mut self, verifier: &Verifier, candidate: &str, form: PasswordOrigin) -> bool {
        if candidate.len() > MAX_BYTES {
            return false;
        }
        self.outputs(verifier, candidate, form)
            .is_some_and(|(computed, stored)| computed.as_slice().ct_eq(stored.as_bytes()).into())
    }

    /// Overwrites the arena if a password was hashed in it since the last time.
    pub fn wipe(&mut self) {
        if std::mem::take(&mut self.is_used) {
            self.arena.iter_mut().for_each(Zeroize::zeroize);
        }
    }

    /// Computes the candidate's hash and returns it with the stored one.
    fn outputs(
        &mut self,
        verifier: &Verifier,
        candidate: &str,
        form: PasswordOrigin,
    ) -> Option<(Vec<u8>, phc::Output)> {
        let read = PasswordHash::new(verifier.as_stored()).ok()?;
        let params = Params::try_from(&read).ok()?;
        if read.algorithm != ARGON2ID_IDENT
            || read.version != Some(Version::V0x13.into())
            || params.m_cost() > MOST_MEMORY_KIB
            || params.t_cost() > MOST_PASSES
            || params.p_cost() > MOST_LANES
        {
            return None;
        }
        let stored = read.hash?;
        let mut computed = vec![0; stored.len()];
        let candidate = comparable(candidate, form);
        self.fill(params, candidate.as_bytes(), &read.salt?, &mut computed)
            .ok()?;
        Some((computed, stored))
    }

    /// Runs argon2id in the arena.
    fn fill(&mut self, params: Params, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), HashFault> {
        let blocks = params.block_count();
        #[cfg(test)]
        {
            self.costly_hashes += usize::from(is_costly(&params));
        }
        if self.arena.len() < blocks {
            // Wiped first, because growing may move the arena and leave a copy behind.
            self.wipe();
            self.arena.resize(blocks, Block::new());
        }
        self.is_used = true;
        let arena = self.arena.get_mut(..blocks).ok_or(HashFault::Parameters)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, salt, output, arena)
            .map_err(|_| HashFault::Parameters)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.wipe();
    }
}
