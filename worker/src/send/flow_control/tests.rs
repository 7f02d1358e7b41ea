use super::super::reply::{Reply, ReplyError};
use super::super::{Phase, Settings};
use super::*;

fn flow(connections: usize) -> Flow {
    let gauge = || IntGauge::new("gauge", "A test's.").unwrap();
    Flow::new(
        &Settings::for_connections(connections, "beckon.example.org"),
        Pace::new(
            prometheus::Gauge::new("gauge", "A test's.").unwrap(),
            prometheus::IntCounter::new("counter", "A test's.").unwrap(),
        ),
        gauge(),
        gauge(),
    )
}

fn refused_connect() -> Answer {
    Answer::from_reply_error(Phase::Connect, &ReplyError::Broken("Connection refused".to_owned()))
}

fn busy() -> Answer {
    let reply = Reply {
        code: 421,
        text: "4.3.2 busy".to_owned(),
    };
    Answer::from_reply(Phase::Rcpt, &reply)
}

const fn others(open: usize, opening: usize) -> OtherConnections {
    OtherConnections {
        open,
        opening,
        have: Duration::from_secs(2),
    }
}

/// A flow whose relay has already answered.
fn proven(connections: usize, now: Instant) -> Flow {
    let mut flow = flow(connections);
    flow.answered(now);
    flow
}

fn is_open(flow: &Flow) -> bool {
    matches!(flow.circuit(), Circuit::Open { .. })
}

#[test]
fn a_first_mail_goes_alone_but_only_for_a_limited_time() {
    let start = Instant::now();
    let mut flow = flow(20);

    assert_eq!(flow.trial(0, start), Some(1));
    assert_eq!(flow.trial(1, start + Duration::from_millis(900)), Some(1));
    assert_eq!(flow.trial(1, start + Duration::from_millis(2500)), Some(3));
    assert_eq!(flow.trial(3, start + Duration::from_mins(5)), Some(20));
    assert_eq!(
        flow.trial(0, start + Duration::from_mins(5)),
        Some(1),
        "a new first mail"
    );
    flow.answered(start);
    assert_eq!(flow.trial(0, start), None);
}

#[test]
fn a_refused_connect_limits_connections_and_the_limit_grows_again() {
    let start = Instant::now();
    let mut flow = proven(20, start);

    assert!(!flow.connect_failed(&busy(), &others(8, 2), start));
    assert!(!flow.connect_failed(&busy(), &others(8, 1), start));
    assert_eq!(flow.limit(), 9);

    let mut limits = Vec::new();
    for seconds in [1, 5, 10, 15, 20] {
        flow.answered(start + Duration::from_secs(seconds));
        limits.push(flow.limit());
    }
    assert_eq!(limits, [9, 10, 12, 16, 20]);
}

#[test]
fn a_relay_that_refuses_again_is_probed_half_as_often() {
    let start = Instant::now();
    let mut flow = proven(20, start);
    let mut now = start;
    let mut pauses = Vec::new();
    for _ in 0..6 {
        flow.connect_failed(&busy(), &others(10, 0), now);
        let refused_at = now;
        while flow.limit() == 10 {
            now += Duration::from_secs(1);
            flow.answered(now);
        }
        pauses.push(now.duration_since(refused_at).as_secs());
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 80]);
}

#[test]
fn without_another_connection_a_failed_connect_opens_the_circuit() {
    let now = Instant::now();
    let mut flow = proven(20, now);

    assert!(flow.connect_failed(&refused_connect(), &others(0, 5), now));

    assert!(is_open(&flow));
    assert!(!flow.may_connect());
    assert!(!flow.connect_failed(&refused_connect(), &others(0, 4), now), "once");
}

#[test]
fn connects_that_fail_while_others_hang_are_an_outage() {
    let start = Instant::now();
    let (soon, late) = (start + Duration::from_secs(1), start + Duration::from_secs(3));

    let mut hanging = proven(20, start);
    hanging.connect_failed(&refused_connect(), &others(5, 0), start);
    assert!(!hanging.end_doubt(true, soon));
    assert!(hanging.end_doubt(true, late));
    assert!(is_open(&hanging));

    let mut working = proven(20, start);
    working.connect_failed(&refused_connect(), &others(5, 0), start);
    working.answered(soon);
    assert!(!working.end_doubt(true, late));
    assert!(!is_open(&working));
}

#[test]
fn one_failure_between_good_replies_opens_no_circuit_but_three_in_a_row_do() {
    let now = Instant::now();
    let mut flow = proven(20, now);

    for _ in 0..10 {
        assert!(!flow.trouble(&busy(), now) && !flow.trouble(&busy(), now));
        flow.answered(now);
    }
    let opened = [0; 3].map(|_| flow.trouble(&busy(), now));

    assert_eq!(opened, [false, false, true]);
}

#[test]
fn an_outage_ends_with_a_successful_probe() {
    let start = Instant::now();
    let mut flow = proven(20, start);
    flow.connect_failed(&busy(), &others(3, 0), start);
    flow.connect_failed(&refused_connect(), &others(0, 0), start);
    assert!(!flow.begin_probe(start), "not at once");

    let later = start + Duration::from_mins(1);
    assert!(flow.begin_probe(later) && !flow.begin_probe(later), "one at a time");
    flow.connected();
    assert_eq!((flow.circuit(), flow.trial(0, later)), (Circuit::HalfOpen, Some(1)));
    assert!(flow.down().is_some(), "a connection alone does not decide");
    flow.answered(later);

    assert_eq!((flow.circuit(), flow.limit()), (Circuit::Closed, 20));
    assert!(flow.down().is_none());
}

