//! The limit on claimed mails.

use super::*;

/// Waits until some mails are admitted, as a lane does.
async fn admitted(mailer: &Mailer, lane: Lane, most: usize) -> Vec<super::super::Permit> {
    let room = mailer.capacity_notify(lane);
    let waiting = async {
        loop {
            let permits = mailer.admit(lane, most, true);
            if !permits.is_empty() {
                return permits;
            }
            room.notified().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
}

fn with_connections(relay: &Relay, connections: usize) -> Mailer {
    mailer_with(&relay.plain_url(), Settings { connections, ..quick() })
}

#[tokio::test]
async fn a_connection_is_opened_before_the_first_claim_and_one_mail_goes_first() {
    let relay = Relay::following(usual).await;
    let mailer = with_connections(&relay, 20);
    assert!(mailer.admit(Lane::Bulk, 100, true).is_empty());

    let first = admitted(&mailer, Lane::Bulk, 100).await;

    assert_eq!((first.len(), relay.connections()), (1, 1));
    assert!(mailer.admit(Lane::Interactive, 1, true).is_empty());
    send(&mailer, "ada@example.com").await;
    let bulk = mailer.admit(Lane::Bulk, 100, true);
    let interactive = mailer.admit(Lane::Interactive, 100, true);
    assert_eq!((bulk.len(), interactive.len()), (17, 20));
    assert!(mailer.admit(Lane::Bulk, 100, true).is_empty());
}

#[tokio::test]
async fn a_hanging_first_mail_delays_the_others_only_for_seconds() {
    let relay = Relay::following(|moment| match moment.verb {
        "RCPT" if moment.line.contains("hangs") => Act::Freeze,
        _ => usual(moment),
    })
    .await;
    let mailer = mailer_with(
        &relay.plain_url(),
        Settings {
            connections: 5,
            ..with_deadline("RCPT", Duration::from_mins(1))
        },
    );
    let hanging = admitted(&mailer, Lane::Bulk, 1).await;
    let _hangs = begin(&mailer, to("hangs@example.com"), MESSAGE, Lane::Bulk, true);
    let began = Instant::now();

    let second = admitted(&mailer, Lane::Interactive, 1).await;
    let answer = send(&mailer, "ada@example.com").await;

    assert_eq!((hanging.len(), second.len()), (1, 1));
    assert_eq!(answer.verdict, Verdict::Accepted);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nothing_is_claimed_while_the_relay_is_in_trouble() {
    let relay = Relay::following(|_| Act::SayAndClose("421 4.3.2 not now\r\n".to_owned())).await;
    let mailer = with_connections(&relay, 5);
    mailer.admit(Lane::Bulk, 1, true);
    mailer.in_trouble().await;

    for _ in 0..50 {
        assert!(mailer.admit(Lane::Bulk, 1, true).is_empty());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(relay.count("MAIL"), 0);
}

#[tokio::test]
async fn the_number_of_claims_ahead_follows_the_rate() {
    let relay = Relay::following(usual).await;
    let mailer = with_connections(&relay, 5);
    drop(admitted(&mailer, Lane::Bulk, 1).await);
    send(&mailer, "ada@example.com").await;
    let before = mailer.admit(Lane::Bulk, 1000, true).len();

    for _ in 0..8 {
        drop(
            (0..50)
                .flat_map(|_| mailer.admit(Lane::Bulk, 4, true))
                .collect::<Vec<_>>(),
        );
        for _ in 0..50 {
            drop(mailer.admit(Lane::Bulk, 4, true));
        }
        tokio::time::sleep(Duration::from_millis(110)).await;
    }
    let ahead = mailer.admit(Lane::Bulk, 1000, true).len();

    assert!((4..=6).contains(&before), "{before}");
    assert!(ahead > 30, "{ahead}");
}
