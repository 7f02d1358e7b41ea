//! The number of recipients is the same from the check page to the report, whatever the selection and later changes.
//!
//! proptest generates users, their state, how they are selected, and what changes between the check page and the
//! button, and between the button and the first email. The number on the check page is the number accepted, and the
//! batch's page, its files and the API show the same. A changed number is displayed, and nothing is sent until the
//! administrator has seen it.
//!
//! `PROPTEST_CASES=200` runs more cases; each takes about a second.

mod numbers;
mod people;
mod story;

use harness::{Setup, World};
use proptest::test_runner::{Config, TestRunner};
use story::Teller;
use tokio::runtime::Runtime;

/// Number of cases.
#[expect(
    clippy::disallowed_methods,
    reason = "it is proptest's own setting, read for our default"
)]
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(12)
}

#[test]
fn the_number_on_the_check_page_equals_the_accepted_number_and_every_count() {
    let runtime = Runtime::new().unwrap();
    let teller = runtime.block_on(async {
        let world = World::with(Setup::default().api_setting("BECKON_HOLD", "10min")).await;
        Teller::of(world).await
    });
    let mut runner = TestRunner::new(Config {
        max_shrink_iters: 100,
        failure_persistence: None,
        ..Config::with_cases(cases())
    });

    let result = runner.run(&story::stories(), |story| {
        runtime.block_on(teller.run(&story));
        Ok(())
    });

    if let Err(fault) = result {
        panic!("{fault}\n{}", teller.last_words());
    }
    runtime.block_on(teller.end());
}
