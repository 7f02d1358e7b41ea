//! Some selected users have no value for a field of the email: the console reports it before sending.

use harness::World;
use harness::browser::Browser;
use serde_json::json;

use crate::{a_quiet_world, go, windows};

const PEOPLE: &str = "email,first name,last name,room\n\
    ann@lerna.example,Ann,Lee,12\n\
    bob@lerna.example,,Stone,12\n\
    cia@lerna.example,,,14\n\
    dan@lerna.example,Dan,Moe,\n\
    eli@lerna.example,,Ray,\n\
    fen@lerna.example,Fen,Wu,15\n";

#[tokio::test]
async fn they_are_counted_on_the_check_page_shown_and_left_out() {
    World::run_in(a_quiet_world().await, async |world| {
        let import = world.import(PEOPLE).await.expect(201)["id"].clone();
        let letter = json!({
            "subject": "{{ first_name }}, your place is ready",
            "body": "Dear {{ first_name }},\n\nyour seat is in room {{ room }}.\n\n[Accept]({{ sign_in_url }})\n",
        });
        world
            .ask(reqwest::Method::PUT, "/v1/system-emails/invite", Some(letter), None)
            .await
            .expect(200);

        for window in windows() {
            let browser = Browser::start(window).await;
            browser.sign_in(world).await;
            let begin = format!(
                "/console/selections/new?kind=invite&import={}",
                import.as_str().unwrap()
            );
            go(&browser, world, &begin).await;
            browser.click("Send Invite Email").await;

            assert_eq!(browser.heading().await, "Check before you send");
            browser
                .sees("3 of 6 people have no first name and there is no default, so it will be blank in their email")
                .await;
            browser.sees("2 of 6 people have no value for room").await;
            browser.assert_sound().await;
            browser.click("See them with no first name").await;
            assert_eq!(browser.heading().await, "People without a first name");
            browser.sees("bob@lerna.example").await;
            browser.sees("eli@lerna.example").await;
            browser.loses("ann@lerna.example").await;
            browser.assert_sound().await;
            browser.click("Leave these people out").await;

            browser.sees("3 people are left out of this selection.").await;
            browser.sees("1 of 3 people has no value for room").await;
            browser.finds("Send 3 invite emails").await;
            browser.assert_sound().await;
            browser.assert_no_console_errors().await;
        }
    })
    .await;
}
