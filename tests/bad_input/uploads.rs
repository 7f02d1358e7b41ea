//! More and larger uploads than one caller may send at once.

use futures_util::future::join_all;
use harness::World;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api_request::{a_world, as_stranger, post, upload};

const MIB: usize = 1024 * 1024;

/// Starts an upload and leaves it unfinished.
async fn slow_upload(world: &World) -> TcpStream {
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: text/csv\r\n\
         Content-Length: 100000\r\n\r\nemail\n",
        world.key()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn another_key(world: &mut World) -> String {
    let settings = world.settings().to_vec();
    let made = world.run_program("beckon-api", &["create-key", "--name", "other"], &settings);
    let (code, output) = made.await.unwrap();
    assert_eq!(code, 0, "{output}");
    output.lines().last().unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_key_may_upload_three_files_at_once_without_blocking_others() {
    World::run_in(a_world().await, async |world| {
        let other = another_key(world).await;
        let slow = join_all((0..3).map(|_| slow_upload(world))).await;
        let file = "email\nada@example.org\n";

        let theirs = as_stranger(world, Method::POST, "/v1/imports")
            .header("Authorization", &format!("Bearer {other}"))
            .header("Content-Type", "text/csv");
        // Until the three are being received, the fourth still gets a slot.
        let refused = async || {
            let response = upload(world, file).answer().await;
            (response.status != 201).then_some(response)
        };
        let (response, theirs) = tokio::join!(
            world.eventually("an upload to be refused", refused),
            theirs.body(file).answer()
        );

        response.assert_problem(429, "too_many_at_once");
        assert_eq!(response.header("retry-after"), "15");
        assert_eq!(theirs.status, 201, "{}", theirs.text);
        drop(slow);
        let again = upload(world, file).answer().await;
        assert_eq!(again.status, 201, "{}", again.text);
    })
    .await;
}

#[tokio::test]
async fn a_list_of_millions_is_counted_but_not_kept_in_memory() {
    World::run_in(a_world().await, async |world| {
        let entries = (16 * MIB - 20) / 3;
        let body = format!("{{\"emails\":[{}\"\"]}}", "\"\",".repeat(entries - 1));
        let api = world.api.as_ref().unwrap();
        let before = api.max_memory();

        let response = post(world, "/v1/invites", body);

        let sentence = format!(
            "{entries} users are listed; the maximum per request is 400000. Select them by import or filter instead."
        );
        response.must_be_refused(422, "too_many_recipients", &sentence).await;
        if let (Some(before), Some(most)) = (before, api.max_memory()) {
            let grown = (most - before) / MIB as u64;
            assert!(grown < 90, "it grew by {grown} MiB");
        }
    })
    .await;
}

#[tokio::test]
async fn a_filter_of_a_million_conditions_is_not_kept_in_memory() {
    World::run_in(a_world().await, async |world| {
        let conditions = vec![r#"["","is",null]"#; 700_000].join(",");
        let quoted = conditions.replace('"', r#"\""#);
        let names = vec![r#""q""#; 4_000_000].join(",");
        let bodies = [
            format!("{{\"filter\":{{\"where\":[{conditions}]}}}}"),
            format!("{{\"filter\":{{\"where\":\"[{quoted}]\"}}}}"),
            format!("{{\"filter\":{{\"q\":\"a\",\"not\":[{names}]}}}}"),
        ];
        let api = world.api.as_ref().unwrap();
        let before = api.max_memory();

        for body in bodies {
            let response = post(world, "/v1/invites", body).answer().await;
            assert_eq!(response.status, 422, "{}", response.text);
            assert_eq!(response.body["errors"][0]["code"], "too_many", "{}", response.text);
        }

        if let (Some(before), Some(most)) = (before, api.max_memory()) {
            let grown = (most - before) / MIB as u64;
            assert!(grown < 60, "it grew by {grown} MiB");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_in_pieces_of_one_byte_takes_no_more_memory() {
    World::run_in(a_world().await, async |world| {
        let api = world.api.as_ref().unwrap();
        let before = api.max_memory();
        // The size of a million items as sent.
        let head = format!(
            "POST /v1/invites HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            world.key()
        );
        let body = "1\r\n \r\n".repeat(MIB);
        let mut stream = TcpStream::connect(world.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream.write_all(b"2\r\n{}\r\n0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();

        assert!(answer.starts_with("HTTP/1.1 422"), "{answer}");
        assert!(answer.contains("empty_batch"), "{answer}");
        if let (Some(before), Some(most)) = (before, api.max_memory()) {
            let grown = (most - before) / MIB as u64;
            assert!(grown < 24, "it grew by {grown} MiB");
        }
    })
    .await;
}

#[tokio::test]
async fn an_administrator_may_upload_three_files_at_once() {
    World::run_in(a_world().await, async |world| {
        let cookie = world.console_cookie().await;
        let page = as_stranger(world, Method::GET, "/console/imports/new");
        let page = page.header("Cookie", &cookie).answer().await.text;
        let csrf_token = page
            .split_once("name=\"csrf_token\" value=\"")
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap();
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n{csrf_token}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"people.csv\"\r\n\r\nemail\r\n"
        );
        let begin = async || {
            let mut stream = TcpStream::connect(world.address()).await.unwrap();
            let head = format!(
                "POST /console/imports/new HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\
                 Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n{form}"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        };
        let slow = [begin().await, begin().await, begin().await];
        let refused = async || {
            let response = as_stranger(world, Method::POST, "/console/imports/new")
                .header("Cookie", &cookie)
                .header("Content-Type", "multipart/form-data; boundary=b")
                .body(format!("{form}ada@example.org\r\n--b--\r\n"))
                .answer()
                .await;
            (response.status != 200).then_some(response)
        };

        let response = world.eventually("an upload to be refused", refused).await;

        assert_eq!(
            (response.status, response.header("retry-after")),
            (429, "15"),
            "{}",
            response.text
        );
        assert!(
            response.text.contains("already sending several files"),
            "{}",
            response.text
        );
        drop(slow);
    })
    .await;
}
