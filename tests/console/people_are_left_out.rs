//! People are left out of a batch: by a do-not-mail list, and by a saved filter.

use harness::browser::Browser;
use harness::{Setup, World};
use serde_json::json;

use crate::{go, windows};

#[tokio::test]
async fn a_list_is_pasted_and_left_out_with_a_filter_of_one_batch() {
    World::run_with(Setup::default().workers(0).api_setting("BECKON_HOLD", "600s"), async |world| {
        let filter =
            json!({ "name": "Guests", "filter": { "where": [{ "field": "last_name", "op": "is", "value": "Guest" }] } });
        world.post("/v1/filters", filter).await.expect(201);

        for (n, window) in windows().into_iter().enumerate() {
            let csv = format!(
                "email,last_name\nann{n}@lerna.example,Lee\nbob{n}@lerna.example,Guest\ncia{n}@lerna.example,Moe\n"
            );
            let import = world.import(&csv).await.expect(201)["id"].clone();
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            let name = format!("On leave {n}");
            a_list_is_pasted(&browser, world, &name, n).await;

            let import = import.as_str().unwrap();
            go(
                &browser,
                world,
                &format!("/console/selections/new?kind=invite&import={import}"),
            )
            .await;
            browser.click("Send Invite Email").await;
            browser.finds("Send 3 invite emails").await;
            browser.click("Leave people out").await;
            browser.choose(&name).await;
            browser.choose("Guests").await;
            browser.assert_sound().await;
            browser.click("Send 3 invite emails").await;

            browser
                .sees("You changed the options. Check the numbers and the start time, then send.")
                .await;
            browser.sees("Is on a do-not-mail list").await;
            browser.sees("Matches an excluded filter").await;
            assert!(browser.is_chosen(&name).await && browser.is_chosen("Guests").await);
            browser.assert_sound().await;
            browser.click("Send 1 invite email").await;

            browser
                .sees(&format!(
                    "Excluded from this batch: filter ‘Guests’, do-not-mail list ‘{name}’."
                ))
                .await;
            browser.sees("1 invite email starts").await;
            browser.assert_sound().await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}

/// Adds a list by pasting, first with a fault.
async fn a_list_is_pasted(browser: &Browser, world: &World, name: &str, n: usize) {
    go(browser, world, "/console/users").await;
    browser.click("Do-not-mail lists").await;
    browser.click("Add a list").await;
    browser.click("Save list").await;
    browser.sees("Select a file, or paste the addresses").await;
    browser.fill("Name of the list", name).await;
    browser
        .fill("Or paste addresses", "ann@lerna\u{200b}.example\nnobody\n")
        .await;
    browser.click("Save list").await;
    browser.sees("Nothing was added to the list").await;
    browser.assert_sound().await;
    browser
        .sees("Row 2: Not a valid email address: it has no @ (‘nobody’)")
        .await;
    assert_eq!(browser.value("Name of the list").await, name);
    assert!(browser.value("Or paste addresses").await.ends_with("nobody\n"));
    browser
        .fill(
            "Or paste addresses",
            &format!("Ann <ANN{n}@lerna.example>\nzoe@lerna.example\n"),
        )
        .await;
    browser.click("Save list").await;
    browser.sees("The list was saved.").await;
    assert_eq!(browser.heading().await, name);
    browser.assert_sound().await;
    browser.click("Leave them out of every batch").await;
    browser.sees("Every batch leaves out the users on this list").await;
    browser.click("Leave them out only when the list is chosen").await;
    browser.click("Remove zoe@lerna.example").await;
    browser.sees("zoe@lerna.example is no longer on this list.").await;
    browser.click("Add addresses").await;
    browser.fill("Or paste addresses", "yan@lerna.example").await;
    browser.click("Add addresses").await;
    browser.sees("1 address was added to this list.").await;
}
