//! Console forms that no page of the console sends.

use futures_util::future::join_all;
use harness::World;
use reqwest::Method;

use crate::api_request::{ApiResponse, a_world, as_stranger};

/// The most resident memory the API may use, whatever strangers send.
const MAX_MEMORY: u64 = 150 * 1024 * 1024;

async fn send(world: &World, path: &str, form: &str) -> ApiResponse {
    let asked = as_stranger(world, Method::POST, path);
    let asked = asked.header("Content-Type", "application/x-www-form-urlencoded");
    asked.body(form.to_owned()).answer().await
}

/// The value of a hidden field of a page.
fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let (_, behind) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    behind.split('"').next().unwrap()
}

#[tokio::test]
async fn a_million_unauthenticated_fields_take_little_memory() {
    World::run_in(a_world().await, async |world| {
        let form = "a&".repeat(1 << 20);
        let pages = [
            ("/console/sign-in", 413),
            ("/console/users", 401),
            ("/console/blocked-addresses/unblock", 401),
            ("/console/imports/new", 401),
        ];

        for (path, status) in pages {
            for response in join_all((0..4).map(|_| send(world, path, &form))).await {
                assert_eq!(response.status, status, "{path}: {}", response.text);
            }
        }

        let most = world.api.as_ref().unwrap().max_memory();
        assert!(most.is_none_or(|most| most < MAX_MEMORY), "{most:?} bytes");
    })
    .await;
}

#[tokio::test]
async fn a_form_with_many_fields_that_fits_is_refused_too() {
    World::run_in(a_world().await, async |world| {
        let form = "a&".repeat(8_000);

        let response = send(world, "/console/sign-in", &form).await;

        assert_eq!(response.status, 413, "{}", response.text);
        assert!(response.text.contains("too many fields"), "{}", response.text);
    })
    .await;
}

#[tokio::test]
async fn a_form_is_carried_through_the_sign_in_unless_it_is_large() {
    World::run_in(a_world().await, async |world| {
        let priya = world.administrator().await;
        let text = "Gr%C3%BC%C3%9Fe+%26+more%0D%0A".repeat(500);
        let form = format!("csrf_token=of+another+session&subject=Hello&body={text}");
        assert!((14_000..16_384).contains(&form.len()), "{}", form.len());

        let asked = send(world, "/console/system-emails/invite", &form).await;
        let carried = hidden(&asked.text, "carried");
        let enter = format!(
            "email={}&password={}&to=/console/system-emails/invite&carried={carried}",
            priya.email.replace('@', "%40"),
            priya.password.replace(' ', "+")
        );
        let entered = send(world, "/console/sign-in", &enter).await;

        assert_eq!(asked.status, 401, "{}", asked.text);
        assert!(asked.text.contains("We kept what you entered"), "{}", asked.text);
        assert_eq!(entered.status, 200, "{}", entered.text);
        assert_eq!(hidden(&entered.text, "subject"), "Hello");
        let body = hidden(&entered.text, "body");
        assert_eq!(body.matches("Grüße &#38; more").count(), 500, "{body}");
        assert_ne!(hidden(&entered.text, "csrf_token"), "of another session");

        let large = format!("subject=Hello&body={}", "x".repeat(17_000));
        let asked = send(world, "/console/system-emails/invite", &large).await;
        assert_eq!((asked.status, hidden(&asked.text, "carried")), (401, ""));
        assert!(asked.text.contains("too large to keep"), "{}", asked.text);
    })
    .await;
}
