//! Filters by mails sent and by sign-in, in the list and for a batch.

use crate::console_session::ConsoleSession;
use crate::json;
use crate::users_are_filtered_by_fields::conditions_on_fields;
use harness::World;
use serde_json::Value;
use shared::store::imports::ImportEffect;
use shared::store::users;
use shared::store::{selections, users_in_bulk};
use shared::user_filter::{Access, UserFilter};
use uuid::Uuid;

const PEOPLE: &str = "email,first name,last name\n\
    ada@example.org,Ada,Lovelace\n\
    bob@example.com,Bob,Builder\n\
    cleo@example.org,Cleo,Patra\n\
    550+dan@example.org,Dan,Builder\n";

// In alphabetical order.
pub(crate) const DAN: &str = "550+dan@example.org";
pub(crate) const ADA: &str = "ada@example.org";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const CLEO: &str = "cleo@example.org";
pub(crate) const ZED: &str = "zed@example.net";

/// Ada is invited and has signed in, Bob has a password, Cleo an invite, Dan an invite that was refused.
pub(crate) async fn a_world_on_its_way() -> (World, Value) {
    let world = World::start().await;
    let import = world.import(PEOPLE).await.expect(201)["id"].clone();
    let invites = world.invite(json!({ "emails": [ADA, CLEO, DAN] })).await;
    let passwords = world.reset_passwords(json!({ "emails": [ADA, BOB] })).await;
    world.finished(invites).await;
    world.finished(passwords).await;
    let mails = world.relay.mails_to(ADA).unwrap();
    let password = mails.iter().find_map(|mail| mail.password()).unwrap();
    world.sign_in(ADA, password).await;
    // A user outside the import, whom no filter on the import may find.
    world.person(ZED).await;
    (world, import)
}

pub(crate) async fn found(world: &World, question: &str) -> Vec<String> {
    let page = world.get(&format!("/v1/users?{question}")).await.expect(200);
    let users = page["items"].as_array().unwrap().iter();
    let mut emails: Vec<String> = users.map(|user| user["email"].as_str().unwrap().to_owned()).collect();
    emails.sort_unstable();
    emails
}

