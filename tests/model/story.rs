//! How cases are generated, and which steps are impossible.

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;
use shared::batch::BatchState::Running;
use shared::delivery::DeliveryState::Waiting;

use crate::life::{BATCHES, DELIVERIES, Delivery, Lease, Life, Time};
use crate::step::{Outcome, Step};

/// An index below `many`, biased towards the latest, because steps usually concern the present.
fn one_of(many: usize) -> BoxedStrategy<usize> {
    (0..many, 0..many).prop_map(|(one, other)| one.max(other)).boxed()
}

impl ReferenceStateMachine for Life {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let delivery = Delivery {
            state: Waiting,
            attempt: 0,
            unsure: false,
            lease: Lease::None,
            holder: None,
            is_passed: false,
            range: None,
            time: Time::ByCursor,
            due: 0,
            record: Vec::new(),
            mails: 0,
        };
        Just(Self {
            batches: [Running; BATCHES],
            is_finished: [false; BATCHES],
            deliveries: vec![delivery; DELIVERIES],
            rounds: Vec::new(),
            claims: Vec::new(),
            answer: Vec::new(),
        })
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        let (rounds, jobs, claims) = (state.rounds.len(), state.jobs().len(), state.claims.len());
        let mut steps = vec![
            (4, Just(Step::Publish).boxed()),
            (2, (0..DELIVERIES).prop_map(Step::LeaseEnds).boxed()),
            (3, (0..DELIVERIES).prop_map(Step::FallsDue).boxed()),
            (2, Just(Step::RequeueLost).boxed()),
            (1, Just(Step::ForgetRanges).boxed()),
            (2, Just(Step::RequeueAll).boxed()),
            (2, Just(Step::EndExpiredLeases).boxed()),
            (1, Just(Step::EndUseless).boxed()),
            (2, Just(Step::TakeBack).boxed()),
            (1, Just(Step::Finish).boxed()),
            (1, (0..BATCHES).prop_map(Step::Pause).boxed()),
            (2, (0..BATCHES).prop_map(Step::Resume).boxed()),
            (1, (0..BATCHES).prop_map(Step::Stop).boxed()),
        ];
        if rounds > 0 {
            steps.push((4, one_of(rounds).prop_map(Step::Mark).boxed()));
        }
        if jobs > 0 {
            steps.push((8, one_of(jobs).prop_map(Step::Claim).boxed()));
        }
        if claims > 0 {
            let outcome = prop_oneof![
                2 => Just(Outcome::Accepted),
                1 => Just(Outcome::Refused),
                3 => Just(Outcome::TryLater),
                3 => Just(Outcome::Unsure),
                2 => Just(Outcome::GivenBack),
            ];
            let settle = (one_of(claims), outcome, any::<bool>());
            steps.push((1, one_of(claims).prop_map(Step::ClaimAgain).boxed()));
            steps.push((4, one_of(claims).prop_map(Step::Send).boxed()));
            steps.push((
                8,
                settle
                    .prop_map(|(claim, outcome, again)| Step::Settle(claim, outcome, again))
                    .boxed(),
            ));
            steps.push((1, one_of(claims).prop_map(Step::Renew).boxed()));
        }
        proptest::strategy::Union::new_weighted(steps).boxed()
    }

    /// Rejects impossible steps: a job that was never published, a claim requested again after its outcome was
    /// recorded, a mail sent after the lease or twice by one claim, a worker that records another outcome than it saw.
    fn preconditions(state: &Self, step: &Step) -> bool {
        let claim = |at: usize| state.claims.get(at);
        match step {
            Step::Mark(round) => *round < state.rounds.len(),
            Step::Claim(job) => *job < state.jobs().len(),
            Step::ClaimAgain(at) => claim(*at).is_some_and(|claim| claim.outcome.is_none()),
            Step::Renew(at) => claim(*at).is_some(),
            Step::Send(at) => claim(*at).is_some_and(|claim| {
                let lease = state.deliveries[claim.job.delivery].lease;
                !claim.is_sent && claim.outcome.is_none() && state.holds(*at) && lease == Lease::Holds
            }),
            Step::Settle(at, outcome, _) => claim(*at).is_some_and(|claim| {
                let fits = match outcome {
                    Outcome::Accepted => claim.is_sent,
                    Outcome::Unsure => true,
                    Outcome::Refused | Outcome::TryLater | Outcome::GivenBack => !claim.is_sent,
                };
                fits && claim.outcome.is_none_or(|recorded| recorded == *outcome)
            }),
            _ => true,
        }
    }

    fn apply(mut state: Self, step: &Step) -> Self {
        state.take(step);
        state
    }
}
