//! Administrators let others in, and keep them out.

use harness::World;
use harness::browser::{self, Browser};
use harness::world::Administrator;

use crate::{a_quiet_world, go};

async fn at_the_console(world: &World, who: &Administrator) -> Browser {
    let browser = Browser::start(browser::Setup::default()).await;
    browser.sign_in_as(world, who).await;
    browser
}

/// Opens somebody's page from the list.
async fn look_at(browser: &Browser, world: &World, name: &str) {
    go(browser, world, "/console/administrators").await;
    browser.click(name).await;
}

#[tokio::test]
async fn somebody_is_added_and_chooses_their_own_password() {
    let world = a_quiet_world().await;
    let priya = Browser::start(browser::Setup::default().width(375).without_scripting()).await;
    priya.sign_in(&world).await;

    go(&priya, &world, "/console/administrators").await;
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
    priya.sees("Copy this password now").await;
    let first = priya.value("First password").await;
    priya.assert_sound().await;
    priya.click("Go to their page").await;
    priya.sees("They have not chosen their own yet").await;
    priya.loses(&first).await;

    let ana = Browser::start(browser::Setup::default()).await;
    go(&ana, &world, "/console/sign-in").await;
    // It is typed from a note: without regard to case and hyphens.
    ana.enter("ana.ruiz@lerna.example", &first.to_uppercase().replace('-', " "))
        .await;
    ana.sees("Choose your own before you go on").await;
    go(&ana, &world, "/console/keys").await;
    assert_eq!(ana.path().await, "/console/password");
    ana.fill("New password", "orchard lantern seven").await;
    ana.fill("New password, once more", "orchard lantern seven").await;
    ana.click("Change password").await;
    ana.sees("Your password is changed").await;

    look_at(&priya, &world, "Ana Ruiz").await;
    priya.sees("Can sign in").await;
    world.end().await;
}

#[tokio::test]
async fn a_first_password_becomes_too_old() {
    let world = a_quiet_world().await;
    let priya = Browser::start(browser::Setup::default()).await;
    priya.sign_in(&world).await;
    go(&priya, &world, "/console/administrators/new").await;
    priya.fill("Their email address", "ana@lerna.example").await;
    priya.fill("Their name", "Ana Ruiz").await;
    priya.click("Add administrator").await;
    priya.sees("Copy this password now").await;
    let first = priya.value("First password").await;

    sqlx::query("update administrators set password_made_at = now() - interval '7 days' where must_choose")
        .execute(&world.db)
        .await
        .unwrap();

    look_at(&priya, &world, "Ana Ruiz").await;
    priya.sees("First password expired").await;
    let ana = Browser::start(browser::Setup::default()).await;
    go(&ana, &world, "/console/sign-in").await;
    ana.enter("ana@lerna.example", &first).await;
    ana.sees("do not belong together").await;
    priya.click("Make a new password").await;
    let second = priya.value("First password").await;
    ana.enter("ana@lerna.example", &second).await;
    ana.sees("Choose your own before you go on").await;
    world.end().await;
}

#[tokio::test]
async fn whoever_is_disabled_is_out_at_once() {
    let world = a_quiet_world().await;
    let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
    let priya = Browser::start(browser::Setup::default()).await;
    priya.sign_in(&world).await;
    let at_work = at_the_console(&world, &ana).await;
    go(&at_work, &world, "/console/account").await;
    at_work.sees("Where you are signed in").await;

    look_at(&priya, &world, "Ana Ruiz").await;
    priya.click("Disable Ana Ruiz").await;
    priya.sees("Ana Ruiz is signed out and cannot sign in any more").await;
    priya.assert_sound().await;

    go(&at_work, &world, "/console/account").await;
    assert_eq!(at_work.heading().await, "Sign in");
    at_work.enter(&ana.email, &ana.password).await;
    at_work.sees("do not belong together").await;

    priya.click("Enable Ana Ruiz").await;
    priya.sees("Ana Ruiz can sign in again").await;
    at_work.enter(&ana.email, &ana.password).await;
    at_work.sees("Where you are signed in").await;
    world.end().await;
}

#[tokio::test]
async fn nobody_disables_themselves_or_the_last_one() {
    let world = a_quiet_world().await;
    let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
    let priya = Browser::start(browser::Setup::default()).await;
    priya.sign_in(&world).await;
    let at_work = at_the_console(&world, &ana).await;

    look_at(&priya, &world, "Priya Nair").await;
    priya.sees("This is you").await;
    priya.loses("Disable").await;
    // Both open each other's page, and press at the same moment.
    look_at(&priya, &world, "Ana Ruiz").await;
    look_at(&at_work, &world, "Priya Nair").await;
    tokio::join!(priya.click("Disable Ana Ruiz"), at_work.click("Disable Priya Nair"));

    let enabled: i64 = sqlx::query_scalar("select count(*) from administrators where disabled_at is null")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(enabled, 1);
    world.end().await;
}

#[tokio::test]
async fn somebody_who_lost_their_password_gets_another() {
    let world = a_quiet_world().await;
    let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
    let priya = Browser::start(browser::Setup::default()).await;
    priya.sign_in(&world).await;
    let at_work = at_the_console(&world, &ana).await;

    look_at(&priya, &world, "Ana Ruiz").await;
    priya.click("Make a new password").await;
    priya.sees("Copy this password now").await;
    let new = priya.value("First password").await;

    go(&at_work, &world, "/console/account").await;
    assert_eq!(at_work.heading().await, "Sign in");
    at_work.enter(&ana.email, &ana.password).await;
    at_work.sees("do not belong together").await;
    at_work.enter(&ana.email, &new).await;
    at_work.sees("Choose your own before you go on").await;
    world.end().await;
}

#[tokio::test]
async fn one_ends_ones_other_sessions() {
    let world = a_quiet_world().await;
    let priya = world.administrator().await.clone();
    let here = at_the_console(&world, &priya).await;
    let there = at_the_console(&world, &priya).await;

    go(&here, &world, "/console/account").await;
    here.sees("Another browser").await;
    here.click("End 1 other session").await;
    here.sees("1 other session has ended. You are signed in here only.")
        .await;
    here.loses("Another browser").await;
    here.assert_sound().await;

    go(&there, &world, "/console/account").await;
    assert_eq!(there.heading().await, "Sign in");
    world.end().await;
}