/// The pauses before twelve probes that all fail with this answer.
fn pauses_before_probes(answer: &Answer) -> Vec<Duration> {
    let mut flow = flow(20);
    let (mut now, mut pauses) = (Instant::now(), Vec::new());
    flow.connect_failed(answer, &others(0, 0), now);
    for _ in 0..12 {
        let Circuit::Open { retry_at } = flow.circuit() else {
            panic!("{:?}", flow.circuit())
        };
        pauses.push(retry_at - now);
        now = retry_at;
        assert!(flow.begin_probe(now));
        flow.connect_failed(answer, &others(0, 0), now);
    }
    pauses
}

#[test]
fn pauses_between_probes_grow_to_a_few_seconds() {
    let pauses = pauses_before_probes(&refused_connect());

    assert!(pauses[0] <= Duration::from_secs(2), "{pauses:?}");
    assert!(
        pauses[11] >= Duration::from_secs(2) && pauses.iter().all(|pause| *pause <= Duration::from_secs(8)),
        "{pauses:?}"
    );
}

#[test]
fn a_refused_login_is_tried_about_once_a_minute() {
    let reply = Reply {
        code: 535,
        text: "5.7.8 bad password".to_owned(),
    };
    let pauses = pauses_before_probes(&Answer::from_reply(Phase::Auth, &reply));

    assert!(pauses[0] <= Duration::from_secs(2), "{pauses:?}");
    assert!(
        pauses[11] >= Duration::from_secs(30) && pauses[11] <= Duration::from_secs(90),
        "{pauses:?}"
    );
}

#[test]
fn a_used_up_quota_is_probed_every_five_to_fifteen_minutes() {
    for (code, words) in [
        (550, "5.4.5 Daily sending limit exceeded"),
        (454, "4.7.0 Daily message quota exceeded"),
    ] {
        let text = words.to_owned();
        let used_up = Answer::from_reply(Phase::Dot, &Reply { code, text });
        let (mut flow, mut now, mut pauses) = (flow(20), Instant::now(), Vec::new());
        for _ in 0..16 {
            let has_opened = match used_up.verdict {
                Verdict::SlowDown { .. } => flow.throttling_lasts(&used_up, now),
                _ => flow.trouble(&used_up, now),
            };
            let Circuit::Open { retry_at } = flow.circuit() else {
                panic!("{:?}", flow.circuit())
            };
            pauses.push(retry_at - now);
            now = retry_at;
            assert!(has_opened && flow.begin_probe(now));
            flow.connected();
        }
        let is_rare = |pause: &Duration| (Duration::from_mins(5)..=Duration::from_mins(15)).contains(pause);
        assert!(pauses[10..].iter().all(is_rare), "{words}: {pauses:?}");
        flow.answered(now);
        assert!(flow.down().is_none());
        flow.throttling_lasts(&used_up, now);
        let is_reset = matches!(flow.circuit(), Circuit::Open { retry_at } if retry_at - now < Duration::from_secs(2));
        assert!(is_reset, "{:?}", flow.circuit());
    }
}

fn used_up() -> Answer {
    let text = "5.4.5 Daily user sending quota exceeded".to_owned();
    Answer::from_reply(Phase::Dot, &Reply { code: 550, text })
}

/// How long the next probe waits.
fn pause_of(flow: &Flow, now: Instant) -> Duration {
    let Circuit::Open { retry_at } = flow.circuit() else {
        panic!("{:?}", flow.circuit())
    };
    retry_at - now
}

/// Probes a used-up quota until the pauses no longer grow. Returns the time of the last probe.
fn probe_until_pauses_are_longest(flow: &mut Flow) -> Instant {
    let mut now = Instant::now();
    assert!(flow.trouble(&used_up(), now));
    for _ in 0..12 {
        let pause = pause_of(flow, now);
        now += pause;
        assert!(flow.begin_probe(now));
        flow.connected();
        assert!(flow.trouble(&used_up(), now));
    }
    now
}

#[test]
fn the_next_probe_of_a_used_up_quota_can_be_brought_forward() {
    let mut flow = flow(20);
    let now = probe_until_pauses_are_longest(&mut flow);
    assert!(!flow.begin_probe(now + Duration::from_mins(4)));
    assert!(flow.awaits_quota());

    flow.probe_now(now);
    assert!(flow.begin_probe(now));
    flow.probe_now(now);
    assert_eq!(flow.circuit(), Circuit::Probing, "one probe at a time");

    flow.connected();
    assert!(flow.trouble(&used_up(), now));
    let pause = pause_of(&flow, now);
    assert!(pause > Duration::from_mins(4), "the pauses stay long: {pause:?}");
}

#[test]
fn a_relay_that_is_busy_as_a_whole_is_probed_every_few_seconds() {
    for (code, words) in [
        (432, "4.3.2 Concurrent connections limit exceeded"),
        (452, "4.3.1 Insufficient storage"),
    ] {
        let text = words.to_owned();
        let busy = Answer::from_reply(Phase::Dot, &Reply { code, text });
        let (mut flow, mut now) = (flow(20), Instant::now());
        for _ in 0..16 {
            assert!(flow.throttling_lasts(&busy, now));
            assert!(!flow.awaits_quota());
            let pause = pause_of(&flow, now);
            assert!(pause < Duration::from_secs(8), "{words}: {pause:?}");
            now += pause;
            assert!(flow.begin_probe(now));
            flow.connected();
        }
    }
}

#[test]
fn a_mail_in_progress_serves_as_a_probe() {
    let now = Instant::now();
    let mut flow = flow(20);
    flow.trouble(&busy(), now);
    assert!(is_open(&flow));

    flow.answered(now);

    assert_eq!(flow.circuit(), Circuit::Closed);
}
