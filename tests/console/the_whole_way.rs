//! An administrator's complete path: from a spreadsheet to the mail server's replies, and back to the one user who asks
//! for a new password. It runs in each of four windows, because this is the console's main purpose.

use harness::browser::{self, Browser};
use harness::{Setup, World};
use serde_json::json;

use crate::files::file;
use crate::{desk, go, telephone};

/// An address that the mail server does not know.
const UNKNOWN: &str = "550+gone@example.org";

/// Has chosen a password before the others do.
const EARLY: &str = "early@example.org";

#[tokio::test]
async fn at_a_desk() {
    the_whole_way(desk()).await;
}

#[tokio::test]
async fn at_a_telephone() {
    the_whole_way(telephone()).await;
}

#[tokio::test]
async fn at_a_desk_without_scripts() {
    the_whole_way(desk().without_scripting()).await;
}

#[tokio::test]
async fn at_a_telephone_without_scripts() {
    the_whole_way(telephone().without_scripting()).await;
}

async fn the_whole_way(window: browser::Setup) {
    World::run_with(Setup::default().api_setting("BECKON_MAIL_RATE", "5"), async |world| {
        somebody_has_signed_in(world).await;
        let browser = Browser::start(window).await;
        browser.sign_in(world).await;

        a_file_is_brought_in(&browser, world).await;
        people_are_chosen(&browser).await;
        the_email_is_looked_at(&browser).await;
        the_sums_are_checked(&browser).await;
        it_is_undone_and_sent_again(&browser).await;
        it_is_followed_to_its_end(&browser).await;
        one_mail_is_traced(&browser).await;
        everybody_has_one_mail_and_gets_in(world).await;
        the_email_is_rewritten(&browser, world).await;
        one_person_gets_another(&browser, world).await;
        world.assert_promises_kept().await;
    })
    .await;
}

async fn somebody_has_signed_in(world: &World) {
    world.person(EARLY).await;
    let batch = world.reset_passwords(json!({ "emails": [EARLY] })).await;
    world.finished(batch).await;
    let mail = world.relay.mails_to(EARLY).unwrap().remove(0);
    world.sign_in(EARLY, mail.password().unwrap()).await;
}

async fn a_file_is_brought_in(browser: &Browser, world: &World) {
    let people: Vec<String> = (1..=12)
        .map(|n| format!("person{n}@example.org,Person {n},Example"))
        .collect();
    let people = people.join("\n");
    let rows = format!(
        "Email,First name,Last name\n{EARLY},Early,Example\n{UNKNOWN},Gone,Example\n{people}\n\
         \"pat@gmail,com\",Pat,Example\nno address,Nameless,Example\n"
    );
    browser.click("Imports").await;
    browser.click("Import users").await;
    browser.attach("File", &file(world, "staff.csv", rows)).await;
    browser.click("Upload and check").await;
    assert_eq!(browser.heading().await, "Check import: staff.csv");
    browser.sees("Not a valid email address").await;
    browser.sees("did you mean").await;
    browser.assert_sound().await;
    browser.click("Import 14 users").await;
    assert_eq!(browser.heading().await, "Import summary: staff.csv");
    browser.sees("14 users are imported.").await;
    browser.assert_sound().await;
}

/// Selects everyone in the file except Person 12; users who have signed in are not preselected.
async fn people_are_chosen(browser: &Browser) {
    browser.click("Invite Users").await;
    browser.click("Send Password Reset Email").await;
    browser.sees("Step 1 of 3").await;
    browser.unchoose("Select Person 12 Example, person12@example.org").await;
    browser.pick("Show", "All").await;
    browser.click("Search").await;
    browser.choose("Select Early Example, early@example.org").await;
    browser.assert_sound().await;
    browser.click("Preview").await;
}

async fn the_email_is_looked_at(browser: &Browser) {
    assert_eq!(browser.heading().await, "Preview: Reset Password");
    browser.sees("(1 of 13)").await;
    browser.sees_within(&["The email to Early Example"], "••••").await;
    browser.click("Next").await;
    browser.sees("(2 of 13)").await;
    browser.click("Plain text").await;
    browser.sees("••••").await;
    browser.sees("(2 of 13)").await;
    browser.assert_sound().await;
    browser.click("Continue").await;
}

async fn the_sums_are_checked(browser: &Browser) {
    assert_eq!(browser.heading().await, "Check before you send");
    browser.sees("Expected to finish").await;
    browser.sees("already signed in").await;
    let ledger = "return [...document.querySelectorAll('.ledger dd')].map((dd) => parseInt(dd.innerText.replace(/[^0-9]/g, '')))";
    let sums = browser.run(ledger).await;
    let sums: Vec<i64> = serde_json::from_value(sums).unwrap();
    let (sent, others) = sums.split_last().unwrap();
    assert_eq!(others[0] - others[1..].iter().sum::<i64>(), *sent, "{sums:?}");
    browser.assert_sound().await;
}

async fn it_is_undone_and_sent_again(browser: &Browser) {
    browser.click("Send 12 password emails").await;
    browser.sees("12 password emails start at").await;
    browser.assert_sound().await;
    browser.click("Undo").await;
    browser.sees("Nothing was sent.").await;
    browser.click("Back to the preview").await;
    browser.click("Continue").await;
    browser.double_click("Send 12 password emails").await;
    browser.sees("12 password emails start at").await;
    browser.click("Send now").await;
}

async fn it_is_followed_to_its_end(browser: &Browser) {
    browser.click("Pause").await;
    browser.sees("Paused").await;
    browser.assert_sound().await;
    browser.click("Resume").await;
    browser
        .eventually("the batch to end", async || {
            if !browser.setup().scripting {
                browser.reload().await;
            }
            browser.text().await.contains("11 sent, 1 failed.").then_some(())
        })
        .await;
    browser.assert_sound().await;
}

async fn one_mail_is_traced(browser: &Browser) {
    browser.sees("Address does not exist").await;
    browser.click("Gone Example").await;
    browser.sees("550 5.1.1").await;
    browser.assert_sound().await;
}

async fn everybody_has_one_mail_and_gets_in(world: &World) {
    for n in 1..=11 {
        let person = format!("person{n}@example.org");
        let mails = world.relay.mails_to(&person).unwrap();
        assert_eq!(mails.len(), 1, "{person}");
        world.sign_in(&person, mails[0].password().unwrap()).await;
    }
    assert_eq!(world.relay.mails_to("person12@example.org").unwrap().len(), 0);
    assert_eq!(world.relay.mails_to(EARLY).unwrap().len(), 1, "the one from before");
}

async fn the_email_is_rewritten(browser: &Browser, world: &World) {
    go(browser, world, "/console/system-emails").await;
    browser.click("Edit Reset Password").await;
    browser.fill("Subject", "The way in").await;
    browser.click("Submit").await;
    browser.sees("Saved as version 2.").await;
    browser.assert_sound().await;
}

async fn one_person_gets_another(browser: &Browser, world: &World) {
    go(browser, world, "/console/users?q=person12%40").await;
    browser.click("Person 12 Example").await;
    browser.click("Send Password Reset Email").await;
    browser.click("Send 1 password email").await;
    browser.click("Send now").await;
    world
        .eventually("the mail", async || {
            let mails = world.relay.mails_to("person12@example.org").ok()?;
            (mails.len() == 1 && mails[0].header("Subject")? == "The way in").then_some(())
        })
        .await;
    browser.assert_no_console_errors().await;
}
