use super::*;

const KEY: Place = Place::Platform { key: Uuid::nil() };

fn at(place: Place, person: &'static str, client: &'static str) -> Attempt<'static> {
    Attempt {
        place,
        person,
        client: Some(client),
        is_known: false,
    }
}

fn known(attempt: Attempt<'static>) -> Attempt<'static> {
    Attempt {
        is_known: true,
        ..attempt
    }
}

/// Tries until one is refused, and why.
fn taken(tries: &Tries, attempt: Attempt<'_>, now: Instant) -> (usize, UsedUp) {
    for n in 0.. {
        match tries.take(attempt, now) {
            Ok(spent) => drop(spent),
            Err(refusal) => return (n, refusal.used_up),
        }
    }
    unreachable!()
}

#[test]
fn a_guesser_elsewhere_leaves_a_person_all_their_tries() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());

    for place in [Place::Console, KEY] {
        assert_eq!(taken(&tries, at(place, "priya", "guesser"), now), (10, UsedUp::Person));
        assert_eq!(taken(&tries, at(place, "priya", "office"), now), (10, UsedUp::Person));
    }
}

#[test]
fn console_and_platform_share_no_tries() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());

    for person in ["priya@lerna.example", "console priya@lerna.example"] {
        assert_eq!(taken(&tries, at(KEY, person, "guesser"), now), (10, UsedUp::Person));
    }
    assert_eq!(
        taken(&tries, at(Place::Console, "priya@lerna.example", "guesser"), now).0,
        10
    );
}

#[test]
fn guessing_from_many_clients_is_bounded_and_delays_no_known_client() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());
    let clients: Vec<String> = (0..20).map(|n| format!("198.51.100.{n}")).collect();
    let tried_from = |client: &str, is_known| {
        let attempt = Attempt {
            place: Place::Console,
            person: "priya",
            client: Some(client),
            is_known,
        };
        taken(&tries, attempt, now)
    };

    let guesses: usize = clients.iter().map(|client| tried_from(client, false).0).sum();

    assert_eq!(guesses, 100);
    assert_eq!(tried_from("office", false), (0, UsedUp::Person));
    assert_eq!(tried_from("office", true), (10, UsedUp::Person));
    let a_minute_later = now + Duration::from_mins(1);
    assert_eq!(
        taken(&tries, at(Place::Console, "priya", "office"), a_minute_later).0,
        2
    );
}

#[test]
fn an_address_at_the_console_has_ten_tries_over_all_persons() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());
    let try_for = |n: usize, now| {
        let person = format!("person{n}");
        let attempt = Attempt {
            place: Place::Console,
            person: &person,
            client: Some("203.0.113.7"),
            is_known: false,
        };
        tries.take(attempt, now).map(drop)
    };

    assert!((0..10).all(|n| try_for(n, now).is_ok()));
    let refusal = try_for(10, now).unwrap_err();

    assert_eq!((refusal.used_up, refusal.seconds()), (UsedUp::Client, 5));
    assert!(try_for(11, now + Duration::from_secs(5)).is_ok());
    assert_eq!(
        taken(&tries, known(at(Place::Console, "person0", "203.0.113.7")), now).0,
        10
    );
}

#[test]
fn two_hundred_addresses_leave_room_for_one_more() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());
    let mut ranks = Vec::new();
    for n in 0..2_000 {
        let (person, client) = (format!("person{n}"), format!("198.51.100.{}", n % 200));
        let attempt = Attempt {
            place: Place::Console,
            person: &person,
            client: Some(&client),
            is_known: false,
        };
        match tries.take(attempt, now) {
            Ok(spent) => ranks.push(spent.rank),
            Err(refusal) => assert_eq!(refusal.used_up, UsedUp::Everybody),
        }
    }

    // Three of each, and 200 more from what all share.
    assert_eq!(ranks.len(), 800);
    let priya = tries.take(at(Place::Console, "priya", "203.0.113.7"), now).unwrap();
    assert!(ranks.iter().skip(200).all(|rank| priya.rank < *rank));
    let device = tries.take(known(at(Place::Console, "priya", "device")), now).unwrap();
    assert!(ranks.iter().all(|rank| device.rank < *rank));
}

#[test]
fn a_key_is_bounded_and_known_clients_of_its_platform_are_not() {
    let (tries, now) = (Tries::for_threads(2), Instant::now());
    let try_for = |n: usize, key: u128| {
        let person = format!("person{n}");
        let attempt = Attempt {
            place: Place::Platform {
                key: Uuid::from_u128(key),
            },
            person: &person,
            client: None,
            is_known: false,
        };
        tries.take(attempt, now).map(drop)
    };

    assert!((0..800).all(|n| try_for(n, 1).is_ok()));

    assert_eq!(try_for(800, 1).unwrap_err().used_up, UsedUp::Key);
    assert!(try_for(800, 2).is_ok());
    let known = known(at(
        Place::Platform {
            key: Uuid::from_u128(1),
        },
        "priya",
        "her phone",
    ));
    assert!(tries.take(known, now).is_ok());
}

#[test]
fn a_right_password_costs_no_try() {
    let (tries, now) = (Tries::for_threads(1), Instant::now());
    let attempt = at(Place::Console, "priya", "office");

    for _ in 0..1_000 {
        let spent = tries.take(attempt, now).unwrap();
        tries.give_back(spent);
    }

    assert_eq!(taken(&tries, attempt, now).0, 10);
}

#[test]
fn a_wait_is_given_in_whole_seconds_that_are_enough() {
    for (wait, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (9_999, 10)] {
        let refusal = Refusal {
            used_up: UsedUp::Person,
            wait: Duration::from_millis(wait),
        };
        assert_eq!(refusal.seconds(), seconds);
    }
}
