//! A page of another site tries to act for a signed-in administrator.

use harness::World;
use harness::browser::{self, Browser};

use crate::{a_quiet_world, go};

/// The other site's page. A file has an opaque origin, so it is cross-site by any measure.
const FOREIGN: &str = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/console/foreign.html");

#[tokio::test]
async fn another_site_sends_a_form_and_nothing_is_done() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;

        for path in ["/console/password", "/console/sign-out", "/console/sign-in"] {
            browser.open(FOREIGN).await;
            let address = format!("{}{path}", world.base());
            browser.run(&format!("document.forms[0].action = '{address}'")).await;
            browser.click("Take the prize").await;

            assert_eq!(
                (browser.status().await, browser.heading().await),
                (403, "This form was not accepted".into())
            );
            browser.assert_sound().await;
        }
        go(&browser, world, "/console/password").await;
        assert_eq!(browser.heading().await, "Choose a password");
    })
    .await;
}

#[tokio::test]
async fn a_form_of_ours_without_its_proof_is_not_taken() {
    World::run_in(a_quiet_world().await, async |world| {
        let browser = Browser::start(browser::Setup::default()).await;
        browser.sign_in(world).await;

        for forged in ["", "'x'.repeat(43)"] {
            go(&browser, world, "/console/password").await;
            let change = if forged.is_empty() {
                ".remove()".to_owned()
            } else {
                format!(".value = {forged}")
            };
            browser
                .run(&format!("document.querySelector('main [name=csrf_token]'){change}"))
                .await;
            browser.click("Change password").await;

            assert_eq!(
                (browser.status().await, browser.heading().await),
                (403, "This form was not accepted".into())
            );
        }
        go(&browser, world, "/console/password").await;
        browser.finds("Your account: Priya Nair").await;
    })
    .await;
}
