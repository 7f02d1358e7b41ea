//! Browsing a list of options with the arrow keys does not leave the page (WCAG 2.2, 3.2.2).

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{desk, go};

/// Marks the page, focuses this field and presses a key in it; asserts that the page is still the same.
async fn press_in(browser: &Browser, field: &str, key: &str) -> String {
    let focus = format!("window.isTheSame = true; document.getElementById('{field}').focus();");
    browser.run(&focus).await;
    let name = browser.focused().await;
    browser.press(key).await;
    let settled = "return new Promise((done) => setTimeout(() => done(window.isTheSame === true), 500))";
    assert_eq!(browser.run(settled).await, true, "{name}: another page came");
    assert_eq!(browser.run("return document.readyState").await, "complete");
    browser.focused().await
}

#[tokio::test]
async fn an_arrow_key_in_a_choice_changes_no_page_and_keeps_the_focus() {
    World::run(async |world| {
        world.people(3).await;
        let emails = ["person1@example.org", "person2@example.org"];
        let mailed = world.reset_passwords(json!({ "emails": emails })).await;
        world.finished(mailed).await;
        let browser = Browser::start(desk()).await;
        browser.sign_in(world).await;

        go(&browser, world, "/console/users").await;
        assert_eq!(press_in(&browser, "status", "Down").await, "Show");
        assert_eq!(browser.value("Show").await, "not_invited");
        assert_eq!(press_in(&browser, "status", "Down").await, "Show");
        browser.click("Search").await;
        assert_eq!(browser.value("Show").await, "invited");
        browser.sees("No users match these filters.").await;

        go(
            &browser,
            world,
            "/console/selections/new?kind=password_reset&everyone=true",
        )
        .await;
        browser.click("Send Password Reset Email").await;
        browser.sees("Send 1 password email").await;
        assert_eq!(press_in(&browser, "without-recent", "Down").await, "Send it again");
        assert!(browser.is_chosen("Send it again").await);
        browser.press("Tab").await;
        assert_eq!(browser.focused().await, "Update the numbers");
        browser.click("Update the numbers").await;
        browser.sees("Send 3 password emails").await;
    })
    .await;
}
