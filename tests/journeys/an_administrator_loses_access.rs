//! Administrators are disabled and their passwords reset while they sign in, change their password or hand out access.

use std::time::Duration;

use harness::{Setup, World};
use shared::store::administrators::{self, Disabled, Lock, OwnChange};
use shared::store::{Transaction, api_keys, begin, commit, sessions};
use uuid::Uuid;

use crate::console_session::ConsoleSession;
use crate::json;

/// The verifier of a password that is never used.
const OTHER_VERIFIER: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29kaXVtIGNobG9yaWRlIQ$\
                              4d1qVYxrN8c0yT3gBkPjWm2sLzHf7uEoXaJtR4vQiKw";

async fn a_quiet_world() -> World {
    World::with(Setup::default().workers(0)).await
}

/// The state checked when Ana signs in, in a world where Priya could disable her.
async fn ana(world: &World) -> Lock {
    world.administrator().await;
    world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
    administrators::lock_of(&world.db, "ana@lerna.example")
        .await
        .unwrap()
        .unwrap()
}

async fn sessions_of(world: &World, id: Uuid) -> i64 {
    world.rows("sessions").with("administrator_id", id).count().await
}

async fn is_disabled(world: &World, id: Uuid) -> bool {
    let disabled = world.rows("administrators").with("id", id).having("disabled_at");
    disabled.count().await == 1
}

/// Starts a session.
async fn session(world: &World, lock: &Lock, digest: &[u8]) {
    let mut transaction = begin(&world.db).await.unwrap();
    assert!(
        sessions::begin(&mut transaction, lock.id, &lock.verifier, digest)
            .await
            .unwrap()
    );
    commit(transaction).await.unwrap();
}

/// What ends an administrator's access.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Disable,
    Reset,
    Renew,
    OwnChange,
}

const ENDINGS: [Ending; 4] = [Ending::Disable, Ending::Reset, Ending::Renew, Ending::OwnChange];

impl Ending {
    async fn apply(self, transaction: &mut Transaction, lock: &Lock, session: &[u8]) {
        let done = match self {
            Self::Disable => administrators::disable(transaction, lock.id).await.unwrap() == Disabled::Done,
            Self::Reset => administrators::give_link(transaction, lock.id, b"a link")
                .await
                .unwrap(),
            Self::Renew => administrators::renew(transaction, lock.id, OTHER_VERIFIER)
                .await
                .unwrap(),
            Self::OwnChange => {
                let change = OwnChange {
                    id: lock.id,
                    session,
                    checked: &lock.verifier,
                    verifier: OTHER_VERIFIER,
                };
                administrators::change_own(transaction, change).await.unwrap()
            }
        };
        assert!(done, "{self:?}");
    }
}

