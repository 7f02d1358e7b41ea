//! Tests of the browser harness: existing faults are found, and actions have their effect.

mod leaving;

use std::io::Write as _;
use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures_util::FutureExt as _;

use super::{Browser, Setup};
use crate::ports::Port;

/// As strict as the policy of our own pages where it matters here.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'";

/// One of the pages in `pages/`, served with this content security policy.
fn page(content_type: &'static str, policy: &'static str, body: &'static str) -> impl IntoResponse + Clone {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, body)
}

/// Serves the pages and returns their base address.
async fn serve() -> String {
    let (html, css, js) = ("text/html", "text/css", "text/javascript");
    let pages = Router::new()
        .route(
            "/sound",
            get(async move || page(html, POLICY, include_str!("pages/sound.html"))),
        )
        .route(
            "/sound.css",
            get(async move || page(css, POLICY, include_str!("pages/sound.css"))),
        )
        .route(
            "/sound.js",
            get(async move || page(js, POLICY, include_str!("pages/sound.js"))),
        )
        .route(
            "/sent",
            get(async move || page(html, POLICY, include_str!("pages/sound.html"))),
        )
        .route(
            "/faulty",
            get(async move || page(html, "", include_str!("pages/faulty.html"))),
        )
        .route(
            "/forbidden",
            get(async move || page(html, POLICY, include_str!("pages/faulty.html"))),
        )
        .route(
            "/faulty.js",
            get(async move || page(js, "", include_str!("pages/faulty.js"))),
        )
        // Chromium requests it where the policy allows that.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .fallback(async move || {
            (
                StatusCode::NOT_FOUND,
                page(html, POLICY, include_str!("pages/sound.html")),
            )
        });
    let port = Port::claim().unwrap();
    let listener = port.listen().await.unwrap();
    tokio::spawn(async move { axum::serve(listener, pages).await });
    format!("http://{}", port.address())
}

/// The panic message of a failed check.
async fn complaint(check: impl Future<Output = ()>) -> String {
    let panic = AssertUnwindSafe(check)
        .catch_unwind()
        .await
        .expect_err("the check found nothing");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[tokio::test]
async fn faults_of_a_page_are_found() {
    let base = serve().await;
    let browser = Browser::start(Setup::default().width(375)).await;

    browser.open(&format!("{base}/faulty")).await;
    let inaccessible = complaint(browser.assert_accessible()).await;
    let wide = complaint(browser.assert_no_sideways_scroll()).await;
    let loud = complaint(browser.assert_no_console_errors()).await;
    browser.open(&format!("{base}/forbidden")).await;
    let forbidden = complaint(browser.assert_no_console_errors()).await;

    for rule in ["html-has-lang", "color-contrast", "label", "target-size"] {
        assert!(inaccessible.contains(&format!("* {rule} ")), "{rule}: {inaccessible}");
    }
    assert!(wide.contains("p.wide"), "{wide}");
    assert!(loud.contains("this script is broken"), "{loud}");
    assert!(forbidden.contains("inline style"), "{forbidden}");
}

#[tokio::test]
async fn faults_of_a_page_are_found_without_scripts() {
    let base = serve().await;
    let browser = Browser::start(Setup::default().width(375).without_scripting()).await;

    browser.open(&format!("{base}/faulty")).await;

    assert_eq!(browser.heading().await, "Faulty");
    browser.assert_no_console_errors().await;
    let inaccessible = complaint(browser.assert_accessible()).await;
    assert!(inaccessible.contains("* color-contrast "), "{inaccessible}");
    browser.reload().await;
    assert_eq!(browser.heading().await, "Faulty");
}

#[tokio::test]
async fn input_events_reach_the_page() {
    let base = serve().await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"email\n").unwrap();
    let name = file.path().file_name().unwrap().to_string_lossy().into_owned();

    for setup in [Setup::default(), Setup::default().width(320).without_scripting()] {
        let browser = Browser::start(setup).await;
        browser.open(&format!("{base}/sound")).await;
        let ran = if setup.scripting {
            "Scripts ran"
        } else {
            "Scripts did not run"
        };
        browser.sees(ran).await;
        assert_eq!(
            (browser.title().await, browser.heading().await),
            ("Sound".into(), "A sound page".into())
        );

        browser.fill("Full name", "Ada & Søren").await;
        browser.fill("Note", "{{ first_name }}").await;
        browser.pick("City", "Oslo").await;
        browser.choose("All of them").await;
        browser.choose("I am sure").await;
        browser.unchoose("I am sure").await;
        browser.attach("A file", file.path()).await;
        assert_eq!(
            (browser.value("Full name").await, browser.value("City").await),
            ("Ada & Søren".into(), "o".into())
        );
        assert!(browser.is_chosen("All of them").await && !browser.is_chosen("I am sure").await);
        browser.click("More").await;
        browser.click("Send 2 invites").await;

        let sent = format!(
            "/sent?name=Ada+%26+S%C3%B8ren&note=%7B%7B+first_name+%7D%7D&city=o&which=all&file={name}&kind=invite"
        );
        assert_eq!(browser.path().await, sent);
        browser.back().await;
        assert_eq!(browser.path().await, "/sound");
        browser.click("Edit the second").await;
        assert_eq!(browser.url().await, format!("{base}/sound?second"));
        browser.press("Tab").await;
        assert_eq!(browser.focused().await, "Full name");
        browser.assert_sound().await;
    }
}

#[tokio::test]
async fn a_missing_or_ambiguous_element_fails_the_test() {
    let base = serve().await;
    let browser = Browser::start(Setup::default()).await;
    browser.open(&format!("{base}/sound")).await;

    let disabled = complaint(browser.click("Not now")).await;
    let ambiguous = complaint(browser.click("Edit")).await;

    assert!(disabled.contains("it is disabled"), "{disabled}");
    assert!(
        ambiguous.contains(r#"any of ["Edit the first", "Edit the second"]"#),
        "{ambiguous}"
    );
    let file = browser.download("Missing").await;
    assert_eq!(
        (file.status, file.content_type.as_str()),
        (404, "text/html"),
        "{file:?}"
    );
    // An error status of a requested page is not a fault of that page.
    browser.click("Missing").await;
    browser.assert_no_console_errors().await;
}

#[tokio::test]
async fn tabs_share_a_browser_and_its_setup() {
    let base = serve().await;
    let browser = Browser::start(Setup::default().width(320).dark().without_scripting()).await;
    browser.open(&format!("{base}/sound")).await;

    browser.click("Elsewhere").await;
    browser.turn_to(1).await;

    assert_eq!(browser.url().await, format!("{base}/sound?tab"));
    browser.sees("Scripts did not run").await;
    let looks = browser
        .run("return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
        .await;
    assert_eq!(looks, serde_json::json!([320, true]));
    browser.open_in_new_tab(&format!("{base}/sound?third")).await;
    browser.sees("Scripts did not run").await;
    browser.turn_to(0).await;
    assert_eq!(browser.path().await, "/sound");
}

#[tokio::test]
async fn a_picture_shows_the_whole_page() {
    let base = serve().await;
    let browser = Browser::start(Setup::default().width(320)).await;
    browser.open(&format!("{base}/sound")).await;
    let picture = browser.folder().join("pictures/sound.png");

    browser.screenshot(&picture).await;

    let png = std::fs::read(&picture).unwrap();
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let height = browser.run("return document.documentElement.scrollHeight").await;
    assert_eq!((size(16), u64::from(size(20))), (320, height.as_u64().unwrap()));
}
