//! A batch whose details are no longer kept: the page shows its totals and explains why there is no more.

use harness::browser::Browser;
use harness::{Setup, World};
use serde_json::json;

use crate::{desk, go};

#[tokio::test]
async fn its_page_explains_this_and_offers_nothing_that_is_gone() {
    let setup = Setup::default().api_setting("BECKON_DETAILS_KEPT", "30d");
    World::run_with(setup, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        world.people(2).await;
        let csv = "email,first_name\nunknown at all,Nameless\n";
        let import = world.import(csv).await.expect(201)["id"].as_str().unwrap().to_owned();
        world.person("550+unknown@example.org").await;
        let emails = [
            "person1@example.org",
            "person2@example.org",
            "550+unknown@example.org",
            "stranger@example.org",
        ];
        let batch = world.invite(json!({ "emails": emails })).await;
        world.finished(batch).await;
        world.let_days_pass(70).await;
        world.kill_api().await;
        world.start_api().await.unwrap();
        world
            .eventually("the details are dropped", async || {
                world.batch(batch).await["details_dropped_at"].is_string().then_some(())
            })
            .await;

        go(&browser, world, &format!("/console/batches/{batch}")).await;
        browser.sees("2 sent, 1 failed.").await;
        browser.sees("The details of each person were deleted on").await;
        let text = browser.text().await;
        for gone in [
            "Download report",
            "Search by name",
            "See who was left out",
            "Correct the address",
        ] {
            assert!(!text.contains(gone), "{gone}\n{text}");
        }
        browser.assert_sound().await;
        browser.click("1 left out").await;
        browser.sees("Their names were deleted on").await;
        browser.assert_sound().await;
        go(&browser, world, &format!("/console/imports/{import}")).await;
        browser.sees("1 row was not imported").await;
        browser.sees("The contents of these rows were deleted on").await;
        browser.loses("Download the").await;
        browser.assert_sound().await;
        go(&browser, world, "/console/users?status=invited").await;
        browser.sees("person1@example.org").await;
        browser.assert_sound().await;
    })
    .await;
}
