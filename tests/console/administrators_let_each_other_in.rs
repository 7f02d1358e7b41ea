//! Administrators give access to others and take it away.

use std::time::Duration;

use harness::World;
use harness::browser::{self, Browser};
use harness::world::Administrator;

use crate::{a_quiet_world, go};

async fn at_the_console(world: &World, who: &Administrator) -> Browser {
    let browser = Browser::start(browser::Setup::default()).await;
    browser.sign_in_as(world, who).await;
    browser
}

/// Opens an administrator's page from the list.
async fn look_at(browser: &Browser, world: &World, name: &str) {
    go(browser, world, "/console/administrators").await;
    browser.click(name).await;
}

/// The path of a link; the console has another origin in this test.
fn path_of(link: &str) -> String {
    let path = link.find("/console/").map(|at| &link[at..]);
    path.unwrap_or_default().to_owned()
}

/// Opens a link and lets the page's script submit its code.
async fn open_link(browser: &Browser, world: &World, link: &str) {
    go(browser, world, link).await;
    let wish = "the code of the link to be sent";
    let is_sent = async || {
        let path = browser.run("return location.href").await;
        let is_open = browser.text().await.contains("You need the one-time link");
        (!is_open && !path.as_str().unwrap_or_default().contains('#')).then_some(())
    };
    browser.eventually(wish, is_sent).await;
}

async fn choose_with(browser: &Browser, password: &str) {
    browser.fill("Password", password).await;
    browser.fill("Confirm password", password).await;
    browser.click("Set password and sign in").await;
}

#[tokio::test]
async fn an_added_administrator_chooses_a_password_with_a_link() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = Browser::start(browser::Setup::default().width(375).without_scripting()).await;
        priya.sign_in(world).await;

        go(&priya, world, "/console/administrators").await;
        priya.click("Add an administrator").await;
        priya.fill("Their email address", "ana").await;
        priya.fill("Their name", "Priya Nair").await;
        priya.click("Add administrator").await;
        priya.sees("There is a problem").await;
        priya.fill("Their email address", "Ana.Ruiz@Lerna.example").await;
        priya.click("Add administrator").await;
        priya.sees("Another administrator is called Priya Nair").await;
        priya.fill("Their name", "Ana Ruiz").await;
        priya.click("Add administrator").await;
        priya.sees("Copy this link now").await;
        let link = path_of(&priya.value("One-time link").await);
        priya.click("If the link’s page asks for a code").await;
        let code = priya.value("Code").await;
        assert_eq!(link, format!("/console/choose-password#{code}"));
        priya.assert_sound().await;
        priya.click("Go to their page").await;
        priya.sees("They have not chosen a password yet").await;
        priya.loses(&code).await;

        let ana = Browser::start(browser::Setup::default()).await;
        open_link(&ana, world, &link).await;
        ana.sees("You sign in to the Beckon console as Ana.Ruiz@Lerna.example")
            .await;
        ana.assert_sound().await;
        ana.fill("Password", "orchard").await;
        ana.fill("Confirm password", "lantern").await;
        ana.click("Set password and sign in").await;
        ana.sees("Password must be 15 characters or more").await;
        ana.sees("The passwords do not match").await;
        ana.assert_sound().await;
        choose_with(&ana, "orchard lantern seven").await;
        ana.sees("Your password is set, and you are signed in").await;
        open_link(&ana, world, &link).await;
        assert_eq!(ana.heading().await, "This link no longer works");
        ana.assert_sound().await;

        look_at(&priya, world, "Ana Ruiz").await;
        priya.sees("Can sign in").await;
    })
    .await;
}

#[tokio::test]
async fn an_expired_link_is_replaced() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = Browser::start(browser::Setup::default()).await;
        priya.sign_in(world).await;
        go(&priya, world, "/console/administrators/new").await;
        priya.fill("Their email address", "ana@lerna.example").await;
        priya.fill("Their name", "Ana Ruiz").await;
        priya.click("Add administrator").await;
        let first = path_of(&priya.value("One-time link").await);

        let week = Duration::from_hours(7 * 24);
        world.rows("administrators").age(&["link_expires_at"], week).await;

        look_at(&priya, world, "Ana Ruiz").await;
        priya.sees("Link expired").await;
        priya.assert_sound().await;
        let ana = Browser::start(browser::Setup::default()).await;
        open_link(&ana, world, &first).await;
        ana.sees("This link no longer works").await;
        priya.click("Reset password").await;
        let second = path_of(&priya.value("One-time link").await);
        // In the same tab, where a browser does not reload for a changed fragment.
        open_link(&ana, world, &second).await;
        ana.sees("You sign in to the Beckon console as ana@lerna.example").await;
        choose_with(&ana, "orchard lantern seven").await;
        ana.finds("Your account: Ana Ruiz").await;
    })
    .await;
}

