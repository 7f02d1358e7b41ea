//! A user mistypes or guesses a password.

use harness::World;
use harness::browser::Browser;

use crate::{a_quiet_world, go, windows};

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_message() {
    const WORDS: &str = "The email address or password is incorrect.";
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;

        for window in windows() {
            let browser = Browser::start(window).await;
            go(&browser, world, "/console/sign-in").await;
            for (email, password) in [
                (priya.email.as_str(), "lantern orchard Pria Nair"),
                ("unknown@lerna.example", priya.password.as_str()),
                ("unknown at all@", "lantern"),
            ] {
                if !window.scripting || email.contains(' ') {
                    // Chromium itself would not submit this address.
                    browser.run("document.forms[0].noValidate = true").await;
                }
                browser.enter(email, password).await;

                browser.sees(WORDS).await;
                assert_eq!(browser.title().await, "Error: Sign in – Beckon");
                assert_eq!(browser.status().await, 422);
                assert_eq!(browser.value("Email address").await, email);
                assert_eq!(browser.value("Password").await, "");
                browser.click(WORDS).await;
                assert_eq!(browser.focused().await, "Email address");
                browser.assert_sound().await;
            }

            browser.enter(&priya.email, &priya.password).await;
            browser.finds("Your account: Priya Nair").await;
        }
        let page = world.probe("/metrics").await.text;
        for (outcome, times) in [
            ("wrong", 3 * windows().len()),
            ("right", windows().len()),
            ("throttled", 0),
        ] {
            let line = format!("beckon_console_sign_ins_total{{outcome=\"{outcome}\"}} {times}");
            assert!(page.contains(&line), "no {line} in\n{page}");
        }
    })
    .await;
}
