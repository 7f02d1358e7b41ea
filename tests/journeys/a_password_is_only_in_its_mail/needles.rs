//! The encodings in which a secret can leak, and a search for all of them at once.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::HashMap;

/// How much of an empty stretch is skipped at a time.
const CHUNK: usize = 4096;

/// One secret in all its encodings.
pub(super) struct Needles {
    /// By the first two bytes.
    by_start: HashMap<[u8; 2], Vec<(&'static str, Vec<u8>)>>,
    is_start: Vec<bool>,
}

impl Needles {
    /// The encodings of a secret: as it is and without hyphens, in both cases, each of these also in base64,
    /// hexadecimal and UTF-16.
    pub(super) fn of(secret: &str) -> Self {
        let bare = secret.replace('-', "");
        let mut needles = Self {
            by_start: HashMap::new(),
            is_start: vec![false; 1 << 16],
        };
        for text in [secret, &bare, &secret.to_uppercase(), &bare.to_uppercase()] {
            needles.add("plain", text.as_bytes().to_vec());
            for offset in 0..3 {
                needles.add("base64", within_base64(&STANDARD_NO_PAD, text, offset));
                needles.add("base64url", within_base64(&URL_SAFE_NO_PAD, text, offset));
            }
            needles.add("hex", hex(text).to_uppercase().into_bytes());
            needles.add("hex", hex(text).into_bytes());
            let units: Vec<u16> = text.encode_utf16().collect();
            needles.add("UTF-16LE", units.iter().flat_map(|unit| unit.to_le_bytes()).collect());
            needles.add("UTF-16BE", units.iter().flat_map(|unit| unit.to_be_bytes()).collect());
        }
        needles
    }

    fn add(&mut self, form: &'static str, needle: Vec<u8>) {
        let start = [needle[0], needle[1]];
        self.is_start[usize::from(u16::from_be_bytes(start))] = true;
        self.by_start.entry(start).or_default().push((form, needle));
    }

    /// The encoding in which the secret occurs, if it does.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<&'static str> {
        let mut at = 0;
        while at + 1 < bytes.len() {
            // Servers' files are mostly zeros, and comparing is much faster than searching.
            if bytes[at..].starts_with(&[0; CHUNK]) {
                at += CHUNK - 1;
                continue;
            }
            let start = [bytes[at], bytes[at + 1]];
            if self.is_start[usize::from(u16::from_be_bytes(start))] {
                let candidates = self.by_start.get(&start).into_iter().flatten();
                for (form, needle) in candidates {
                    if bytes[at..].starts_with(needle) {
                        return Some(form);
                    }
                }
            }
            at += 1;
        }
        None
    }
}

fn hex(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

/// The part of the base64 that is the same for every input containing this text after `offset` other bytes.
fn within_base64(engine: &impl base64::Engine, text: &str, offset: usize) -> Vec<u8> {
    let encoded = engine.encode([&vec![0; offset], text.as_bytes()].concat());
    let whole = (offset + text.len()) / 3 * 4;
    encoded.as_bytes()[(offset * 8).div_ceil(6)..whole].to_vec()
}

#[test]
fn every_form_of_a_password_is_found_anywhere() {
    let secret = "hjkmn-pqrst-uvwxy-z2345";
    let bare = secret.replace('-', "");
    let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let mut forms = vec![
        secret.as_bytes().to_vec(),
        bare.to_uppercase().into_bytes(),
        hex(&bare).to_uppercase().into_bytes(),
        hex(secret).into_bytes(),
        utf16,
    ];
    for before in ["", "a", "ab", "abc"] {
        forms.push(
            STANDARD_NO_PAD
                .encode(format!("{before}{secret} and more"))
                .into_bytes(),
        );
        forms.push(URL_SAFE_NO_PAD.encode(format!("{before}{bare}")).into_bytes());
    }

    let needles = Needles::of(secret);

    for form in forms {
        for empty in [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 7] {
            let haystack = [&vec![0; empty], form.as_slice(), &vec![0; CHUNK]].concat();
            assert!(needles.find(&haystack).is_some(), "{}", String::from_utf8_lossy(&form));
        }
    }
    assert_eq!(needles.find(b"hjkmn-pqrst-uvwxy-z2344"), None);
}
