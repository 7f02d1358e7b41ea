//! Rules for every page: it is accessible in light and dark, wide and narrow; it never scrolls horizontally; it writes
//! nothing to the browser's console.
//!
//! The pages are those of the routes in `api/src/console`; a page missing from [`pages`] fails by name. Each is visited
//! in a world in which much has happened, and those that are not about a single thing also in an empty one. With a
//! folder in `BECKON_PICTURES`, screenshots of all pages are stored there.

mod answers;
mod pages;
mod routes;
mod scene;
mod uploads;

use std::collections::BTreeSet;
use std::path::PathBuf;

use harness::browser::{self, Browser, Part};

use crate::go;
use pages::Visit;
use scene::Scene;

/// The windows in which every page is checked with scripts running, and which rules are checked.
///
/// In the dark, `console.css` changes only colours, and it has no breakpoint between a phone's width and the narrowest,
/// where only positions differ. Checking everything six times would find nothing more.
const WINDOWS: [(u32, bool, Part); 5] = [
    (1280, false, Part::All),
    (1280, true, Part::Colours),
    (375, false, Part::All),
    (375, true, Part::Colours),
    (320, false, Part::Places),
];

/// Visits all pages of one world.
struct Walk<'w> {
    scene: &'w Scene,
    administrator: Browser,
    stranger: Browser,
    faults: Vec<String>,
    /// A fault is reported once, for the first page and window that shows it.
    reported: BTreeSet<String>,
}

#[tokio::test]
async fn every_page_is_accessible() {
    let administrator = Browser::start(browser::Setup::default()).await;
    let scene = Scene::in_which_much_has_happened(&administrator).await;

    let faults = walk_through(&scene, administrator).await;

    assert!(faults.is_empty(), "{}", faults.join("\n"));
    scene.world.end().await;
}

#[tokio::test]
async fn every_page_is_accessible_where_nothing_has_happened_yet() {
    let administrator = Browser::start(browser::Setup::default()).await;
    let scene = Scene::in_which_nothing_has_happened(&administrator).await;

    let faults = walk_through(&scene, administrator).await;

    assert!(faults.is_empty(), "{}", faults.join("\n"));
    scene.world.end().await;
}

#[test]
fn every_page_is_listed() {
    let routes = routes::of_the_console();

    let gone: Vec<&str> = pages::listed()
        .filter(|page| !routes.iter().any(|route| route == page))
        .collect();
    let forgotten: Vec<&String> = routes
        .iter()
        .filter(|route| !pages::listed().any(|page| page == *route))
        .collect();

    assert!(routes.len() > 3, "{routes:?}");
    assert!(gone.is_empty(), "listed in every_page/pages.rs, and no route: {gone:?}");
    assert!(
        forgotten.is_empty(),
        "add to tests/console/every_page/pages.rs how to reach {forgotten:?}"
    );
}

async fn walk_through(scene: &Scene, administrator: Browser) -> Vec<String> {
    let mut walk = Walk {
        scene,
        administrator,
        stranger: Browser::start(browser::Setup::default()).await,
        faults: Vec::new(),
        reported: BTreeSet::new(),
    };
    for visit in pages::visits(scene) {
        walk.look_at(&visit).await;
    }
    walk.faults
}

impl Walk<'_> {
    async fn look_at(&mut self, visit: &Visit) {
        let desk = browser::Setup::default();
        self.open(visit, desk).await;
        self.assert_is_the_page(visit).await;
        for (width, dark, part) in WINDOWS {
            let window = browser::Setup { width, dark, ..desk };
            self.browser(visit).become_like(window).await;
            self.note(visit, window, part).await;
        }
        let bare = desk.width(375).without_scripting();
        self.open(visit, bare).await;
        self.note(visit, bare, Part::All).await;
        self.browser(visit).become_like(desk).await;
    }

    fn browser(&self, visit: &Visit) -> &Browser {
        if visit.is_inside {
            &self.administrator
        } else {
            &self.stranger
        }
    }

    async fn open(&self, visit: &Visit, window: browser::Setup) {
        let browser = self.browser(visit);
        browser.become_like(window).await;
        let Some((form, script)) = &visit.form else {
            go(browser, &self.scene.world, &visit.path).await;
            return;
        };
        go(browser, &self.scene.world, form).await;
        browser.run(&format!("window.hasForm = true; {script}")).await;
        let is_answered = "return window.hasForm !== true && document.readyState === 'complete'";
        browser
            .eventually("the answer to a form", async || {
                (browser.run(is_answered).await == true).then_some(())
            })
            .await;
    }

    /// Asserts that no other page was shown instead.
    async fn assert_is_the_page(&mut self, visit: &Visit) {
        let browser = self.browser(visit);
        let headings = browser.run("return document.querySelectorAll('h1').length").await;
        let is = (browser.status().await, browser.path().await, headings.as_u64());
        let title = browser.title().await;
        let ought = (visit.status, visit.path.clone(), Some(1));
        if is != ought || !title.ends_with(" – Beckon") {
            self.faults.push(format!(
                "{}: status, address and first headings are {is:?} and not {ought:?}; the title is ‘{title}’",
                visit.path
            ));
        }
    }

    async fn note(&mut self, visit: &Visit, window: browser::Setup, part: Part) {
        let browser = self.browser(visit);
        let found = browser.faults(part).await;
        if let Some(folder) = pictures() {
            let name = format!(
                "{}-{}-{}.png",
                visit.path.replace(|c: char| !c.is_alphanumeric(), "_"),
                visit.status,
                looks(window)
            );
            browser.screenshot(&folder.join(self.scene.name).join(name)).await;
        }
        for fault in found {
            if self.reported.insert(fault.clone()) {
                self.faults.push(format!("{} {}:\n{fault}", visit.path, looks(window)));
            }
        }
    }
}

/// The name of a window.
fn looks(window: browser::Setup) -> String {
    let scheme = if window.dark { "-dark" } else { "-light" };
    let scripting = if window.scripting { "" } else { "-bare" };
    format!("{}{scheme}{scripting}", window.width)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no config.rs; this is for developers who want to look at the pages"
)]
fn pictures() -> Option<PathBuf> {
    std::env::var("BECKON_PICTURES").ok().map(PathBuf::from)
}