#[tokio::test]
async fn a_sign_in_whose_password_was_checked_before_access_ended_begins_no_session() {
    for ending in ENDINGS {
        World::run_in(a_quiet_world().await, async |world| {
            let lock = ana(world).await;
            session(world, &lock, b"before").await;

            let mut transaction = begin(&world.db).await.unwrap();
            ending.apply(&mut transaction, &lock, b"before").await;
            commit(transaction).await.unwrap();
            let mut late = begin(&world.db).await.unwrap();
            let began = sessions::begin(&mut late, lock.id, &lock.verifier, b"late")
                .await
                .unwrap();
            commit(late).await.unwrap();

            assert!(!began, "{ending:?}");
            assert_eq!(sessions_of(world, lock.id).await, 0, "{ending:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_that_begins_while_access_ends_is_ended_too() {
    for ending in ENDINGS {
        World::run_in(a_quiet_world().await, async |world| {
            let lock = ana(world).await;
            session(world, &lock, b"before").await;

            let mut signing_in = begin(&world.db).await.unwrap();
            assert!(
                sessions::begin(&mut signing_in, lock.id, &lock.verifier, b"meanwhile")
                    .await
                    .unwrap()
            );
            let (db, its) = (world.db.clone(), lock.clone());
            let ended = tokio::spawn(async move {
                let mut transaction = begin(&db).await.unwrap();
                ending.apply(&mut transaction, &its, b"before").await;
                commit(transaction).await.unwrap();
            });
            world.until_locks_are_awaited(1).await;
            commit(signing_in).await.unwrap();
            ended.await.unwrap();

            assert_eq!(sessions_of(world, lock.id).await, 0, "{ending:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_disabled_administrator_is_not_enabled_by_changing_their_password() {
    World::run_in(a_quiet_world().await, async |world| {
        let lock = ana(world).await;
        session(world, &lock, b"hers").await;

        let mut transaction = begin(&world.db).await.unwrap();
        Ending::Disable.apply(&mut transaction, &lock, b"hers").await;
        commit(transaction).await.unwrap();
        let change = OwnChange {
            id: lock.id,
            session: b"hers",
            checked: &lock.verifier,
            verifier: OTHER_VERIFIER,
        };
        let mut late = begin(&world.db).await.unwrap();
        let changed = administrators::change_own(&mut late, change).await.unwrap();
        commit(late).await.unwrap();

        assert!(!changed);
        assert!(is_disabled(world, lock.id).await);
    })
    .await;
}

#[tokio::test]
async fn a_request_checked_before_the_administrator_is_disabled_has_no_effect() {
    World::run_in(a_quiet_world().await, async |world| {
        let lock = ana(world).await;
        let ana = harness::world::Administrator {
            name: lock.name.clone(),
            email: "ana@lerna.example".to_owned(),
            password: format!("lantern orchard {}", lock.name),
        };
        let session = ConsoleSession::of(world, &ana).await;

        // All three have checked the caller and wait for the transaction that disables her.
        let mut disabling = begin(&world.db).await.unwrap();
        Ending::Disable.apply(&mut disabling, &lock, b"").await;
        let own = [
            ("current_password", ana.password.as_str()),
            ("new_password", "seven wet stones in a row"),
            ("again_password", "seven wet stones in a row"),
        ];
        let key = [
            ("name", "kept for later"),
            ("token", "0190b1f4-7d3a-7c21-9a55-0242ac120002"),
        ];
        let (mut changes, mut makes, mut enters) = (session.clone(), session.clone(), ConsoleSession::stranger(world));
        let asked = async {
            tokio::join!(
                changes.post("/console/password", &own),
                makes.post("/console/keys", &key),
                enters.sign_in(&ana.email, &ana.password),
            )
        };
        let disabled = async {
            world.until_locks_are_awaited(3).await;
            commit(disabling).await.unwrap();
        };
        let ((changed, made, entered), ()) = tokio::join!(asked, disabled);

        assert_eq!((changed.status, made.status, entered.status), (401, 401, 422));
        assert!(is_disabled(world, lock.id).await);
        assert_eq!(sessions_of(world, lock.id).await, 0);
        assert!(
            api_keys::made_by(&world.db, lock.id, &lock.name)
                .await
                .unwrap()
                .is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn signing_in_ends_the_session_that_the_browser_had() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let mut browser = ConsoleSession::of(world, &priya).await;
        let before = browser.clone();
        let elsewhere = ConsoleSession::of(world, &priya).await;

        browser.sign_in(&priya.email, "not her password").await;
        assert!(before.is_signed_in().await);
        browser.sign_in(&priya.email, &priya.password).await;

        assert!(browser.is_signed_in().await && elsewhere.is_signed_in().await);
        assert!(!before.is_signed_in().await);
    })
    .await;
}

/// Number of browsers from which an administrator has signed in.
async fn devices_of(world: &World, administrator: Uuid) -> i64 {
    let devices = world.rows("known_devices").with("administrator_id", administrator);
    devices.count().await
}

#[tokio::test]
async fn disabling_an_administrator_revokes_their_keys_except_those_unticked() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let mut hers = ConsoleSession::of(world, &ana).await;
        for (name, token) in [
            ("intranet", "0190b1f4-7d3a-7c21-9a55-0242ac120002"),
            ("payroll", "0190b1f4-7d3a-7c21-9a55-0242ac120003"),
            ("siem", "0190b1f4-7d3a-7c21-9a55-0242ac120004"),
        ] {
            let made = hers.post("/console/keys", &[("name", name), ("token", token)]).await;
            assert_eq!(made.status, 200, "{}", made.text);
        }
        // As created by an earlier release, which recorded only her name.
        let key = |name| world.rows("api_keys").with("name", name);
        key("siem").set(json!({ "created_by_id": null })).await;
        let id = world.administrator_id("Ana Ruiz").await;
        let payroll: Uuid = key("payroll").only("id").await;

        let mut browser = ConsoleSession::of(world, &priya).await;
        let page = browser.get(&format!("/console/administrators/{id}/disable")).await;
        for name in ["intranet", "payroll", "siem"] {
            assert!(page.text.contains(&format!(">{name}</label>")), "{}", page.text);
        }
        assert!(!page.text.contains(">tests</label>"), "{}", page.text);
        let payroll = payroll.to_string();
        let path = format!("/console/administrators/{id}/disable");
        assert_eq!(devices_of(world, id).await, 1);
        let done = browser.post(&path, &[("listed", &payroll)]).await;
        assert_eq!(devices_of(world, id).await, 0, "her browser is forgotten");

        assert_eq!(done.status, 303, "{}", done.text);
        let working = world.rows("api_keys").without("revoked_at").ordered_by("name");
        let working: Vec<String> = working.column("name").await;
        assert_eq!(working, ["payroll", "tests"]);
        let mut record = world.audited("administrator_disabled").await;
        record.extend(world.audited("key_revoked").await);
        let mut record: Vec<(&str, &str)> = record
            .iter()
            .map(|entry| (&*entry.action, entry.details["name"].as_str().unwrap()))
            .collect();
        record.sort_by_key(|(_, name)| *name);
        assert_eq!(
            record,
            [
                ("administrator_disabled", "Ana Ruiz"),
                ("key_revoked", "intranet"),
                ("key_revoked", "siem")
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn two_keys_created_concurrently_do_not_get_similar_names() {
    World::run_in(a_quiet_world().await, async |world| {
        let key = |name: &str, digest: &[u8]| api_keys::NewKey {
            name: name.to_owned(),
            digest: digest.to_vec(),
            created_by: "the command line".to_owned(),
            created_by_id: None,
            expires_after: Some(Duration::from_hours(24)),
            may_read_audit_log: false,
        };

        let mut first = begin(&world.db).await.unwrap();
        let made = api_keys::create(&mut first, &key("payroll", b"one")).await.unwrap();
        assert!(matches!(made, api_keys::Created::Done(_)), "{made:?}");
        let (db, late) = (world.db.clone(), key("Payro11", b"other"));
        let second = tokio::spawn(async move {
            let mut second = begin(&db).await.unwrap();
            api_keys::create(&mut second, &late).await.unwrap()
        });
        world.until_locks_are_awaited(1).await;
        commit(first).await.unwrap();

        assert_eq!(
            second.await.unwrap(),
            api_keys::Created::NameTaken("payroll".to_owned())
        );
    })
    .await;
}
