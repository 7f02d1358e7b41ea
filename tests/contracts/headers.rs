//! Headers of every page: load nothing from other origins, no framing, no caching, no referrer.

use harness::{Setup, World};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// The value of a header, or empty.
fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_page_loads_nothing_from_elsewhere_and_cannot_be_cached_or_framed() {
    World::run_with(Setup::default().workers(0), async |world| {
        let priya = world.administrator().await;
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let at = |path: &str| format!("{}{path}", world.base());
        let form = format!("email={}&password={}", priya.email, priya.password.replace(' ', "+"));
        let signed_in = client
            .post(at("/console/sign-in"))
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(form);
        let signed_in = signed_in.send().await.unwrap();
        let cookie = header(&signed_in, "set-cookie").to_owned();
        let session = cookie.split(';').next().unwrap();
        let inside = client
            .get(at("/console/users"))
            .header("Cookie", session)
            .send()
            .await
            .unwrap();
        let pages = [
            client.get(at("/console/sign-in")).send().await.unwrap(),
            inside,
            client.get(at("/docs")).send().await.unwrap(),
            client
                .get(at("/v1/users"))
                .bearer_auth(world.key())
                .send()
                .await
                .unwrap(),
        ];

        assert!(signed_in.status().is_redirection(), "{signed_in:?}");
        for part in ["__Host-beckon=", "Secure", "HttpOnly", "SameSite=", "Path=/"] {
            assert!(cookie.contains(part), "{part} is not in {cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        for page in &pages {
            assert_eq!(page.status().as_u16(), 200, "{}", page.url());
            let policy = header(page, "content-security-policy");
            for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
                assert!(policy.contains(part), "{}: {policy}", page.url());
            }
            assert!(!policy.contains("http"), "{}: {policy}", page.url());
            assert_eq!(header(page, "x-content-type-options"), "nosniff", "{}", page.url());
            assert_eq!(header(page, "referrer-policy"), "no-referrer", "{}", page.url());
            assert_eq!(header(page, "cache-control"), "no-store", "{}", page.url());
            assert_eq!(
                header(page, "cross-origin-opener-policy"),
                "same-origin",
                "{}",
                page.url()
            );
            assert_eq!(header(page, "server"), "", "{}", page.url());
        }
    })
    .await;
}
