//! Estimates how easy a chosen password is to guess.
//!
//! `zxcvbn` estimates the guesses of an attacker who tries common words, names, dates, repetitions and
//! keyboard patterns with the usual substitutions. A score below 3 means fewer than 10⁸ guesses; those
//! passwords are rejected. The user's name, address and organisation count among the most common words (ASVS
//! 5.0, 6.2.4 and 6.2.11).
//!
//! The estimate must cost no more than a hash, and the input is untrusted. Without bounds, 100 characters of
//! every letter substitute (`4@8({[<3…`) take 2.6 s, because `zxcvbn` tries all combinations of substitutes.
//! So only the first 64 are scored, and if there are too many combinations all but the first substitute for a
//! letter are merged (`with_fewer_substitutes`). Both can only make a password look weaker than it is. The
//! worst of 1,500 random mixtures of dictionary words, substitutes, dates and keyboard rows then took a third
//! of a hash: 49 ms beside 142 ms, in a release build on a machine that was seven times overloaded.
//!
//! The copies that `zxcvbn` makes of the password are freed without being wiped.

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;
use zxcvbn::Score;

/// Number of characters that are scored. A longer password is at least as strong as its start.
const JUDGED_CHARACTERS: usize = 64;

/// Maximum number of combinations of letter substitutes. Digits alone make four.
const SUBSTITUTIONS_MAX: usize = 4;

/// Substitutes for letters, as `zxcvbn` knows them.
const SUBSTITUTES: [&[char]; 7] = [
    &['4', '@'],
    &['(', '{', '[', '<'],
    &['6', '9'],
    &['1', '!', '|'],
    &['1', '|', '7'],
    &['$', '5'],
    &['+', '7'],
];

/// Maximum number of words per user. Name, address and organisation have about fifteen.
const WORDS_MAX: usize = 40;

/// Characters of a word that count. A longer one fills the scored part by itself.
const WORD_CHARACTERS_MAX: usize = 64;

/// The name of the software, which is on the page where the password is chosen.
const PRODUCT: &str = "beckon";

/// What an attacker who knows the user tries first: name, address, organisation.
#[derive(Clone, Debug, Default)]
pub struct PersonalWords {
    words: Vec<String>,
    /// The complete texts and both parts of an address, in the form of [`plain`].
    wholes: Vec<String>,
}

impl PersonalWords {
    /// Takes each complete text and both parts of an address, without the characters between their words, and
    /// every word of two or more characters.
    pub fn of<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut wholes: Vec<String> = Vec::new();
        for text in texts {
            let text = text.as_ref();
            let reversed: String = text.split_whitespace().rev().collect();
            let whole = text.split('@').chain([text, &reversed]).map(plain);
            wholes.extend(whole.filter(|whole| !whole.is_empty()));
            let is_separator = |c: char| !c.is_alphanumeric();
            let sides = || std::iter::once(text).chain(text.split('@'));
            let joined = sides().map(|side| side.replace(is_separator, ""));
            let pieces = text.split(is_separator).map(str::to_owned);
            for word in sides().map(str::to_owned).chain(joined).chain(pieces) {
                let word: String = word.chars().take(WORD_CHARACTERS_MAX).collect();
                if word.chars().nth(1).is_some() && words.len() < WORDS_MAX && !words.contains(&word) {
                    words.push(word);
                }
            }
        }
        Self { words, wholes }
    }

    /// Whether a password is the user's address or full name in any notation. Unusual case makes these look
    /// strong to `zxcvbn`.
    fn contain(&self, password: &str) -> bool {
        let password = Zeroizing::new(plain(password));
        self.wholes.contains(&password)
    }
}

