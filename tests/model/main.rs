//! A delivery's life as a state machine, compared with the statements that move it in Postgres.
//!
//! proptest draws what a dispatcher, several workers, a person and the clock may do, in any order:
//! jobs that come late or twice, claims whose lease has ended and that settle all the same, answers
//! asked for again, pauses and stops in between, sweeps at any moment. [`life`] says in plain Rust
//! what each means; [`ledger`] does it with the functions of `shared::store` on a real Postgres;
//! after every step both must agree to the letter. What fails is shrunk to the shortest such story.
//!
//! `PROPTEST_CASES=1000` runs more of them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a model that is not as told ends the test"
)]

mod ledger;
mod life;
mod step;
mod story;

use ledger::Ledger;
use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;

prop_state_machine! {
    #![proptest_config(Config { max_shrink_iters: 2_000, failure_persistence: None, ..Config::with_cases(cases()) })]

    #[test]
    fn postgres_does_what_the_model_says(sequential 1..80 => Ledger);
}

/// Stories told; each takes about a fifth of a second.
#[expect(
    clippy::disallowed_methods,
    reason = "it is proptest's own setting, read for our default"
)]
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(60)
}