#[tokio::test]
async fn a_link_is_used_without_a_script_by_its_code() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = Browser::start(browser::Setup::default()).await;
        priya.sign_in(world).await;
        go(&priya, world, "/console/administrators/new").await;
        priya.fill("Their email address", "ana@lerna.example").await;
        priya.fill("Their name", "Ana Ruiz").await;
        priya.click("Add administrator").await;
        let link = path_of(&priya.value("One-time link").await);

        let ana = Browser::start(browser::Setup::default().width(375).without_scripting()).await;
        go(&ana, world, &link).await;
        ana.sees("You need the one-time link that an administrator gave you.")
            .await;
        ana.assert_sound().await;
        ana.click("Continue").await;
        ana.sees("Enter the code of your link").await;
        ana.assert_sound().await;
        ana.fill("Code", &format!("https://console.lerna.example{link}")).await;
        ana.click("Continue").await;
        ana.sees("You sign in to the Beckon console as ana@lerna.example").await;
        choose_with(&ana, "orchard lantern seven").await;
        ana.finds("Your account: Ana Ruiz").await;
    })
    .await;
}

#[tokio::test]
async fn a_disabled_administrator_is_signed_out_immediately() {
    World::run_in(a_quiet_world().await, async |world| {
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let priya = Browser::start(browser::Setup::default()).await;
        priya.sign_in(world).await;
        let at_work = at_the_console(world, &ana).await;
        go(&at_work, world, "/console/account").await;
        at_work.sees("Where you are signed in").await;

        for name in ["intranet", "payroll"] {
            go(&at_work, world, "/console/keys/new").await;
            at_work.fill("Name of the program that will use it", name).await;
            at_work.click("Create API key").await;
            at_work.sees("Copy this key now").await;
        }
        look_at(&priya, world, "Ana Ruiz").await;
        priya.click("Disable Ana Ruiz").await;
        assert_eq!(priya.heading().await, "Disable Ana Ruiz?");
        priya.sees("Revoke the API keys they created").await;
        assert!(priya.is_chosen("payroll").await);
        priya.unchoose("payroll").await;
        priya.assert_sound().await;
        priya.click("Disable Ana Ruiz").await;
        priya
            .sees("Ana Ruiz is signed out and can no longer sign in. 1 API key they created is revoked.")
            .await;
        priya.assert_sound().await;

        go(&at_work, world, "/console/account").await;
        assert_eq!(at_work.heading().await, "Sign in");
        at_work.enter(&ana.email, &ana.password).await;
        at_work.sees("password is incorrect").await;

        priya.click("Enable Ana Ruiz").await;
        priya.sees("Ana Ruiz can sign in again").await;
        at_work.enter(&ana.email, &ana.password).await;
        at_work.sees("Where you are signed in").await;
    })
    .await;
}

#[tokio::test]
async fn neither_oneself_nor_the_last_administrator_can_be_disabled() {
    World::run_in(a_quiet_world().await, async |world| {
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let priya = Browser::start(browser::Setup::default()).await;
        priya.sign_in(world).await;
        let at_work = at_the_console(world, &ana).await;

        look_at(&priya, world, "Priya Nair").await;
        priya.sees("This is you").await;
        priya.loses("Disable").await;
        // Both open each other's page and click at the same moment.
        look_at(&priya, world, "Ana Ruiz").await;
        look_at(&at_work, world, "Priya Nair").await;
        priya.click("Disable Ana Ruiz").await;
        at_work.click("Disable Priya Nair").await;
        priya.assert_sound().await;
        tokio::join!(priya.click("Disable Ana Ruiz"), at_work.click("Disable Priya Nair"));

        let enabled = world.rows("administrators").without("disabled_at").count().await;
        assert_eq!(enabled, 1);
    })
    .await;
}

#[tokio::test]
async fn a_lost_password_is_reset_with_a_link() {
    World::run_in(a_quiet_world().await, async |world| {
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let priya = Browser::start(browser::Setup::default()).await;
        priya.sign_in(world).await;
        let at_work = at_the_console(world, &ana).await;

        look_at(&priya, world, "Ana Ruiz").await;
        priya.click("Reset password").await;
        priya.sees("Copy this link now").await;
        let link = path_of(&priya.value("One-time link").await);

        go(&at_work, world, "/console/account").await;
        assert_eq!(at_work.heading().await, "Sign in");
        at_work.enter(&ana.email, &ana.password).await;
        at_work.sees("password is incorrect").await;
        open_link(&at_work, world, &link).await;
        choose_with(&at_work, "orchard lantern seven").await;
        at_work.finds("Your account: Ana Ruiz").await;
    })
    .await;
}

#[tokio::test]
async fn other_sessions_can_be_ended() {
    World::run_in(a_quiet_world().await, async |world| {
        let priya = world.administrator().await.clone();
        let here = at_the_console(world, &priya).await;
        let there = at_the_console(world, &priya).await;

        go(&here, world, "/console/account").await;
        here.sees("Another browser").await;
        here.click("End 1 other session").await;
        here.sees("1 other session has ended. You are now signed in only here.")
            .await;
        here.loses("Another browser").await;
        here.assert_sound().await;

        go(&there, world, "/console/account").await;
        assert_eq!(there.heading().await, "Sign in");
    })
    .await;
}
