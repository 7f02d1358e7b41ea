//! Invalid paths and queries.

use harness::World;
use std::time::{Duration, Instant};

use reqwest::Method;

use crate::api_request::{a_world, ask};
use crate::json;

const NOTHING: &str = "There is nothing with this id. Ids are UUIDs.";
const UNKNOWN: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test]
async fn an_invalid_id_is_answered_like_an_unknown_one() {
    World::run_in(a_world().await, async |world| {
        let routes = [
            (Method::GET, "/v1/users/{}"),
            (Method::DELETE, "/v1/users/{}"),
            (Method::GET, "/v1/imports/{}"),
            (Method::GET, "/v1/imports/{}/problems.csv"),
            (Method::GET, "/v1/batches/{}"),
            (Method::POST, "/v1/batches/{}/pause"),
            (Method::POST, "/v1/batches/{}/resume"),
            (Method::POST, "/v1/batches/{}/stop"),
            (Method::GET, "/v1/batches/{}/deliveries"),
            (Method::GET, "/v1/batches/{}/deliveries.csv"),
            (Method::GET, "/v1/batches/{}/events"),
            (Method::GET, "/v1/deliveries/{}"),
            (Method::POST, "/v1/deliveries/{}/send-again"),
        ];

        for (method, route) in routes {
            for id in [
                "7",
                "x",
                "%27",
                "%ff",
                "00000000-0000-7000-8000-00000000000g",
                &"1".repeat(2_000),
            ] {
                let asked = ask(world, method.clone(), &route.replace("{}", id));
                asked.must_be_refused(404, "not_found", NOTHING).await;
            }
            let response = ask(world, method.clone(), &route.replace("{}", UNKNOWN)).answer().await;
            response.assert_problem(404, "not_found");
        }
        for address in ["7", "unknown", "a@b", "%00@example.org", &"1".repeat(2_000)] {
            ask(world, Method::DELETE, &format!("/v1/blocked-addresses/{address}"))
                .must_be_refused(404, "not_found", "This is not an email address.")
                .await;
        }
        let sentence = "There is no such system email; the system emails are invite and password_reset.";
        ask(world, Method::GET, "/v1/system-emails/welcome")
            .must_be_refused(404, "not_found", sentence)
            .await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_out_of_bounds_is_refused() {
    World::run_in(a_world().await, async |world| {
        let batch = world.invite(json!({ "import": world.people(1).await })).await;
        let lists = [
            "/v1/batches".to_owned(),
            "/v1/users".to_owned(),
            "/v1/blocked-addresses".to_owned(),
            "/v1/system-emails".to_owned(),
            format!("/v1/batches/{batch}/deliveries"),
        ];

        for list in &lists {
            for limit in ["0", "-1", "1001", "9223372036854775807"] {
                let asked = ask(world, Method::GET, &format!("{list}?limit={limit}"));
                asked
                    .must_be_refused(400, "limit_invalid", "limit is a number from 1 to 1000.")
                    .await;
            }
            for limit in ["many", "1e3", "9223372036854775808", "1.5", "0x10"] {
                let sentence = format!("limit cannot be ‘{limit}’: write a whole number.");
                ask(world, Method::GET, &format!("{list}?limit={limit}"))
                    .must_be_refused(400, "parameter_invalid", &sentence)
                    .await;
            }
            for limit in ["1", "1000"] {
                assert_eq!(
                    ask(world, Method::GET, &format!("{list}?limit={limit}"))
                        .answer()
                        .await
                        .status,
                    200,
                    "{list} {limit}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_of_another_list_is_harmless() {
    World::run_in(a_world().await, async |world| {
        let user = world.person("ada@example.org").await;
        let batch = world.invite(json!({ "users": [user] })).await;
        let lists = [
            "/v1/batches".to_owned(),
            "/v1/users".to_owned(),
            format!("/v1/batches/{batch}/deliveries"),
        ];

        for list in &lists {
            for cursor in ["x", "1", "eyJpZCI6MX0", "%27", "../..", &"a".repeat(3_000)] {
                let asked = ask(world, Method::GET, &format!("{list}?cursor={cursor}"));
                asked
                    .must_be_refused(
                        400,
                        "cursor_invalid",
                        "Use the next_cursor of a page as the cursor of the next.",
                    )
                    .await;
            }
            for foreign in [user.to_string(), batch.to_string(), UNKNOWN.to_owned()] {
                let response = ask(world, Method::GET, &format!("{list}?cursor={foreign}"))
                    .answer()
                    .await;
                assert_eq!(response.status, 200, "{}", response.text);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_parameter_is_named_with_the_known_ones() {
    World::run_in(a_world().await, async |world| {
        let batch = world.invite(json!({ "import": world.people(1).await })).await;

        let sentence = "There is no parameter signedin. The parameters are q, import, effect, invited, signed_in, access, last_email_failed, \
                        blocked, locked, last_email_reason, batch, where, not, sort, limit, cursor.";
        ask(world, Method::GET, "/v1/users?signedin=true")
            .must_be_refused(400, "unknown_parameter", sentence)
            .await;
        for path in [
            "/v1/batches?state=running".to_owned(),
            format!("/v1/batches/{batch}/deliveries?sate=sent"),
            format!("/v1/batches/{batch}/deliveries.csv?sate=sent"),
            "/v1/system-emails?key=invite".to_owned(),
        ] {
            ask(world, Method::GET, &path)
                .answer()
                .await
                .assert_problem(400, "unknown_parameter");
        }
        for list in ["deliveries", "deliveries.csv"] {
            let state = format!("/v1/batches/{batch}/{list}?state={}", "done".repeat(4_000));
            let response = ask(world, Method::GET, &state).answer().await;
            response.assert_problem(400, "unknown_state");
            assert!(response.text.len() < 500, "{}", response.text);
        }
    })
    .await;
}

#[tokio::test]
async fn a_short_list_has_pages_like_any_other() {
    World::run_in(a_world().await, async |world| {
        let first = world.get("/v1/system-emails?limit=1").await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = world
            .get(&format!("/v1/system-emails?limit=1&cursor={cursor}"))
            .await
            .expect(200);
        let all = world.get("/v1/system-emails").await.expect(200);

        assert_eq!(
            (&first["items"][0]["key"], &second["items"][0]["key"]),
            (&json!("invite"), &json!("password_reset"))
        );
        assert!(
            second["next_cursor"].is_null() && all["next_cursor"].is_null(),
            "{second} {all}"
        );
        assert_eq!(all["items"], json!([first["items"][0], second["items"][0]]));
        ask(world, Method::GET, "/v1/system-emails?cursor=welcome")
            .answer()
            .await
            .assert_problem(400, "cursor_invalid");
    })
    .await;
}

#[tokio::test]
async fn a_ledger_can_be_limited_to_one_state() {
    World::run_in(a_world().await, async |world| {
        world.people(2).await;
        let request = json!({ "emails": ["person1@example.org", "person2@example.org", "stranger@example.org"] });
        let batch = world.invite(request).await;
        world
            .post(&format!("/v1/batches/{batch}/stop"), json!({}))
            .await
            .expect(200);
        let lines = async |query: &str| {
            let path = format!("/v1/batches/{batch}/deliveries.csv{query}");
            ask(world, Method::GET, &path).answer().await.text.lines().count()
        };

        assert_eq!(lines("").await, 4);
        assert_eq!(lines("?state=cancelled").await, 3);
        assert_eq!(lines("?state=sent").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_invalid_parameter_is_rejected() {
    World::run_in(a_world().await, async |world| {
        let wrong = [
            (
                "invited=maybe",
                "parameter_invalid",
                "invited cannot be ‘maybe’: write true or false.",
            ),
            (
                "import=7",
                "parameter_invalid",
                "import cannot be ‘7’: it must be an id, which is a UUID.",
            ),
            (
                "limit=1&limit=2",
                "duplicate_parameter",
                "limit occurs twice; send it once.",
            ),
            ("q=a&q=b", "duplicate_parameter", "q occurs twice; send it once."),
        ];

        for (query, code, sentence) in wrong {
            ask(world, Method::GET, &format!("/v1/users?{query}"))
                .must_be_refused(400, code, sentence)
                .await;
        }
        let many = (0..7_000).fold(String::new(), |all, n| all + &format!("p{n}=1&"));
        ask(world, Method::GET, &format!("/v1/users?{many}"))
            .must_be_refused(400, "too_many_parameters", "The query has more than 100 parameters.")
            .await;
        // A page that needs no session.
        let began = Instant::now();
        let url = format!("{}/console/sign-in?{many}to=1&to=1", world.base());
        assert_eq!(reqwest::get(url).await.unwrap().status(), 400);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        for strange in ["q=%ff", "q=%zz", "q=%", "&&&", "=", "q=%F0%9F%A6%80", "q=%25", "%71=x"] {
            let response = ask(world, Method::GET, &format!("/v1/users?{strange}")).answer().await;
            assert!(matches!(response.status, 200 | 400), "{strange}: {}", response.text);
        }
        let long = ask(world, Method::GET, &format!("/v1/users?q={}", "x".repeat(20_000)))
            .answer()
            .await;
        assert!(matches!(long.status, 200 | 400), "{}", long.text);
    })
    .await;
}

#[tokio::test]
async fn a_finished_batch_cannot_be_controlled() {
    World::run_in(a_world().await, async |world| {
        let batch = world.invite(json!({ "emails": ["stranger@example.org"] })).await;

        let act = |what: &str| ask(world, Method::POST, &format!("/v1/batches/{batch}/{what}"));
        for (what, state) in [("pause", "paused"), ("resume", "running"), ("stop", "stopped")] {
            let sentence = format!("The batch is finished and cannot become {state} any more.");
            act(what).must_be_refused(409, "batch_state", &sentence).await;
        }
        let again = act("send-again").json("{\"outcomes\":[]}").answer().await;
        again.assert_problem(422, "invalid_request");
        let sentence = "Name at least one of failed, expired, cancelled, suppressed, sent.";
        assert_eq!(again.errors(), [(0, "outcomes", "unknown_outcome", sentence)]);
        let none = act("send-again").json("{\"outcomes\":[\"failed\"]}");
        none.must_be_refused(
            422,
            "empty_batch",
            "No delivery of this batch ended in one of these ways.",
        )
        .await;
        let moving = act("send-again").json("{\"outcomes\":[\"queued\"]}").answer().await;
        moving.assert_problem(422, "invalid_request");
    })
    .await;
}
