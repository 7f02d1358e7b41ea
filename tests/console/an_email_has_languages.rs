//! A language is added to a system email, compared with the default text, counted before sending, and removed.

use harness::World;
use harness::browser::Browser;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{a_quiet_world, go, windows};

const PEOPLE: &str = "email,first name,language\n\
    ann@lerna.example,Ann,de-AT\n\
    bob@lerna.example,Bob,de\n\
    cia@lerna.example,Cia,fr\n\
    dan@lerna.example,Dan,\n";

/// Adds a German text, with two mistakes on the way.
async fn german_is_added(browser: &Browser, world: &World) {
    go(browser, world, "/console/system-emails/invite").await;
    browser.click("Add a language").await;
    browser.fill("Language", "?").await;
    browser.click("Add").await;
    browser.sees("Not a language code").await;
    browser.click("Add a language").await;
    browser.fill("Language", "German").await;
    browser.click("Add").await;

    assert_eq!(browser.heading().await, "Invitation Email to New Users: German (de)");
    browser.sees("Default text").await;
    browser.assert_sound().await;
    browser.fill("Subject", "Hallo").await;
    browser.fill("Body", "Hallo {{ first_nam }}").await;
    browser.click("Submit").await;
    browser.sees("{{ first_nam }} is not a field.").await;
    browser.assert_sound().await;
    browser.fill("Body", "Hallo {{ first_name }}").await;
    browser.click("Submit").await;
    browser.sees("Success Saved as version").await;
}

#[tokio::test]
async fn a_language_is_added_beside_the_default_text_and_its_users_are_counted() {
    World::run_in(a_quiet_world().await, async |world| {
        let import = world.import(PEOPLE).await.expect(201)["id"].clone();
        let path = "/v1/system-emails/invite";

        for window in windows() {
            let default =
                json!({ "subject": "Hello", "body": "Hello {{ first_name }}", "language": "en", "translations": {} });
            world.ask(Method::PUT, path, Some(default), None).await.expect(200);
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            german_is_added(&browser, world).await;

            let changed = json!({ "subject": "Welcome", "body": "Hello {{ first_name }}" });
            world.ask(Method::PUT, path, Some(changed), None).await.expect(200);
            let begin = format!(
                "/console/selections/new?kind=invite&import={}",
                import.as_str().unwrap()
            );
            go(&browser, world, &begin).await;
            browser.click("Preview").await;
            browser.sees("German (de)").await;
            browser.assert_sound().await;
            browser.click("Continue").await;
            browser.sees("English (en), the default text: 2").await;
            browser.sees("German (de): 2 (older than the default text)").await;
            browser.assert_sound().await;

            go(&browser, world, "/console/system-emails/invite").await;
            browser.click("German (de) (older than the default)").await;
            browser
                .sees("The default text was changed after this translation.")
                .await;
            browser.assert_sound().await;
            browser.click("Submit").await;
            browser
                .loses("The default text was changed after this translation.")
                .await;
            let saved = world.get(path).await.expect(200);
            assert_eq!(
                saved["translations"]["de"],
                json!({ "subject": "Hallo", "body": "Hallo {{ first_name }}", "older_than_default": false })
            );
            browser.click("Remove German (de)").await;
            browser.sees("German (de) was removed. Earlier versions keep it.").await;
            let saved: Value = world.get(path).await.expect(200);
            assert_eq!(saved["translations"], json!({}));
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}
