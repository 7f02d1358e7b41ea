//! A system email is customised: edited, previewed, submitted, and found again.

use harness::World;
use harness::browser::{self, Browser};
use serde_json::Value;

use crate::{a_quiet_world, go, windows};

/// The frame beside the form, and the mail in it.
const FRAME: &str = "Preview of the email";
const MAIL: [&str; 2] = [FRAME, "The email"];

const EDITOR: &str = "/console/system-emails/invite";

async fn saved(world: &World) -> Value {
    world.get("/v1/system-emails/invite").await.expect(200)
}

/// Fills in the body, and requests the preview where no script does.
async fn type_body(browser: &Browser, body: &str) {
    browser.fill("Body", body).await;
    if !browser.setup().scripting {
        browser.click("Preview").await;
    }
}

#[tokio::test]
async fn what_is_typed_is_shown_as_it_would_arrive_and_submitted() {
    World::run_in(a_quiet_world().await, async |world| {
        world.person("ada@example.org").await;

        for (version, window) in (2..).zip(windows()) {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, "/console/system-emails").await;
            browser.sees("Reset Password").await;
            browser.assert_sound().await;
            browser.click("Edit Invitation Email to New Users").await;
            browser.sees_within(&MAIL, "Ada").await;
            browser.assert_sound().await;

            browser.fill("Subject", &format!("Come in, {version}")).await;
            if window.scripting {
                browser.fill("Body", "Dear ").await;
                browser.click("Insert {{ first_name }}").await;
                browser.write(&format!(", welcome {version} times.")).await;
            } else {
                let body = format!("Dear {{{{ first_name }}}}, welcome {version} times.");
                type_body(&browser, &body).await;
            }
            browser
                .sees_within(&MAIL, &format!("Dear Ada, welcome {version} times."))
                .await;
            browser.sees_within(&[FRAME], &format!("Come in, {version}")).await;
            browser.click("Plain text").await;
            let text = format!("Subject Come in, {version} Dear Ada, welcome {version} times.");
            browser.sees_within(&[FRAME], &text).await;
            browser.assert_sound().await;
            browser.click("Submit").await;
            if version == 2 {
                // Only the first changes which fields are used.
                browser.click("Save changes").await;
            }

            browser.sees(&format!("Success Saved as version {version}.")).await;
            let expected = format!("Dear {{{{ first_name }}}}, welcome {version} times.");
            assert_eq!(browser.value("Body").await, expected);
            let saved = saved(world).await;
            assert_eq!(
                (&saved["body"], &saved["version"], &saved["changed_by"]),
                (&expected.into(), &version.into(), &"Priya Nair".into())
            );
            browser.assert_sound().await;
            browser.click("Submit").await;
            browser.sees("Note Nothing changed").await;
            browser.assert_sound().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_fault_shows_its_position_and_nothing_typed_is_lost() {
    World::run_in(a_quiet_world().await, async |world| {
        let typed = "Dear {{ first_nam }},\n\nyour password is {{ password }}.\n";

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, EDITOR).await;
            browser.fill("Subject", "").await;
            type_body(&browser, typed).await;
            browser.sees_within(&[FRAME], "This email cannot be sent yet").await;
            browser.sees_within(&[FRAME], "Did you mean {{ first_name }}?").await;
            browser.assert_no_console_errors().await;
            browser.click("Submit").await;

            browser.sees("There is a problem").await;
            assert!(
                browser.title().await.starts_with("Error: "),
                "{}",
                browser.title().await
            );
            browser.finds("Subject: enter a subject").await;
            browser
                .finds("Line 1, column 6: {{ first_nam }} is not a field. Did you mean {{ first_name }}?")
                .await;
            browser.assert_sound().await;
            browser
                .click("Line 3, column 18: The invite email must not contain {{ password }}")
                .await;
            if window.scripting {
                let at = browser.run("return document.activeElement.selectionStart").await;
                assert_eq!(at, typed.find("{{ password").unwrap());
            }
            assert_eq!(browser.value("Body").await, typed);
            assert_eq!(saved(world).await["version"], 1);
        }
    })
    .await;
}

#[tokio::test]
async fn added_and_removed_fields_need_confirmation() {
    World::run_in(a_quiet_world().await, async |world| {
        let bodies = ["{{ first_name }}, come in.", "{{ last_name }}, come in."];

        for (n, window) in windows().into_iter().enumerate() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, EDITOR).await;
            browser.fill("Subject", "Come in").await;
            browser.fill("Body", bodies[n % 2]).await;
            browser.click("Submit").await;

            assert_eq!(browser.heading().await, "Confirm changes");
            browser.sees("You removed").await;
            if n > 0 {
                let gone = ["{{ last_name }} – ", "{{ first_name }} – "][n % 2];
                browser.sees(&format!("You removed {gone}")).await;
            }
            browser.sees("Nothing is saved yet").await;
            browser.assert_sound().await;
            browser.click("Go back").await;
            assert_eq!(browser.value("Body").await, bodies[n % 2]);
            browser.sees("You have unsaved changes").await;
            browser.click("Submit").await;
            browser.click("Save changes").await;
            browser.sees("Success Saved as version").await;
            assert_eq!(saved(world).await["body"], bodies[n % 2]);
        }
    })
    .await;
}