/// A text in one case, without punctuation and spaces.
fn plain(text: &str) -> String {
    let letters = text.nfkc().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Whether a password is among the first 10⁸ guesses of an attacker who knows the user.
pub(super) fn is_guessable(password: &str, words: &PersonalWords) -> bool {
    if words.contain(password) {
        return true;
    }
    let judged: String = password.chars().take(JUDGED_CHARACTERS).collect();
    let judged = with_fewer_substitutes(Zeroizing::new(judged));
    let words: Vec<&str> = std::iter::once(PRODUCT)
        .chain(words.words.iter().map(String::as_str))
        .collect();
    zxcvbn::zxcvbn(&judged, &words).score() < Score::Three
}

/// Replaces substitutes by another one for the same letter if there are too many combinations. Digits are
/// kept, since dates and sequences consist of them.
fn with_fewer_substitutes(text: Zeroizing<String>) -> Zeroizing<String> {
    let present = |substitutes: &&[char]| substitutes.iter().filter(|c| text.contains(**c)).count().max(1);
    if SUBSTITUTES.iter().map(present).product::<usize>() <= SUBSTITUTIONS_MAX {
        return text;
    }
    let replaced = text.chars().map(|c| match c {
        '@' => '4',
        '{' | '[' | '<' => '(',
        '!' | '|' => '1',
        '$' => '5',
        '+' => '7',
        other => other,
    });
    Zeroizing::new(replaced.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn priya() -> PersonalWords {
        PersonalWords::of(["Priya Raman-Nair", "priya.raman@lerna.example", "Lerna Learning"])
    }

    #[test]
    fn commonly_guessed_passwords_are_refused() {
        for password in [
            "1qaz2wsx3edc4rfv",
            "aaaaaaaaaaaaaaa",
            "123456789012345",
            "987654321098765",
            "PasswordPassword",
            "p@$$w0rdp4ssw0rd",
            "abcdefghijklmnopq",
            "qwertyuiopasdfghjkl",
            "abcabcabcabcabcabc",
            "beckonbeckonbeckon",
        ] {
            assert!(is_guessable(password, &PersonalWords::default()), "{password}");
        }
    }

    #[test]
    fn the_users_own_words_are_refused() {
        for password in [
            "Priya Raman-Nair",
            "priya.raman@lerna.example",
            "PRIYA.RAMAN@LERNA.EXAMPLE",
            "lernalearning2024",
            "priyaramannair1",
        ] {
            assert!(is_guessable(password, &priya()), "{password}");
        }
    }

    /// An estimate alone takes mixed case for strength, and a long address fills the list of words before the
    /// name.
    #[test]
    fn the_users_name_and_address_are_refused_in_any_spelling() {
        let pieces: Vec<String> = (10..60).map(|n| format!("b{n}")).collect();
        let address = format!("{}@{}.example", pieces[..15].join("."), pieces[15..].join("."));
        let words = PersonalWords::of([&address, "Maximiliane Theodora Wittgenstein-Habsburg"]);
        for password in [
            "MaXiMiLiAnE ThEoDoRa WiTtGeNsTeIn-HaBsBuRg",
            "maximilianetheodorawittgensteinhabsburg",
            "Wittgenstein-Habsburg Theodora Maximiliane",
            "\u{ff2d}aximiliane Theodora Wittgenstein\u{2010}Habsburg",
            &address,
            &address.to_uppercase(),
            address.split('@').next().unwrap(),
        ] {
            assert!(is_guessable(password, &words), "{password}");
        }
        assert!(!is_guessable("a lantern in the orchard", &words));
    }

    #[test]
    fn unrelated_words_are_accepted() {
        for password in [
            "correct horse battery staple",
            "a lantern in the orchard",
            "Crème brûlée am Morgen",
            "ünïcödé zählt hier",
            "lantern orchard Priya",
        ] {
            assert!(!is_guessable(password, &priya()), "{password}");
        }
    }

    #[test]
    fn letter_substitutions_are_reduced_only_if_there_are_many() {
        let reduced = |text: &str| with_fewer_substitutes(Zeroizing::new(text.to_owned())).to_string();

        assert_eq!(reduced("p@ssw0rd"), "p@ssw0rd");
        assert_eq!(reduced("1234567890"), "1234567890");
        assert_eq!(reduced("4@8({[<3gG691!|70$5+%2z"), "448((((3gG6911170557%2z");
    }

    /// A hash and an estimate slow down alike on a busy machine, so their ratio is stable.
    #[test]
    fn judging_the_worst_passwords_costs_about_a_hash() {
        let all_substitutes = "4@8({[<3gG691!|70$5+%2zp@s5w0rd";
        let passwords = [
            all_substitutes,
            "0687654321l111x",
            "qwertyuiop1234567890",
            "password",
            "a",
        ];
        let (password, salt) = (super::super::tests::chosen(), super::super::tests::salt());
        let quickest = |work: &mut dyn FnMut()| {
            let timed = (0..3).map(|_| {
                let started = Instant::now();
                work();
                started.elapsed()
            });
            timed.min().unwrap()
        };
        let mut hasher = super::super::Hasher::new();
        let hash = quickest(&mut || assert!(hasher.hash(&password, &salt).is_ok()));

        for unit in passwords {
            let long = unit.repeat(1_024 / unit.len());
            let estimate = quickest(&mut || {
                std::hint::black_box(is_guessable(&long, &priya()));
            });
            // In a debug build the estimate takes ten times as long as in a release build.
            let most = if cfg!(debug_assertions) { 20 } else { 2 };
            assert!(estimate < hash * most, "{unit}: {estimate:?} beside a hash of {hash:?}");
        }
    }
}
