//! The page of a paused batch shows that its expiry clock is stopped.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::go;

#[tokio::test]
async fn a_paused_password_batch_shows_the_time_left() {
    let browser = Browser::start(browser::Setup::default()).await;
    World::run_with(Setup::default().workers(0), async |world| {
        world.person("ada@example.org").await;
        world.person("bob@example.org").await;
        browser.sign_in(world).await;
        let people = json!({ "emails": ["ada@example.org", "bob@example.org"] });
        let passwords = world.reset_passwords(people.clone()).await;
        let invites = world.invite(people).await;
        world.let_hours_pass(20).await;
        for batch in [passwords, invites] {
            world
                .post(&format!("/v1/batches/{batch}/pause"), json!({}))
                .await
                .expect(200);
        }
        world.let_hours_pass(30).await;

        go(&browser, world, &format!("/console/batches/{passwords}")).await;
        browser
            .sees("2 emails are on hold until you resume. Nothing is lost.")
            .await;
        browser
            .sees("Password emails expire if they are not sent in time. The time limit is paused too: 4 hours will be left when you resume.")
            .await;
        browser.assert_sound().await;
        go(&browser, world, &format!("/console/batches/{invites}")).await;
        browser
            .sees("2 emails are on hold until you resume. Nothing is lost.")
            .await;
        browser.loses("expire").await;
    })
    .await;
}