#[tokio::test]
async fn a_filter_finds_users_who_meet_all_conditions() {
    let (world, import) = a_world_on_its_way().await;
    World::run_in(world, async |world| {
        let import = import.as_str().unwrap();
        let again = "email,first name\nada@example.org,Augusta\nbob@example.com,Bob\n";
        let again = world.import(again).await.expect(201);
        let again = again["id"].as_str().unwrap();

        for (question, people) in [
            ("invited=true", vec![ADA, CLEO]),
            ("invited=false", vec![DAN, BOB, ZED]),
            ("signed_in=true", vec![ADA]),
            ("signed_in=false&invited=true", vec![CLEO]),
            ("q=EXAMPLE.com", vec![BOB]),
            ("q=builder", vec![DAN, BOB]),
            ("q=augusta%20love", vec![ADA]),
            ("q=love%20augusta", vec![]),
            ("q=builder&invited=true", vec![]),
            ("q=zed", vec![ZED]),
            (&format!("import={again}"), vec![ADA, BOB]),
            (&format!("import={again}&effect=updated"), vec![ADA]),
            (&format!("import={again}&effect=unchanged"), vec![BOB]),
            (&format!("import={again}&effect=created"), vec![]),
            (&format!("import={import}&effect=created"), vec![DAN, ADA, BOB, CLEO]),
            ("effect=updated", vec![ADA]),
            (&format!("import={import}&invited=false"), vec![DAN, BOB]),
            ("access=none", vec![DAN, CLEO, ZED]),
            ("access=password_mailed", vec![BOB]),
            ("access=password_expired", vec![]),
            ("access=signed_in", vec![ADA]),
            ("access=own_password", vec![]),
            ("last_email_failed=true", vec![DAN]),
            ("last_email_failed=false", vec![ADA, BOB, CLEO, ZED]),
            ("blocked=true", vec![DAN]),
            ("blocked=true&access=password_mailed", vec![]),
            ("locked=true", vec![]),
            ("q=builder&blocked=false&locked=false", vec![BOB]),
            (&format!("import={import}"), vec![DAN, ADA, BOB, CLEO]),
        ] {
            assert_eq!(found(world, question).await, people, "{question}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_list_shows_the_access_of_each_user() {
    let (world, import) = a_world_on_its_way().await;
    World::run_in(world, async |world| {
        let page = world
            .get(&format!("/v1/users?import={}", import.as_str().unwrap()))
            .await
            .expect(200);

        let mut shown: Vec<[&str; 3]> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| {
                assert_eq!(user["invite"]["sent_at"].is_string(), user["invite"]["state"] == "sent");
                [&user["email"], &user["invite"]["state"], &user["access"]["state"]].map(|text| text.as_str().unwrap())
            })
            .collect();
        shown.sort_unstable();
        assert_eq!(
            shown,
            [
                [DAN, "failed", "none"],
                [ADA, "sent", "signed_in"],
                [BOB, "not_invited", "password_mailed"],
                [CLEO, "sent", "none"],
            ],
            "{page}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_sent_to_the_users_of_its_filter() {
    let (world, import) = a_world_on_its_way().await;
    World::run_in(world, async |world| {
        let batch = world
            .invite(json!({ "filter": { "import": import, "effect": "created", "invited": false, "q": "builder" } }))
            .await;
        let finished = world.finished(batch).await;
        let unknown = world
            .post(
                "/v1/invites",
                json!({ "filter": { "signed_in": true, "q": "builder" } }),
            )
            .await;

        // Both builders are selected; Dan's address is blocked.
        assert_eq!(finished["counts"]["selected"], 2, "{finished}");
        assert_eq!(finished["left_out"], json!({ "address_blocked": 1 }), "{finished}");
        let addresses: Vec<Value> = world
            .deliveries(batch)
            .await
            .iter()
            .map(|line| line["email"].clone())
            .collect();
        assert_eq!(addresses, [json!(BOB)]);
        assert_eq!(unknown.status, 422, "{}", unknown.text);
        world.assert_promises_kept().await;
    })
    .await;
}

/// Each condition of a filter on its own.
fn conditions(import: Uuid) -> Vec<UserFilter> {
    let none = UserFilter::default;
    let mut all = vec![
        UserFilter {
            q: Some("BUILDER".to_owned()),
            ..none()
        },
        UserFilter {
            import: Some(import),
            ..none()
        },
    ];
    for is_so in [true, false].map(Some) {
        all.push(UserFilter {
            invited: is_so,
            ..none()
        });
        all.push(UserFilter {
            signed_in: is_so,
            ..none()
        });
        all.push(UserFilter {
            last_email_failed: is_so,
            ..none()
        });
        all.push(UserFilter {
            blocked: is_so,
            ..none()
        });
        all.push(UserFilter {
            locked: is_so,
            ..none()
        });
    }
    all.extend(Access::ALL.map(|access| UserFilter {
        access: Some(access),
        ..none()
    }));
    all.extend(ImportEffect::ALL.map(|effect| UserFilter {
        effect: Some(effect),
        ..none()
    }));
    all.extend(conditions_on_fields(import));
    all
}

/// Users who satisfy every condition of a filter: besides the ones above, Eve with her own password, Fay with an
/// expired one, and Gil, who is locked.
async fn a_world_of_all_kinds() -> (World, Uuid) {
    let (world, import) = a_world_on_its_way().await;
    let more = "email,first name,last name\n\
        ada@example.org,Augusta,Lovelace\nbob@example.com,Bob,Builder\neve@example.org,Eve,\n\
        fay@example.org,Fay,\ngil@example.org,Gil,Builder\n";
    world.import(more).await.expect(201);
    let emails = ["eve@example.org", "fay@example.org"];
    let passwords = world.reset_passwords(json!({ "emails": emails })).await;
    world.finished(passwords).await;
    let mails = world.relay.mails_to(emails[0]).unwrap();
    let choice = json!({ "email": emails[0], "password": mails[0].password().unwrap(),
                         "new_password": "correct horse battery staple" });
    world.post("/v1/credentials/choose", choice).await.expect(200);
    let fay = world.user_id("fay@example.org").await;
    let expired = json!({ "expires_at": "now" });
    world.rows("credentials").with("user_id", fay).set(expired).await;
    let gil = world.get("/v1/users?q=gil").await.expect(200)["items"][0]["id"].clone();
    let lock = format!("/v1/users/{}/lock", gil.as_str().unwrap());
    world.post(&lock, json!({})).await.expect(200);
    (world, import.as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_page_is_the_same_whether_users_are_checked_one_by_one_or_in_bulk() {
    let (world, import) = a_world_of_all_kinds().await;
    World::run_in(world, async |world| {
        let cleo = world.get("/v1/users?q=cleo").await.expect(200)["items"][0]["id"].clone();
        let cleo = cleo.as_str().unwrap().parse().ok();
        let conditions = conditions(import);

        for (at, one) in conditions.iter().enumerate() {
            for other in &conditions[at..] {
                let Some(filter) = one.clone().and(other.clone()) else {
                    continue;
                };
                for (before, after) in [(None, None), (cleo, None), (None, cleo)] {
                    let one_by_one = users::page(&world.db, &filter, before, after, 2).await.unwrap();
                    let one_by_one: Vec<_> = one_by_one.into_iter().map(|user| user.id).collect();
                    let at_once = users_in_bulk::page(&world.db, &filter, before, after, 2).await.unwrap();
                    assert_eq!(one_by_one, at_once, "{filter:?} before {before:?} after {after:?}");
                }
            }
        }
    })
    .await;
}

/// The ids in answers or rows, in order.
fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of filters, read from top to bottom")]
async fn a_list_a_batch_and_a_selection_have_the_same_users_for_every_filter() {
    let (world, import) = a_world_of_all_kinds().await;
    World::run_in(world, async |world| {
        let mut session = ConsoleSession::of(world, world.administrator().await).await;
        let administrator: Uuid = world.rows("administrators").only("id").await;
        let mut met = 0;

        let all = conditions(import);
        let pairs = all.windows(2).filter_map(|pair| pair[0].clone().and(pair[1].clone()));
        for filter in all.iter().cloned().chain(pairs) {
            let conditions = filter.conditions();
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let fields: Vec<(&str, String)> = conditions
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.as_str(), text(value)))
                .collect();

            // As in the query string of the API,
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&fields)
                .finish();
            let page = world.get(&format!("/v1/users?limit=1000&{query}")).await.expect(200);
            let users = page["items"].as_array().unwrap();
            let listed = sorted(
                users
                    .iter()
                    .map(|user| user["id"].as_str().unwrap().parse().unwrap())
                    .collect(),
            );
            if let Some(access) = filter.access {
                assert!(
                    users.iter().all(|user| user["access"]["state"] == access.as_str()),
                    "{page}"
                );
            }
            // as in the JSON of a batch,
            let recipients = json!({ "filter": conditions, "hold_seconds": 600 });
            let accepted = world.post("/v1/invites", recipients).await;
            assert_eq!(
                accepted.status,
                if listed.is_empty() { 422 } else { 202 },
                "{}",
                accepted.text
            );
            let batch = accepted.body["batch"].as_str().unwrap_or_default();
            let of_batch = |table| world.rows(table).with("batch_id", batch);
            let mut chosen: Vec<Uuid> = of_batch("deliveries").having("user_id").column("user_id").await;
            chosen.extend(of_batch("left_out").column::<Uuid>("user_id").await);
            assert_eq!(sorted(chosen), listed, "{filter:?}");
            // and as in a form of the console.
            let mut form: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            form.push(("do", "all"));
            let pressed = session.post("/console/users", &form).await;
            assert_eq!(pressed.status, 303, "{filter:?}: {}", pressed.text);
            let selections: Vec<Uuid> = world.rows("selections").column("id").await;
            let id = selections.into_iter().max().unwrap();
            let selection = selections::find(&world.db, administrator, id).await.unwrap().unwrap();
            assert_eq!(selection.filter.as_ref(), Some(&filter));
            selections::store_ids(&world.db, &selection).await.unwrap();
            let written: Vec<Uuid> = world.rows("selections").with("id", id).only("chosen").await;
            assert_eq!(
                (selection.count(), sorted(written)),
                (i64::try_from(listed.len()).unwrap(), listed.clone()),
                "{filter:?}"
            );
            met += usize::from(!listed.is_empty());
        }

        assert!(met > 20, "{met} filters have found a user");
    })
    .await;
}

#[tokio::test]
async fn a_selection_with_a_filter_of_another_release_selects_no_user() {
    World::run_with(harness::Setup::default().workers(0), async |world| {
        world.people(3).await;
        let mut session = ConsoleSession::of(world, world.administrator().await).await;
        let administrator: Uuid = world.rows("administrators").only("id").await;
        session.post("/console/users", &[("do", "all")]).await;
        let id: Uuid = world.rows("selections").only("id").await;
        let count = async || {
            selections::find(&world.db, administrator, id)
                .await
                .unwrap()
                .unwrap()
                .count()
        };
        assert_eq!(count().await, 3);

        for lost in [
            json!({ "user_filter": {} }),
            json!({ "user_filter": { "of_another_release": true } }),
            json!({ "user_filter": null, "filter": { "q": null, "status": "not_invited" } }),
        ] {
            world.rows("selections").set(lost.clone()).await;
            assert_eq!(count().await, 0, "{lost}");
            let selection = selections::find(&world.db, administrator, id).await.unwrap().unwrap();
            assert_eq!(
                selections::store_ids(&world.db, &selection).await.unwrap(),
                Some(0),
                "{lost}"
            );
        }
    })
    .await;
}
