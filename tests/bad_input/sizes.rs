//! Bodies larger than a route accepts.

use futures_util::stream;
use harness::World;
use reqwest::{Body, Method};

use crate::api_request::{a_world, ask};

const MIB: usize = 1024 * 1024;
const TOO_LARGE: &str = "The body is larger than this route accepts: 16 MiB for batches, 64 MiB for files, 1 MiB \
    elsewhere. Split it, or import the users as CSV and select them by import or filter.";

/// A body of this many bytes, with or without a declared length.
fn body(bytes: usize, is_declared: bool) -> Body {
    let spaces = vec![b' '; bytes];
    if is_declared {
        return Body::from(spaces);
    }
    let parts: Vec<_> = spaces
        .chunks(MIB)
        .map(|part| Ok::<_, std::io::Error>(part.to_vec()))
        .collect();
    Body::wrap_stream(stream::iter(parts))
}

#[tokio::test]
async fn a_body_over_the_limit_of_its_route_is_rejected_with_the_limit() {
    World::run_in(a_world().await, async |world| {
        let limits = [
            ("/v1/invites", 16 * MIB),
            ("/v1/password-resets", 16 * MIB),
            ("/v1/credentials/verify", MIB),
            ("/v1/credentials/revoke", MIB),
            ("/v1/system-emails/invite/preview", MIB),
        ];

        for (route, limit) in limits {
            for is_declared in [true, false] {
                let asked = ask(world, Method::POST, route).json(body(limit + 1, is_declared));
                asked.must_be_refused(413, "body_too_large", TOO_LARGE).await;
            }
            let response = ask(world, Method::POST, route).json(body(limit, true)).answer().await;
            assert_eq!(response.status, 400, "{route} takes {limit} bytes: {}", response.text);
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_over_64_mib_is_rejected_with_the_limit() {
    World::run_in(a_world().await, async |world| {
        let sentence = "The file is larger than 64 MiB. Split it and upload the parts one after the other.";

        for is_declared in [true, false] {
            let asked = ask(world, Method::POST, "/v1/imports")
                .header("Content-Type", "text/csv")
                .body(body(64 * MIB + 1, is_declared));
            asked.must_be_refused(413, "body_too_large", sentence).await;
        }
        assert_eq!(world.rows("imports").count().await, 0);
    })
    .await;
}
