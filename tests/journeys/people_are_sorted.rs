//! Users are listed page by page in an order of their own.

use crate::json;
use harness::World;
use shared::store::users::{self, PageEdge, UserOrder};
use shared::user_filter::UserFilter;

const PEOPLE: &str = "email,first name,last name\n\
    one@example.org,Zoe,ahrens\n\
    two@example.org,Ada,Zuse\n\
    three@example.org,Ben,Ahrens\n\
    four@example.org,,\n\
    five@example.org,Cem,\n";

async fn page(world: &World, order: UserOrder, edge: Option<PageEdge>) -> Vec<users::User> {
    let found = users::sorted_page(&world.db, &UserFilter::default(), order, edge, 2).await;
    found.unwrap()
}

/// All users of an order, read in pages of two, and the same backwards from the last.
async fn in_order(world: &World, order: UserOrder) -> (Vec<String>, Vec<String>) {
    let (mut forwards, mut last) = (Vec::new(), None);
    loop {
        let found = page(world, order, last.map(PageEdge::After)).await;
        let Some(user) = found.last() else { break };
        last = Some(user.id);
        forwards.extend(found.iter().map(|user| user.email.clone()));
    }
    let (mut backwards, mut first) = (Vec::new(), last);
    while let Some(edge) = first {
        let found = page(world, order, Some(PageEdge::Before(edge))).await;
        first = found.last().map(|user| user.id);
        backwards.extend(found.into_iter().map(|user| user.email));
    }
    backwards.reverse();
    backwards.extend(forwards.last().cloned());
    (forwards, backwards)
}

/// The same as the API lists them, in pages of two.
async fn by_api(world: &World, order: &str) -> Vec<String> {
    let (mut listed, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world
            .get(&format!("/v1/users?sort={order}&limit=2{cursor}"))
            .await
            .expect(200);
        let users = page["items"].as_array().unwrap();
        listed.extend(users.iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else {
            return listed;
        };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn pages_follow_the_last_name_or_the_latest_invite_in_both_directions() {
    World::run(async |world| {
        world.import(PEOPLE).await.expect(201);
        for email in ["three@example.org", "one@example.org"] {
            let batch = world.invite(json!({ "emails": [email] })).await;
            world.finished(batch).await;
        }

        let (names, names_backwards) = in_order(world, UserOrder::LastName).await;
        let (invited, invited_backwards) = in_order(world, UserOrder::Invited).await;

        let ends = |list: &[String]| {
            list.iter()
                .map(|email| email.split('@').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(&names), ["three", "one", "five", "two", "four"]);
        assert_eq!(names, names_backwards);
        assert_eq!(ends(&invited)[..2], ["one", "three"]);
        assert_eq!(by_api(world, "last_name").await, names);
        assert_eq!(by_api(world, "invited").await, invited);
        let unknown = world.get("/v1/users?sort=shoe_size").await;
        assert_eq!(unknown.status, 400, "{}", unknown.text);
        assert_eq!(invited.len(), 5);
        assert_eq!(invited, invited_backwards);
    })
    .await;
}
