//! Uploads that break off, arrive twice, or come from another site.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::a_quiet_world;
use crate::files::{ByWire, Form, leads_to, people};
use harness::World;

async fn imports(world: &World) -> i64 {
    world.rows("imports").count().await
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    World::run_in(a_quiet_world().await, async |world| {
        let by_wire = ByWire::sign_in(world).await;
        let host = world.base().trim_start_matches("http://").to_owned();

        let mut stream = TcpStream::connect(&host).await.unwrap();
        stream
            .write_all(by_wire.half_a_request(100_000).as_bytes())
            .await
            .unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;

        let in_flight = async || (world.api_metric("beckon_http_requests_in_flight").await < 0.5).then_some(());
        world.eventually("nothing in flight", in_flight).await;
        assert_eq!(imports(world).await, 0);
        // A form without its last boundary is incomplete, even while its connection lasts.
        let half = by_wire.half_a_request(0);
        let (head, body) = half.split_once("\r\n\r\n").unwrap();
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {}", body.len()));
        let mut stream = TcpStream::connect(&host).await.unwrap();
        let whole = format!("{head}\r\nConnection: close\r\n\r\n{body}");
        stream.write_all(whole.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
        assert!(answer.contains("could not be uploaded – try again"), "{answer}");
        assert_eq!(imports(world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn the_same_form_twice_is_one_import() {
    World::run_in(a_quiet_world().await, async |world| {
        let by_wire = ByWire::sign_in(world).await;
        let form = Uuid::new_v4();
        let rows = people("twice", 300);

        let send = async || leads_to(&by_wire.send(by_wire.form(form, &rows)).await);
        let (one, other) = tokio::join!(send(), send());
        let store = format!("{one}/store");
        let (stored, again) = tokio::join!(by_wire.press(&store), by_wire.press(&store));
        let late = by_wire.press(&store).await;

        assert_eq!(one, other);
        for answer in [stored, again, late] {
            assert_eq!(leads_to(&answer), one);
        }
        let users = async || (world.rows("users").count().await == 300).then_some(());
        world.eventually("three hundred users", users).await;
        assert_eq!(imports(world).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_form_without_its_proof_is_not_taken() {
    World::run_in(a_quiet_world().await, async |world| {
        let by_wire = ByWire::sign_in(world).await;
        let rows = "email\nada@example.org\n";

        for form in [
            Form::default().file("people.csv", rows),
            Form::default().text("csrf_token", "made up").file("people.csv", rows),
            // The CSRF token comes first, or nothing is read.
            Form::default()
                .file("people.csv", rows)
                .text("csrf_token", &by_wire.csrf_token),
        ] {
            let answer = by_wire.send(form).await;
            assert_eq!(answer.status(), 403);
            let page = answer.text().await.unwrap();
            assert!(
                page.contains("This form came from another site or from an earlier session"),
                "{page}"
            );
        }
        let answer = by_wire.press("/console/imports/new").await;
        assert_eq!(answer.status(), 422);
        assert!(answer.text().await.unwrap().contains("Select a file"));
        assert_eq!(imports(world).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_import_has_no_page() {
    World::run_in(a_quiet_world().await, async |world| {
        let by_wire = ByWire::sign_in(world).await;
        let unknown = Uuid::new_v4();

        for path in ["", "/problems.csv", "/undo"] {
            assert_eq!(
                by_wire.get(&format!("/console/imports/{unknown}{path}")).await.status(),
                404,
                "{path}"
            );
        }
        for step in ["check", "store", "discard", "undo"] {
            assert_eq!(
                by_wire
                    .press(&format!("/console/imports/{unknown}/{step}"))
                    .await
                    .status(),
                404,
                "{step}"
            );
        }
        assert_eq!(by_wire.get("/console/imports/anything").await.status(), 404);
    })
    .await;
}
