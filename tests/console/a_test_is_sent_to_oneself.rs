//! An administrator first sends the email to themselves.

use harness::World;
use harness::browser::Browser;
use harness::world::PATIENCE;

use crate::{go, windows};

const EDITOR: &str = "/console/system-emails/invite";

#[tokio::test]
async fn a_test_arrives_and_its_version_is_reported() {
    World::run(async |world| {
        let priya = world.administrator().await;

        for (n, window) in (1..).zip(windows()) {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, EDITOR).await;
            assert_eq!(browser.value("Send to").await, priya.email);

            browser.click("Send a test").await;

            browser
                .sees(&format!(
                    "Success A test of version 1 is on its way to {}.",
                    priya.email
                ))
                .await;
            browser.assert_sound().await;
            world.relay.wait_for(2 * n - 1, PATIENCE).await.unwrap();
            let mail = world.relay.mails_to(&priya.email).unwrap().pop().unwrap();
            assert!(mail.subject.starts_with("[Test] You're invited"), "{}", mail.subject);
            assert!(mail.text.contains("Hello Ada,"), "{}", mail.text);

            browser.fill("Send to", "friend@example").await;
            browser.fill("Body", "Not saved yet.").await;
            browser.click("Send a test").await;
            browser.sees("There is a problem").await;
            browser.finds("Not a valid email address").await;
            assert_eq!(browser.value("Send to").await, "friend@example");
            assert_eq!(browser.value("Body").await, "Not saved yet.");
            browser.assert_sound().await;
            browser.fill("Send to", "friend@example.org").await;
            // Two clicks send it once.
            browser.double_click("Send a test").await;
            browser.sees("on its way to friend@example.org.").await;
            browser.sees("It does not include your unsaved changes").await;
            assert_eq!(browser.value("Body").await, "Not saved yet.");
            world.relay.wait_for(2 * n, PATIENCE).await.unwrap();
        }
        let mails = world.relay.mails_to("friend@example.org").unwrap();
        assert_eq!(mails.len(), windows().len(), "one for each window");
        world.assert_promises_kept().await;
    })
    .await;
}
