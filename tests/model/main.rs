//! A state machine of a delivery's life, compared with the statements that change it in Postgres.
//!
//! proptest generates any order of actions by a dispatcher, several workers, an administrator and the clock: jobs that
//! arrive late or twice, claims that are settled after their lease has ended, repeated requests for an answer, pauses
//! and stops in between, sweeps at any time. [`life`] defines the effect of each in plain Rust; [`ledger`] executes it
//! with the functions of `shared::store` on a real Postgres. After every step both must agree exactly. A failing case
//! is shrunk to the shortest one.
//!
//! `PROPTEST_CASES=1000` runs more of them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a difference from the model ends the test"
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
    fn postgres_matches_the_model(sequential 1..80 => Ledger);
}

/// Number of cases; each takes about a fifth of a second.
#[expect(
    clippy::disallowed_methods,
    reason = "it is proptest's own setting, read for our default"
)]
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(60)
}
