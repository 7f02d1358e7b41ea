use super::*;

const KEY: Realm = Realm::Platform { key: Uuid::nil() };

/// A client's try at a person.
#[derive(Clone)]
struct Attempted {
    realm: Realm,
    person: String,
    client: Option<Client>,
    is_known: bool,
    is_like_mailed: bool,
}

impl Attempted {
    fn take(&self, limiter: &AttemptLimiter, now: Instant) -> Result<AttemptToken, Refusal> {
        let attempt = Attempt {
            realm: self.realm,
            person: &self.person,
            client: self.client.as_ref(),
            is_known: self.is_known,
            is_like_mailed: self.is_like_mailed,
        };
        limiter.take(attempt, now)
    }
}

fn at(realm: Realm, person: &str, client: &str) -> Attempted {
    Attempted {
        realm,
        person: person.to_owned(),
        client: Some(Client::of_platform(client)),
        is_known: false,
        is_like_mailed: false,
    }
}

fn unnamed(realm: Realm, person: &str) -> Attempted {
    Attempted {
        client: None,
        ..at(realm, person, "")
    }
}

fn known(tried: Attempted) -> Attempted {
    Attempted {
        is_known: true,
        ..tried
    }
}

/// Makes attempts until one is refused. Returns their number and the exhausted limit.
fn taken(limiter: &AttemptLimiter, tried: &Attempted, now: Instant) -> (usize, ExhaustedLimit) {
    for n in 0.. {
        match tried.take(limiter, now) {
            Ok(spent) => drop(spent),
            Err(refusal) => return (n, refusal.used_up),
        }
    }
    unreachable!()
}

#[test]
fn an_attacker_elsewhere_leaves_a_user_all_attempts() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());

    for realm in [Realm::Console, KEY] {
        assert_eq!(
            taken(&limiter, &at(realm, "priya", "guesser"), now),
            (10, ExhaustedLimit::Person)
        );
        assert_eq!(
            taken(&limiter, &at(realm, "priya", "office"), now),
            (10, ExhaustedLimit::Person)
        );
    }
}

#[test]
fn console_and_platform_have_separate_attempts() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());

    for person in ["priya@lerna.example", "console priya@lerna.example"] {
        assert_eq!(
            taken(&limiter, &at(KEY, person, "guesser"), now),
            (10, ExhaustedLimit::Person)
        );
    }
    assert_eq!(
        taken(&limiter, &at(Realm::Console, "priya@lerna.example", "guesser"), now).0,
        10
    );
}

#[test]
fn guessing_from_many_clients_is_bounded_and_delays_no_known_client() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let clients: Vec<String> = (0..20).map(|n| format!("198.51.100.{n}")).collect();
    let attempts_from = |client: &str, is_known| {
        let tried = at(Realm::Console, "priya", client);
        taken(&limiter, &Attempted { is_known, ..tried }, now)
    };

    let guesses: usize = clients.iter().map(|client| attempts_from(client, false).0).sum();

    assert_eq!(guesses, 100);
    assert_eq!(attempts_from("office", false), (0, ExhaustedLimit::Person));
    assert_eq!(attempts_from("office", true), (10, ExhaustedLimit::Person));
    let a_minute_later = now + Duration::from_mins(1);
    assert_eq!(
        taken(&limiter, &at(Realm::Console, "priya", "office"), a_minute_later).0,
        2
    );
}

/// Number of attempts that clients get at a person when each tries every ten seconds.
fn guessed_for(limiter: &AttemptLimiter, clients: &[String], start: Instant, seconds: u64) -> usize {
    let at_second = |second| start + Duration::from_secs(second);
    let guesses = (0..seconds)
        .step_by(10)
        .flat_map(|second| clients.iter().map(move |client| (second, client)));
    let taken = guesses.filter(|(second, client)| {
        let guess = at(KEY, "ada", client);
        guess.take(limiter, at_second(*second)).is_ok()
    });
    taken.count()
}

#[test]
fn sixteen_guessing_networks_leave_attempts_for_a_new_device() {
    let (limiter, start) = (AttemptLimiter::for_threads(1), Instant::now());
    let clients: Vec<String> = (0..16).map(|n| format!("198.51.100.{n}")).collect();

    for hour in 0..4_u64 {
        let begun = start + Duration::from_hours(hour);
        guessed_for(&limiter, &clients, begun, 3_600);

        let now = begun + Duration::from_hours(1);
        let ada = at(KEY, "ada", &format!("203.0.113.{hour}")).take(&limiter, now);
        assert!(ada.is_ok(), "after {hour} hours: {ada:?}");
    }
}

#[test]
fn a_distributed_attack_has_two_guesses_a_minute() {
    let (limiter, start) = (AttemptLimiter::for_threads(1), Instant::now());
    let clients: Vec<String> = (0..100).map(|n| format!("198.51.100.{n}")).collect();

    let guesses = guessed_for(&limiter, &clients, start, 3_600);

    assert!((100 + 115..=100 + 120).contains(&guesses), "{guesses} in an hour");
    let late = at(KEY, "ada", "203.0.113.1").take(&limiter, start + Duration::from_secs(3_590));
    assert_eq!(late.unwrap_err().used_up, ExhaustedLimit::Person);
}

