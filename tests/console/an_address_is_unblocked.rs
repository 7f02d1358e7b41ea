//! A blocked address is shown wherever it could be emailed, and an administrator unblocks it.

use harness::World;
use harness::browser::Browser;
use harness::relay::Behaviour;
use serde_json::json;

use crate::{go, windows};

#[tokio::test]
async fn a_password_is_sent_after_the_address_is_unblocked() {
    for window in windows() {
        World::run(async |world| {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            let people = "email,first name\n550+ada@example.org,Ada\n550+eve@example.org,=1+1\nfay@example.org,Fay\n";
            let import = world.import(people).await.expect(201);
            // Accepted before two of the addresses turn out not to exist.
            let again = world
                .reset_passwords(json!({ "import": import["id"], "hold_seconds": 600 }))
                .await;
            let batch = world.invite(json!({ "import": import["id"] })).await;
            world.finished(batch).await;
            go(&browser, world, &format!("/console/batches/{again}")).await;
            browser.click("Send now").await;
            world.finished(again).await;

            what_was_suppressed_is_told(&browser, world, again).await;
            the_list_is_told_and_searched(&browser, world).await;
            a_choice_says_who_gets_nothing(&browser, world, import["id"].as_str().unwrap()).await;
            world.relay.set("550+ada@example.org", Behaviour::Accept);
            one_is_unblocked_and_sent_to(&browser, world).await;

            let acts = world
                .rows("audit")
                .with("action", "address_unblocked")
                .with("who", "Priya Nair")
                .count()
                .await;
            assert_eq!(acts, 2);
        })
        .await;
    }
}

async fn what_was_suppressed_is_told(browser: &Browser, world: &World, batch: uuid::Uuid) {
    go(browser, world, &format!("/console/batches/{batch}")).await;
    browser.sees("1 sent, 2 not sent (blocked addresses).").await;
    browser.sees("Not sent: blocked address").await;
    browser.sees("An earlier email failed on").await;
    browser.assert_sound().await;
    browser.click("2 blocked address").await;
    browser.loses("fay@example.org").await;
    browser.click("Unblock the address of Ada").await;
    browser.sees("550+ada@example.org has been blocked since").await;
    browser.sees("550 5.1.1 no such user").await;
    browser.assert_sound().await;
}

async fn the_list_is_told_and_searched(browser: &Browser, world: &World) {
    go(browser, world, "/console/users").await;
    browser.sees("Blocked address").await;
    browser.click("Blocked addresses").await;
    browser.sees("550+ada@example.org").await;
    browser.sees("550+eve@example.org").await;
    browser.assert_sound().await;
    let file = browser.download("Download (CSV)").await;
    assert_eq!(file.text.lines().count(), 3, "{}", file.text);
    assert!(file.text.contains("\"'=1+1\""), "{}", file.text);
    browser.fill("Search by name or email address", "eve").await;
    browser.click("Search").await;
    browser.loses("550+ada@example.org").await;
    browser.click("Unblock 550+eve@example.org").await;
    browser
        .sees("550+eve@example.org is unblocked. You can send email to it again.")
        .await;
    browser.sees("No blocked addresses match ‘eve’.").await;
    browser.assert_sound().await;
}

async fn a_choice_says_who_gets_nothing(browser: &Browser, world: &World, import: &str) {
    go(
        browser,
        world,
        &format!("/console/selections/new?kind=invite&import={import}"),
    )
    .await;
    let path = browser.path().await;
    let selection = path.split(['/', '?']).nth(3).unwrap().to_owned();
    go(browser, world, &format!("/console/selections/{selection}/check")).await;
    browser.sees("1 person has a blocked address").await;
    browser.sees("They will not be emailed.").await;
    browser.finds("Send 1 invite email").await;
    browser.assert_sound().await;
    browser.click("See the address").await;
    browser.sees("550+ada@example.org").await;
    browser.click("Back to the check").await;
    assert_eq!(browser.heading().await, "Check before you send");
}

async fn one_is_unblocked_and_sent_to(browser: &Browser, world: &World) {
    go(browser, world, "/console/users?q=ada").await;
    browser.click("Ada").await;
    browser.click("Send Password Reset Email").await;
    browser.sees("550+ada@example.org has been blocked since").await;
    browser.assert_sound().await;
    browser.click("Unblock and send 1 password email").await;
    browser.click("Send now").await;
    let batch = browser.path().await;
    let id = batch.rsplit('/').next().unwrap().parse().unwrap();
    world.finished(id).await;
    go(browser, world, &batch).await;
    browser.sees("It was sent.").await;
    go(browser, world, "/console/blocked-addresses").await;
    browser.sees("No blocked addresses").await;
}