#[tokio::test]
async fn the_editor_leads_back_to_the_page_before() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;

        go(&browser, world, &format!("{EDITOR}?return=/console/password")).await;
        browser.finds("← Back to where you were").await;
        browser.fill("Subject", "").await;
        browser.click("Submit").await;
        browser.sees("There is a problem").await;
        browser.fill("Subject", "Come in").await;
        browser.click("Submit").await;
        browser.sees("Success Saved as version 2.").await;
        browser.click("Go back to where you were").await;
        assert_eq!(browser.path().await, "/console/password");

        for elsewhere in ["https://evil.example", "//evil.example", "/v1/users"] {
            go(&browser, world, &format!("{EDITOR}?return={elsewhere}")).await;
            browser.loses("where you were").await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_submit_just_before_the_preview_is_kept() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        go(&browser, world, EDITOR).await;

        // Keeps the page busy until both the click and the preview, 400 ms after the last keystroke, are due, so that
        // the preview follows before the browser has started the submission.
        browser
            .run(
                "const wait = (until) => { while (performance.now() < until); };
             const body = document.getElementById('body');
             body.value = 'Come in.';
             body.dispatchEvent(new Event('input', { bubbles: true }));
             setTimeout(() => wait(performance.now() + 100), 350);
             setTimeout(() => document.querySelector('.actions button').click(), 390);",
            )
            .await;

        browser.sees("Confirm changes").await;
    })
    .await;
}

#[tokio::test]
async fn an_ended_session_loses_nothing_typed() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;

        for (version, window) in (2..).zip(windows()) {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            go(&browser, world, EDITOR).await;
            let subject = format!("After lunch {version}");
            browser.fill("Subject", &subject).await;
            world.let_sessions_end().await;
            type_body(&browser, "Come in.\n\nAll of you.").await;
            // Where a script requests the preview, it may have arrived before the session ended.
            if !window.scripting {
                browser.sees_within(&[FRAME], "You are signed out").await;
            }
            browser.click("Submit").await;

            browser.sees("We kept what you entered").await;
            browser.enter(&priya.email, &priya.password).await;
            browser.click("Continue").await;
            if version == 2 {
                browser.click("Save changes").await;
            }
            browser.sees(&format!("Success Saved as version {version}.")).await;
            let saved = saved(world).await;
            assert_eq!(saved["subject"], Value::from(subject));
            assert_eq!(saved["body"], "Come in.\n\nAll of you.");
        }
    })
    .await;
}

#[tokio::test]
async fn the_preview_shows_the_requested_person() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;
        go(&browser, world, EDITOR).await;
        browser
            .sees_within(&[FRAME], "There are no users yet: Ada Example is made up.")
            .await;

        world
            .import("email,first name,last name\nbob@example.org,Bob,Builder\ncleo@example.org,,\n")
            .await
            .expect(201);
        browser.fill("Preview as", "builder").await;
        browser.sees_within(&[FRAME], "Bob Builder <bob@example.org>").await;
        browser.fill("Preview as", "CLEO@example.org").await;
        browser.sees_within(&MAIL, "Hello there,").await;
        browser.fill("Body", "Dear {{ first_name }}.").await;
        browser
            .sees_within(&[FRAME], "Left empty because there is no value: {{ first_name }}")
            .await;
        browser.fill("Preview as", "unknown@example.org").await;
        browser
            .sees_within(&[FRAME], "No user matches ‘unknown@example.org’")
            .await;
        // Enter previews and does not save.
        browser.fill("Preview as", "bob@example.org").await;
        browser.press("Enter").await;
        browser.sees_within(&MAIL, "Dear Bob.").await;
        assert_eq!(saved(world).await["version"], 1);
        // However often the preview was loaded, one step back leads to the previous page.
        browser.back().await;
        assert_ne!(browser.path().await, EDITOR);
    })
    .await;
}
