//! A world in which the test itself dispatches and works, one statement at a time.

use crate::json;
use harness::{Setup, World};
use serde_json::Value;
use shared::batch::Lane;
use shared::store::claims::{self, Claim, Claimant};
use shared::store::dispatch::{self, Due, LastServed, Round};
use shared::store::dispatcher_lease::DispatcherLease;
use shared::store::settle::{self, Ending, Group, Outcome, Settled, UnknownAddress};
use std::time::Duration;
use uuid::Uuid;

/// How long claims and marks last in these tests.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// Invites these users, one batch per request, and stops the API before it dispatches.
pub(crate) async fn world_that_owes(batches: &[Value]) -> World {
    let mut world = World::with(Setup::default().workers(0)).await;
    world.skip_promises("the test settles deliveries without a relay");
    for request in batches {
        for email in request["emails"].as_array().unwrap() {
            world.person(email.as_str().unwrap()).await;
        }
        let mut held = request.clone();
        held["hold_seconds"] = Value::from(60);
        world.invite(held).await;
    }
    world.kill_api().await;
    world.rows("batches").set(json!({ "state": "running" })).await;
    world
}

/// Adds another mail to the same user to one of the batches.
pub(crate) async fn owe_another(world: &World) {
    let delivery = world.rows("deliveries").column::<Uuid>("id").await[0];
    let delivery = || world.rows("deliveries").with("id", delivery);
    let (batch, user) = (delivery().only("batch_id").await, delivery().only("user_id").await);
    world.owe(batch, user).await;
}

/// The turn of the dispatcher that ran last.
pub(crate) async fn turn(world: &World) -> DispatcherLease {
    let epoch = world.rows("dispatcher").only("epoch").await;
    DispatcherLease { epoch }
}

/// Due deliveries of the interactive lane.
pub(crate) async fn due(world: &World, most: i64) -> Vec<Due> {
    due_in(world, Lane::Interactive, most).await
}

/// Due deliveries of a lane.
pub(crate) async fn due_in(world: &World, lane: Lane, most: i64) -> Vec<Due> {
    let none = LastServed::default();
    dispatch::due(&world.db, lane, most, &none).await.unwrap().due
}

/// Marks this delivery as published.
pub(crate) async fn mark(world: &World, turn: DispatcherLease, due: &Due) {
    let round = Round {
        published: vec![due],
        refused: Vec::new(),
        batches: vec![due.batch],
    };
    dispatch::mark_published(&world.db, turn, &round, LEASE).await.unwrap();
}

/// Claims due deliveries as the worker identified by this token.
pub(crate) async fn claim(world: &World, due: &[Due], token: Uuid) -> Vec<Claim> {
    let jobs: Vec<_> = due.iter().map(Due::job).collect();
    let claimant = Claimant {
        worker: "a test",
        token,
        lease: LEASE,
        invites_give_up_after: Duration::from_hours(48),
        passwords_give_up_after: Duration::from_hours(24),
    };
    claims::claim(&world.db, &jobs, claimant).await.unwrap().taken
}

/// Settles a claim.
pub(crate) async fn settle(
    world: &World,
    claim: &Claim,
    token: Uuid,
    ending: Ending,
    is_repeated: bool,
) -> Vec<Settled> {
    let person = claim.recipient.as_ref();
    let unknown = person.filter(|_| ending.reason() == Some("address_unknown"));
    let outcome = Outcome {
        unknown: unknown.map(|person| UnknownAddress {
            key: person.email_key.clone(),
            email: person.email.clone(),
        }),
        delivery: claim.delivery,
        attempt: claim.attempt,
        token,
        began_at: claim.claimed_at,
        ending,
        phase: "connect",
        code: None,
        enhanced_code: None,
        reply: "the relay is in trouble".to_owned(),
    };
    record(world, &[outcome], is_repeated).await
}

/// Records outcomes.
pub(crate) async fn record(world: &World, outcomes: &[Outcome], is_repeated: bool) -> Vec<Settled> {
    let group = Group {
        outcomes,
        worker: "a test",
        released: &[],
        is_repeated,
    };
    settle::settle(&world.db, group).await.unwrap()
}
