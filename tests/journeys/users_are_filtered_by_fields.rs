//! Users are filtered by the value of any field, and a filter is saved under a name.

use crate::json;
use crate::people_are_found::{ADA, BOB, CLEO, DAN, ZED, a_world_on_its_way, found};
use harness::World;
use serde_json::Value;
use shared::user_filter::{Comparison, FieldCondition, Negatable, UserFilter};
use uuid::Uuid;

/// Conditions on fields, on why an email failed, and a negated one.
pub(crate) fn conditions_on_fields(import: Uuid) -> Vec<UserFilter> {
    let none = UserFilter::default;
    let mut all = Vec::new();
    for name in [None, Some(Negatable::LastEmailReason)] {
        all.push(UserFilter {
            last_email_reason: Some("address_unknown".to_owned()),
            not: name.into_iter().collect(),
            ..none()
        });
    }
    all.push(UserFilter {
        import: Some(import),
        not: [Negatable::Import].into(),
        ..none()
    });
    for (field, op, value) in [
        ("last_name", Comparison::Is, Some("builder")),
        ("last_name", Comparison::IsNot, Some("Builder")),
        ("email", Comparison::Contains, Some("EXAMPLE.ORG")),
        ("first_name", Comparison::NotEmpty, None),
    ] {
        all.push(UserFilter {
            fields: vec![FieldCondition {
                field: field.to_owned(),
                op,
                value: value.map(str::to_owned),
            }],
            ..none()
        });
    }
    all
}

#[tokio::test]
async fn users_are_found_by_the_values_of_fields() {
    let (world, import) = a_world_on_its_way().await;
    World::run_in(world, async |world| {
        let import = import.as_str().unwrap();
        let more = "email,department,start_date,language\n\
            ada@example.org,HR,2026-11-01,de\nbob@example.com,Human Resources,2026-12-24T09:00,en\n\
            cleo@example.org,hr,1.12.2026,\n550+dan@example.org,,,de-AT\n";
        world.import(more).await.expect(201);
        let one = |field: &str, op: &str, value: Value| json!({ "where": [{ "field": field, "op": op, "value": value }] });
        let none = |field: &str, op: &str| json!({ "where": [{ "field": field, "op": op }] });

        for (filter, people) in [
            (one("department", "is", json!("HR")), vec![ADA, CLEO]),
            (one("Department", "is_not", json!("hr")), vec![DAN, BOB, ZED]),
            (one("department", "contains", json!("resources")), vec![BOB]),
            (one("department", "not_contains", json!("h")), vec![DAN, ZED]),
            (none("department", "empty"), vec![DAN, ZED]),
            (none("department", "not_empty"), vec![ADA, BOB, CLEO]),
            (one("start_date", "before", json!("2026-12-01")), vec![ADA]),
            (one("start_date", "after", json!("2026-11-01")), vec![BOB]),
            (one("language", "contains", json!("de")), vec![DAN, ADA]),
            (one("email", "contains", json!("@example.com")), vec![BOB]),
            (json!({ "q": "builder", "not": ["q"] }), vec![ADA, CLEO, ZED]),
            (json!({ "import": import, "not": ["import"] }), vec![ZED]),
            (json!({ "access": "none", "not": ["access"] }), vec![ADA, BOB]),
            (json!({ "last_email_reason": "address_unknown" }), vec![DAN]),
            (
                json!({ "invited": false, "where": [{ "field": "department", "op": "not_empty" }] }),
                vec![BOB],
            ),
            (
                json!({ "where": [{ "field": "department", "op": "not_empty" }, { "field": "first_name", "op": "is", "value": "cleo" }] }),
                vec![CLEO],
            ),
        ] {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pairs = filter
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name, text(value)));
            let query = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            assert_eq!(found(world, &query).await, people, "{filter}");
        }

        let misspelt = json!({ "filter": { "where": [{ "field": "departmnt", "op": "empty" }] }, "hold_seconds": 600 });
        let refused = world.post("/v1/invites", misspelt).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["code"]),
            (422, &json!("unknown_field"))
        );
        let refused = world
            .get("/v1/users?where=%5B%7B%22field%22%3A%22departmnt%22%2C%22op%22%3A%22empty%22%7D%5D")
            .await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["code"]),
            (400, &json!("unknown_field"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_saved_filter_is_evaluated_when_a_batch_uses_it() {
    let (world, _) = a_world_on_its_way().await;
    World::run_in(world, async |world| {
        world
            .import("email,department\nbob@example.com,HR\nzed@example.net,HR\n")
            .await
            .expect(201);
        let hr = json!({ "invited": false, "where": [{ "field": "department", "op": "is", "value": "HR" }] });

        let saved = world
            .post("/v1/filters", json!({ "name": "HR, not invited", "filter": hr }))
            .await
            .expect(201);
        let again = world
            .post("/v1/filters", json!({ "name": "hr, NOT invited", "filter": hr }))
            .await;
        let everyone = world.post("/v1/filters", json!({ "name": "All", "filter": {} })).await;
        world.import("email,department\nnew@example.net,HR\n").await.expect(201);
        let batch = world
            .invite(json!({ "saved_filter": saved["id"], "hold_seconds": 600 }))
            .await;

        assert_eq!(saved["filter"], hr);
        assert_eq!(saved["words"], json!(["not invited", "department is ‘HR’"]));
        assert_eq!((again.status, everyone.status), (409, 422));
        let mut addresses: Vec<String> = world
            .deliveries(batch)
            .await
            .iter()
            .map(|line| line["email"].as_str().unwrap().to_owned())
            .collect();
        addresses.sort_unstable();
        assert_eq!(addresses, [BOB, "new@example.net", ZED]);
    })
    .await;
}