#[test]
fn without_client_a_platform_has_a_hundred_attempts_per_user() {
    let (limiter, now) = (AttemptLimiter::for_threads(2), Instant::now());

    assert_eq!(
        taken(&limiter, &unnamed(KEY, "ada"), now),
        (100, ExhaustedLimit::Person)
    );

    // Named clients and input in the form of a mailed password have other limits.
    assert_eq!(taken(&limiter, &at(KEY, "ada", "phone"), now).0, 10);
    let like_mailed = Attempted {
        is_like_mailed: true,
        ..unnamed(KEY, "ada")
    };
    assert_eq!(taken(&limiter, &like_mailed, now).0, 100);
}

#[test]
fn networks_of_one_holder_do_not_count_as_many_clients() {
    for (prefix, at_one_person, over_all) in [("2001:db8:1:2", 10, 10), ("2001:db8:1", 10, 40)] {
        for (persons, expected) in [(1, at_one_person), (10_000, over_all)] {
            let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
            let taken = (0..10_000).filter(|n| {
                let address = format!("{prefix}:{n:x}::1").parse().unwrap();
                let tried = Attempted {
                    client: Some(Client::at(address)),
                    ..at(Realm::Console, &format!("person{}", n % persons), "")
                };
                tried.take(&limiter, now).is_ok()
            });
            assert_eq!(taken.count(), expected, "{prefix}, {persons} persons");

            assert!(
                at(Realm::Console, "priya", "2001:db8:ffff::1")
                    .take(&limiter, now)
                    .is_ok()
            );
        }
    }
}

#[test]
fn the_busiest_network_of_an_address_determines_its_rank() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let rank_of = |address: &str| at(Realm::Console, address, address).take(&limiter, now).unwrap().rank;
    let first = rank_of("2001:db8:1:1::1");

    for n in 2..=20 {
        rank_of(&format!("2001:db8:1:{n:x}00::1"));
    }

    assert!(rank_of("2001:db8:1:ff00::1") > first);
    assert_eq!(rank_of("2001:db8:2:1::1"), first);
}

#[test]
fn light_checks_are_bounded_by_key() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let allowed = |key| {
        (0..2_000)
            .take_while(|_| limiter.allow_light_check(Uuid::from_u128(key), now))
            .count()
    };

    assert_eq!((allowed(1), allowed(1), allowed(2)), (1_000, 0, 1_000));
    assert!(limiter.allow_light_check(Uuid::from_u128(1), now + Duration::from_millis(5)));
}

#[test]
fn an_address_at_the_console_has_ten_attempts_over_all_users() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let attempt_for = |n: usize, now| {
        let tried = at(Realm::Console, &format!("person{n}"), "203.0.113.7");
        tried.take(&limiter, now).map(drop)
    };

    assert!((0..10).all(|n| attempt_for(n, now).is_ok()));
    let refusal = attempt_for(10, now).unwrap_err();

    assert_eq!((refusal.used_up, refusal.seconds()), (ExhaustedLimit::Client, 5));
    assert!(attempt_for(11, now + Duration::from_secs(5)).is_ok());
    assert_eq!(
        taken(&limiter, &known(at(Realm::Console, "person0", "203.0.113.7")), now).0,
        10
    );
}

#[test]
fn two_hundred_addresses_leave_attempts_for_another() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let mut ranks = Vec::new();
    for n in 0..2_000 {
        let client = format!("198.51.100.{}", n % 200);
        match at(Realm::Console, &format!("person{n}"), &client).take(&limiter, now) {
            Ok(spent) => ranks.push(spent.rank),
            Err(refusal) => assert_eq!(refusal.used_up, ExhaustedLimit::Overall),
        }
    }

    // Three from each client, and 200 more from the limit that all share.
    assert_eq!(ranks.len(), 800);
    let priya = at(Realm::Console, "priya", "203.0.113.7").take(&limiter, now).unwrap();
    assert!(ranks.iter().skip(200).all(|rank| priya.rank < *rank));
    let device = known(at(Realm::Console, "priya", "device"));
    let device = device.take(&limiter, now).unwrap();
    assert!(ranks.iter().all(|rank| device.rank < *rank));
}

#[test]
fn a_key_is_bounded_and_known_clients_of_its_platform_are_not() {
    let (limiter, now) = (AttemptLimiter::for_threads(2), Instant::now());
    let attempt_for = |n: usize, key: u128| {
        let realm = Realm::Platform {
            key: Uuid::from_u128(key),
        };
        unnamed(realm, &format!("person{n}")).take(&limiter, now).map(drop)
    };

    assert!((0..800).all(|n| attempt_for(n, 1).is_ok()));

    assert_eq!(attempt_for(800, 1).unwrap_err().used_up, ExhaustedLimit::Key);
    assert!(attempt_for(800, 2).is_ok());
    let known = known(at(
        Realm::Platform {
            key: Uuid::from_u128(1),
        },
        "priya",
        "her phone",
    ));
    assert!(known.take(&limiter, now).is_ok());
}

#[test]
fn a_correct_password_uses_no_attempt() {
    let (limiter, now) = (AttemptLimiter::for_threads(1), Instant::now());
    let attempt = at(Realm::Console, "priya", "office");

    for _ in 0..1_000 {
        let spent = attempt.take(&limiter, now).unwrap();
        limiter.refund(spent);
    }

    assert_eq!(taken(&limiter, &attempt, now).0, 10);
}

#[test]
fn retry_after_is_rounded_up_to_seconds() {
    for (wait, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (9_999, 10)] {
        let refusal = Refusal {
            used_up: ExhaustedLimit::Person,
            wait: Duration::from_millis(wait),
        };
        assert_eq!(refusal.seconds(), seconds);
    }
}
