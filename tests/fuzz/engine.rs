//! Generates inputs from seeds for a limited time.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

/// How long a target runs by default.
const USUAL: Duration = Duration::from_secs(3);

/// Maximum input length: a fault of a long input also occurs in a short one.
const LONGEST: usize = 4_096;

/// A fuzz target and the material for its inputs.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Words that are significant to the target.
    pub(crate) words: &'static [&'static [u8]],
}

impl Target {
    /// Runs `holds` with every seed, and then with inputs generated from them until the time is up.
    ///
    /// Every run generates the same sequence of inputs, only longer or shorter.
    pub(crate) fn run(&self, mut holds: impl FnMut(&[u8])) {
        let seeds = self.seeds();
        let mut random = SmallRng::seed_from_u64(0xBEC0_0517);
        let end = Instant::now() + time();
        let mut inputs = 0_usize;
        for seed in &seeds {
            self.one(seed, &mut holds);
        }
        while Instant::now() < end {
            let input = self.make(&seeds, &mut random);
            self.one(&input, &mut holds);
            inputs += 1;
        }
        println!("{}: {} seeds, {inputs} inputs made of them", self.name, seeds.len());
        assert!(inputs > 20, "{inputs} inputs are too few");
    }

    fn one(&self, input: &[u8], holds: &mut impl FnMut(&[u8])) {
        let Err(broken) = catch_unwind(AssertUnwindSafe(|| holds(input))) else {
            return;
        };
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/fuzz");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{}-{}", self.name, input.len()));
        fs::write(&file, input).unwrap();
        eprintln!(
            "{} broke on {}: {:?}",
            self.name,
            file.display(),
            String::from_utf8_lossy(input)
        );
        resume_unwind(broken);
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/seeds")
            .join(self.name);
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} has no seeds", self.name);
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    fn make(&self, seeds: &[Vec<u8>], random: &mut SmallRng) -> Vec<u8> {
        let mut input = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(1..9) {
            let other = &seeds[random.random_range(0..seeds.len())];
            self.change(&mut input, other, random);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&self, input: &mut Vec<u8>, other: &[u8], random: &mut SmallRng) {
        let at = random.random_range(0..=input.len());
        let part = random_part(input.len(), random);
        match random.random_range(0..8) {
            0 => drop(input.drain(part)),
            1 => {
                let doubled = input[part].to_vec();
                input.splice(at..at, doubled);
            }
            2 => {
                let foreign = &other[random_part(other.len(), random)];
                input.splice(at..at, foreign.iter().copied());
            }
            3 => input.truncate(at),
            4 => input.insert(at, random.random()),
            5 => input[part]
                .iter_mut()
                .for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
            _ => {
                let word = self.words[random.random_range(0..self.words.len())];
                input.splice(at..at, word.iter().copied());
            }
        }
    }
}

fn random_part(length: usize, random: &mut SmallRng) -> std::ops::Range<usize> {
    let start = random.random_range(0..=length);
    let longest = (length - start).min(64);
    start..start + random.random_range(0..=longest)
}

#[expect(clippy::disallowed_methods, reason = "the tests' own setting, none of the product's")]
fn time() -> Duration {
    let asked = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    asked.map_or(USUAL, Duration::from_secs)
}
