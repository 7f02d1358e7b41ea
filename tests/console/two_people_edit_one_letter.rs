//! Two administrators edit the same system email at the same time.

use harness::World;
use harness::browser::Browser;
use harness::world::Administrator;
use serde_json::Value;

use crate::{a_quiet_world, desk, go, telephone};

const EDITOR: &str = "/console/system-emails/invite";

async fn saved(world: &World) -> Value {
    world.get("/v1/system-emails/invite").await.expect(200)["body"].clone()
}

/// Opens the editor and fills in a body without submitting it.
async fn at_the_editor(browser: &Browser, world: &World, who: &Administrator, body: &str) {
    browser.sign_in_as(world, who).await;
    go(browser, world, EDITOR).await;
    browser.fill("Body", body).await;
}

#[tokio::test]
async fn no_text_is_overwritten_unseen() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await;
        let omar = world.another_administrator("Omar Haddad", "omar@lerna.example").await;
        // From here on the set of fields stays the same.
        let first = serde_json::json!({ "subject": "Come in", "body": "Come in, {{ first_name }}." });
        world
            .ask(reqwest::Method::PUT, "/v1/system-emails/invite", Some(first), None)
            .await
            .expect(200);

        for window in [desk(), telephone().without_scripting()] {
            let (hers, his) = (Browser::start(window).await, Browser::start(window).await);
            let other = "Come in, {{ first_name }}.\n\nThe gate is open.";
            at_the_editor(&hers, world, priya, other).await;
            let own = "Come in, {{ first_name }}.\n\nThe gate is shut.\n\nRing the bell.";
            at_the_editor(&his, world, &omar, own).await;
            hers.click("Submit").await;
            hers.sees("Success Saved as version").await;

            his.click("Submit").await;

            assert_eq!(his.heading().await, "Changed by Priya Nair while you were editing");
            for text in [
                "Compare before you save",
                "The gate is open.",
                "The gate is shut.",
                "Ring the bell.",
            ] {
                his.sees(text).await;
            }
            his.assert_sound().await;
            assert_eq!(saved(world).await, other, "nothing is saved yet");
            his.click("Keep editing mine").await;
            assert_eq!(his.value("Body").await, own);
            let both = "Come in, {{ first_name }}.\n\nThe gate is open.\n\nRing the bell.";
            his.fill("Body", both).await;
            // He has seen her changes, so he is not asked again.
            his.click("Submit").await;
            his.sees("Success Saved as version").await;
            assert_eq!(saved(world).await, both);

            let mine = "Come in, {{ first_name }}. It is warm inside.";
            hers.fill("Body", mine).await;
            hers.click("Submit").await;
            assert_eq!(hers.heading().await, "Changed by Omar Haddad while you were editing");
            hers.click("Save mine over version").await;
            hers.sees("Success Saved as version").await;
            assert_eq!(saved(world).await, mine);
        }
    })
    .await;
}
