use futures_util::FutureExt as _;

use super::*;

fn width(most: usize) -> Arc<Width> {
    Width::new(most, IntGauge::new("allowed", "-").unwrap())
}

fn free(width: &Arc<Width>, lane: Lane) -> Vec<Slot> {
    std::iter::from_fn(|| width.slot(lane).now_or_never().flatten()).collect()
}

#[test]
fn slots_are_put_away_down_to_one_and_come_back_together() {
    let width = width(3);
    for _ in 0..5 {
        width.try_slot().unwrap().put_away(Instant::now());
    }
    let last = width.try_slot().unwrap();
    assert!(width.try_slot().is_none());
    assert_eq!(width.allowed.get(), 1);

    drop(last);
    width.widen(Instant::now());
    assert_eq!(width.allowed.get(), 1, "too early for one more");
    width.restore();
    assert_eq!((free(&width, Lane::Interactive).len(), width.allowed.get()), (3, 3));
}

/// Good answers every second, and what is allowed after each.
fn allowed_during(width: &Width, seconds: std::ops::Range<u64>, from: Instant) -> Vec<i64> {
    let answer = |second| {
        width.widen(from + Duration::from_secs(second));
        width.allowed.get()
    };
    let mut allowed: Vec<_> = seconds.map(answer).collect();
    allowed.dedup();
    allowed
}

#[test]
fn good_answers_bring_slots_back_faster_and_faster() {
    let width = width(20);
    let now = Instant::now();
    for _ in 0..19 {
        width.try_slot().unwrap().put_away(now);
    }
    assert_eq!(allowed_during(&width, 0..30, now), [1, 2, 4, 8, 16, 20]);
}

#[test]
fn a_relay_that_permits_fewer_is_asked_for_more_ever_less_often() {
    let width = width(3);
    let now = Instant::now();
    width.try_slot().unwrap().put_away(now);
    let mut asked_at = Vec::new();
    for second in 0..1000 {
        let now = now + Duration::from_secs(second);
        width.widen(now);
        if width.allowed.get() == 3 {
            asked_at.push(second);
            width.try_slot().unwrap().put_away(now);
        }
    }
    let pauses: Vec<_> = asked_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..5], [10, 20, 40, 80, 80], "{asked_at:?}");
}

#[test]
fn a_probe_finds_a_slot_where_all_are_away_or_in_use() {
    let width = width(3);
    let stuck = width.try_slot().unwrap();
    for _ in 0..2 {
        width.try_slot().unwrap().put_away(Instant::now());
    }
    assert!(width.is_exhausted());
    width.make_room_for_a_probe();
    width.make_room_for_a_probe();
    assert_eq!(free(&width, Lane::Interactive).len(), 1);
    drop(stuck);
    assert_eq!(width.allowed.get(), 2);
}

#[test]
fn one_in_ten_is_kept_and_at_least_one_and_never_the_last() {
    let of = [(0, 1), (1, 1), (2, 1), (3, 2), (10, 9), (19, 18), (20, 18), (100, 90)];
    for (connections, bulk) in of {
        assert_eq!(for_bulk(connections), bulk, "of {connections}");
    }
}

#[test]
fn bulk_mail_leaves_slots_to_the_others() {
    let width = width(20);
    let bulk = free(&width, Lane::Bulk);
    let rest = free(&width, Lane::Interactive);
    assert_eq!((bulk.len(), rest.len()), (18, 2));
    drop((bulk, rest));
    assert_eq!(free(&width, Lane::Interactive).len(), 20);
}

#[test]
fn what_bulk_mail_may_have_follows_what_the_relay_takes() {
    let width = width(4);
    let mut in_use = free(&width, Lane::Bulk);
    assert_eq!(in_use.len(), 3);

    // The relay takes three, then two; the rights in use are owed.
    width.try_slot().unwrap().put_away(Instant::now());
    in_use.pop().unwrap().put_away(Instant::now());
    assert_eq!(free(&width, Lane::Bulk).len(), 0);
    assert_eq!(in_use.len(), 2, "what is in use stays so");
    in_use.pop();
    assert_eq!(free(&width, Lane::Bulk).len(), 0, "one is for the others");
    assert_eq!(free(&width, Lane::Interactive).len(), 1);
    in_use.pop();
    assert_eq!(free(&width, Lane::Bulk).len(), 1);

    width.restore();
    assert_eq!(free(&width, Lane::Bulk).len(), 3);
    assert_eq!(free(&width, Lane::Interactive).len(), 4);
}

#[test]
fn rights_that_are_owed_come_back_with_their_slots() {
    let width = width(4);
    let in_use = free(&width, Lane::Bulk);
    width.try_slot().unwrap().put_away(Instant::now());
    width.restore();
    drop(in_use);
    assert_eq!(free(&width, Lane::Bulk).len(), 3);
}
