//! A batch leaves out the users on do-not-mail lists and those who match a saved filter, and counts them.

use crate::json;
use harness::{Setup, World};
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

async fn quiet_world() -> World {
    World::with(Setup::default().workers(0)).await
}

async fn list(world: &World, query: &str, csv: &str) -> Value {
    let path = format!("/v1/do-not-mail-lists?{query}");
    let answer = world.send_file(&path, csv.as_bytes().to_vec(), "text/csv").await;
    answer.expect(201)
}

async fn send(world: &World, route: &str, mut request: Value) -> Value {
    request["hold_seconds"] = json!(600);
    world.post(route, request).await.expect(202)
}

fn id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn users_on_a_chosen_list_and_in_a_chosen_filter_are_left_out_and_counted() {
    World::run_in(quiet_world().await, async |world| {
        let import = world.people(6).await;
        // The first is on the list and in the filter.
        let csv = "Name,E-Mail\nA,PERSON1@example.org\n\"=bad\",person2@example.org\nC,stranger@example.net\n";
        let on_leave = list(world, "name=On+leave", csv).await;
        let is_named = |name: &str| json!({ "field": "first_name", "op": "is", "value": name });
        let filter = json!({ "name": "Guests", "filter": { "where": [is_named("Person 3")] } });
        let guests = world.post("/v1/filters", filter).await.expect(201);
        let exclude = json!({ "saved_filters": [guests["id"]], "do_not_mail_lists": [on_leave["id"]] });

        let sent = send(world, "/v1/invites", json!({ "import": import, "exclude": exclude })).await;
        let others = send(world, "/v1/password-resets", json!({ "import": import })).await;

        assert_eq!(
            (&on_leave["addresses"], &on_leave["always"]),
            (&json!(3), &json!(false))
        );
        assert_eq!((&sent["selected"], &sent["accepted"]), (&json!(6), &json!(3)), "{sent}");
        let left_out = json!({ "do_not_mail": 2, "excluded_by_filter": 1 });
        assert_eq!(sent["left_out"], left_out, "{sent}");
        assert_eq!(
            others["accepted"], 6,
            "a list is only left out where it is named: {others}"
        );
        let batch = world.batch(id(&sent["batch"])).await;
        assert_eq!(batch["left_out"], left_out, "{batch}");
        assert_eq!(
            batch["excluded"],
            json!([
                { "kind": "saved_filter", "id": guests["id"], "name": "Guests", "always": false },
                { "kind": "do_not_mail_list", "id": on_leave["id"], "name": "On leave", "always": false },
            ])
        );
        let path = format!("/v1/batches/{}/deliveries.csv", id(&sent["batch"]));
        let file = world.get(&path).await.text;
        assert_eq!(file.matches("Left out: Is on a do-not-mail list").count(), 2, "{file}");
        world.assert_sums().await;
    })
    .await;
}

#[tokio::test]
async fn a_list_for_every_batch_also_keeps_mail_from_a_person_who_is_erased_and_imported_again() {
    World::run_in(quiet_world().await, async |world| {
        let ada = world.person("Ada@example.org").await;
        let never = list(world, "name=Never&always=true", "ada@example.org\nbob@example.org\n").await;
        let path = format!("/v1/do-not-mail-lists/{}", id(&never["id"]));
        let to_ada = || json!({ "emails": ["ada@example.org"] });

        let invites = send(world, "/v1/invites", to_ada()).await;
        let passwords = send(world, "/v1/password-resets", to_ada()).await;
        let exported = world.get(&format!("/v1/users/{ada}/export")).await.expect(200);
        let delete = format!("/v1/users/{ada}");
        world.ask(Method::DELETE, &delete, None, None).await.expect(204);
        let file = world.get(&format!("{path}/addresses.csv")).await.text;
        world.person("ada@example.org").await;
        let again = send(world, "/v1/invites", to_ada()).await;
        let change = Some(json!({ "always": false }));
        let changed = world.ask(Method::PATCH, &path, change, None).await.expect(200);
        let allowed = send(world, "/v1/invites", to_ada()).await;

        for answer in [&invites, &passwords, &again] {
            assert_eq!(answer["left_out"], json!({ "do_not_mail": 1 }), "{answer}");
        }
        let batch = world.batch(id(&invites["batch"])).await;
        assert_eq!(batch["excluded"][0]["always"], true, "{batch}");
        let lists = json!([{ "list": "Never", "email": "ada@example.org" }]);
        assert_eq!(exported["do_not_mail_lists"], lists, "{exported}");
        assert_eq!(
            file.trim_start_matches('\u{feff}'),
            "\"email\"\r\n\"bob@example.org\"\r\n"
        );
        assert_eq!((&changed["addresses"], &changed["always"]), (&json!(2), &json!(false)));
        assert_eq!(allowed["accepted"], 1, "{allowed}");
    })
    .await;
}

#[tokio::test]
async fn addresses_are_put_on_a_list_and_taken_off() {
    World::run_in(quiet_world().await, async |world| {
        world.people(2).await;
        let list = list(world, "name=Never&always=true", "person1@example.org\n").await;
        let path = format!("/v1/do-not-mail-lists/{}", id(&list["id"]));
        let more = json!([{ "email": "PERSON1@example.org" }, { "email": "person2@example.org" }]);

        let added = world.post(&format!("{path}/addresses"), more).await.expect(200);
        let gone = format!("{path}/addresses/Person1@example.org");
        world.ask(Method::DELETE, &gone, None, None).await.expect(204);
        world.ask(Method::DELETE, &gone, None, None).await.expect(204);
        let sent = send(world, "/v1/invites", json!({ "everyone": true })).await;
        world.ask(Method::DELETE, &path, None, None).await.expect(204);
        let later = send(world, "/v1/password-resets", json!({ "everyone": true })).await;

        assert_eq!(added, json!({ "added": 1, "addresses": 2 }));
        assert_eq!(sent["left_out"], json!({ "do_not_mail": 1 }), "{sent}");
        assert_eq!(later["accepted"], 2, "{later}");
        let left = world.rows("do_not_mail_addresses").count().await;
        assert_eq!(left, 0);
    })
    .await;
}
