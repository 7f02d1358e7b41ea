//! The wrong file was imported, and no user has been emailed yet.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{a_quiet_world, desk, go, windows};

async fn import(world: &World, n: usize) -> String {
    let rows = format!("email,first name\nknown@example.org,Known {n}\nada@n{n}.example,Ada\nbob@n{n}.example,Bob\n");
    let import = world.import(&rows).await.expect(201);
    format!("/console/imports/{}", import["id"].as_str().unwrap())
}

#[tokio::test]
async fn created_users_are_removed_after_confirmation() {
    World::run_in(a_quiet_world().await, async |world| {
        world
            .import("email,first name\nknown@example.org,Ada\n")
            .await
            .expect(201);

        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            let page = import(world, n).await;
            go(&browser, world, &page).await;

            browser.click("Undo this import").await;
            browser.sees("2 users created by this import will be removed").await;
            browser
                .sees("1 user updated by this import gets their previous details back")
                .await;
            browser.assert_sound().await;
            browser.click("Keep them").await;
            browser.click("Undo this import").await;
            browser.double_click("Remove 2 users and restore 1").await;

            browser.sees("This import was undone by Priya Nair").await;
            browser.sees("2 users were removed").await;
            browser.sees("1 user got their previous details back").await;
            browser.assert_sound().await;
            assert_eq!(browser.path().await, page);
            go(&browser, world, "/console/users").await;
            browser.loses(&format!("ada@n{n}.example")).await;
            browser.loses(&format!("Known {n}")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_import_whose_users_were_emailed_cannot_be_undone() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;
        let page = import(world, 0).await;
        go(&browser, world, &format!("{page}/undo")).await;
        browser.sees("will be removed").await;

        world.invite(json!({ "emails": ["ada@n0.example"] })).await;
        browser.click("Remove 3 users").await;

        browser.sees("This import can no longer be undone.").await;
        browser.sees("1 of its users was emailed or is about to be").await;
        browser.assert_sound().await;
        browser.click("Back to the summary").await;
        browser.loses("No one has been emailed yet.").await;
        browser.loses("Undo this import").await;
    })
    .await;
}
