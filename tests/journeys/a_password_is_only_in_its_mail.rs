//! The only place where a password can be read is the mailbox it was sent to.
//!
//! The test searches everything Beckon writes, in the encodings in which a secret usually leaks: logs at the most
//! verbose level, every column of every table, the servers' files and temporary files, answers, console pages, metrics
//! and traces. Before that, mails are deferred, lost and refused, and a worker is killed while it handles a mail.

mod needles;

use crate::json;
use harness::browser::{self, Browser};
use harness::collector::Collector;
use harness::ports::Port;
use harness::relay::{Behaviour, Mail};
use harness::{Setup, World};
use needles::Needles;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The password a user chooses to replace a mailed one.
const OWN: &str = "correct horse battery staple";

/// A string in the format of a password, planted in every place that is searched.
const PLANTED: &str = "hjkmn-pqrst-uvwxy-z2345";

/// Their mails succeed, are deferred, are lost after the dot, and are refused after it.
const PEOPLE: [&str; 4] = [
    "ada@example.org",
    "451-then-ok@example.org",
    "drop-after-dot@example.org",
    "554-after-dot@example.org",
];

/// A worker dies while it sends this user's mail.
const LAST: &str = "last@example.org";

/// The passwords in all mails that reached the relay, including those it refused.
fn passwords(world: &World) -> Vec<String> {
    let log = world.relay.log();
    let whole = log.iter().filter(|transaction| transaction.message.is_some());
    whole
        .map(|transaction| Mail::read(transaction).unwrap().password().unwrap().to_owned())
        .collect()
}

/// Every table as text: all columns, bytes in hexadecimal.
async fn tables(world: &World) -> Vec<(String, Vec<u8>)> {
    let names = world.tables().await;
    assert!(names.len() > 10, "{names:?}");
    let mut tables = Vec::new();
    for name in names {
        let rows = world.rows(&name).texts().await.join("\n");
        tables.push((format!("table {name}"), rows.into_bytes()));
    }
    tables
}

/// The API's answers about batches, deliveries, attempts and users, and both metrics pages.
async fn answers(world: &World, probes: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths = vec!["/v1/batches".to_owned(), "/v1/users".to_owned()];
    for list in ["/v1/batches", "/v1/users"] {
        let page = world.get(list).await.expect(200);
        for item in page["items"].as_array().unwrap() {
            let id = item["id"].as_str().unwrap();
            paths.push(format!("{list}/{id}"));
            if list == "/v1/batches" {
                paths.push(format!("{list}/{id}/deliveries.csv"));
                for delivery in world.deliveries(id.parse().unwrap()).await {
                    paths.push(format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap()));
                }
            }
        }
    }
    let mut answers = Vec::new();
    for path in paths {
        let answer = world.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answers.push((path, answer.text.into_bytes()));
    }
    let metrics = world.probe("/metrics").await.text;
    answers.push(("/metrics".to_owned(), metrics.into_bytes()));
    let metrics = reqwest::get(format!("http://{probes}/metrics")).await.unwrap();
    answers.push((
        "the worker's metrics".to_owned(),
        metrics.bytes().await.unwrap().to_vec(),
    ));
    answers
}

/// The console pages about these mails and users, as the browser gets them.
async fn pages(world: &World) -> Vec<(String, Vec<u8>)> {
    let browser = Browser::start(browser::Setup::default()).await;
    browser.sign_in(world).await;
    let mut paths = vec![
        "/console/activity".to_owned(),
        "/console/audit".to_owned(),
        "/console/users".to_owned(),
    ];
    let batches = world.get("/v1/batches").await.expect(200);
    for batch in batches["items"].as_array().unwrap() {
        let batch = batch["id"].as_str().unwrap();
        paths.push(format!("/console/batches/{batch}"));
        for delivery in world.deliveries(batch.parse().unwrap()).await {
            paths.push(format!("/console/deliveries/{}", delivery["id"].as_str().unwrap()));
            paths.push(format!("/console/users/{}", delivery["user"].as_str().unwrap()));
        }
    }
    let mut pages = Vec::new();
    for path in paths {
        browser.open(&format!("{}{path}", world.base())).await;
        let html = browser.run("return document.documentElement.outerHTML").await;
        assert!(!browser.heading().await.contains("not found"), "{path}");
        pages.push((path, html.to_string().into_bytes()));
    }
    pages
}

/// A worker is killed after it has received the relay's reply; another one sends the mail again.
async fn a_worker_dies(world: &mut World) {
    world.person(LAST).await;
    let sign = world.folder().join("died");
    let death = format!("W12:1:{}", sign.display());
    world.kill_worker(0).await;
    world.start_worker_that_stops(&death).await.unwrap();
    let batch = world.reset_passwords(json!({ "emails": [LAST] })).await;
    world
        .eventually("the worker to die", async || sign.exists().then_some(()))
        .await;
    world.kill_worker(0).await;
    world.start_worker().await.unwrap();
    let finished = world.finished(batch).await;
    assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
}

/// The messages in all queues.
async fn messages(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for queue in ["beckon.bulk", "beckon.interactive", "beckon.parked"] {
        let messages = world.messages(queue).await;
        all.push((queue.to_owned(), format!("{messages:?}").into_bytes()));
    }
    all
}

/// The files of the programs and of both servers.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// Asserts that a crashing program leaves no copy of its memory.
fn assert_a_crash_leaves_nothing(world: &World) {
    for program in world.api.iter().chain(&world.workers) {
        // The kernel makes root own the files of a process that is not dumpable; a process run by root shows no
        // difference.
        let environment = std::fs::metadata(format!("/proc/{}/environ", program.pid())).unwrap();
        assert_eq!(environment.uid(), 0, "a core collector is handed its memory");
        if let Ok(limits) = std::fs::read_to_string(format!("/proc/{}/limits", program.pid())) {
            let core = limits.lines().find(|line| line.starts_with("Max core file size"));
            assert_eq!(
                core.unwrap().split_whitespace().nth(4),
                Some("0"),
                "a crash leaves a core file"
            );
        }
    }
}

/// Everything to search.
async fn everything(world: &World, probes: &str, collector: &Collector) -> Vec<(String, Vec<u8>)> {
    assert_a_crash_leaves_nothing(world);
    sqlx::query("checkpoint").execute(&world.db).await.unwrap();
    let mut all = tables(world).await;
    all.extend(answers(world, probes).await);
    all.extend(messages(world).await);
    all.extend(pages(world).await);
    all.push(("spans".to_owned(), collector.bytes()));
    files(world.stack().folder().unwrap(), &mut all);
    all
}

/// Asserts that the planted string is found wherever a password could be, and that logs are complete.
fn assert_all_is_seen(all: &[(String, Vec<u8>)]) {
    let sees = |part: &str| {
        let planted = Needles::of(PLANTED);
        let searched = all.iter().filter(|(place, _)| place.contains(part));
        searched.filter(|(_, bytes)| planted.find(bytes).is_some()).count()
    };
    for part in [
        "table users",
        "/v1/users",
        "/console/users",
        "beckon.parked",
        "/pg_wal/",
        "/base/",
        "/broker/mnesia/",
    ] {
        assert!(sees(part) > 0, "what was planted is not seen in {part}");
    }
    for program in ["/api-1.log", "/worker-3.log"] {
        let (_, log) = all.iter().find(|(place, _)| place.ends_with(program)).unwrap();
        let log = String::from_utf8_lossy(log);
        assert!(log.contains("\"TRACE\""), "{program} holds something back");
    }
}

#[tokio::test]
async fn a_password_is_nowhere_else_in_any_form() {
    let port = Port::claim().unwrap();
    let probes = port.address().to_string();
    let collector = Collector::start().await.unwrap();
    let setup = Setup::default()
        .own_stack()
        .api_setting("BECKON_LOG", "trace")
        .worker_setting("BECKON_LOG", "trace")
        .api_setting("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
        .worker_setting("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
        .worker_setting("BECKON_PROBES_LISTEN", &probes);
    World::run_with(setup, async |world| {
        let plant = json!([{ "email": "planted@example.org", "first_name": PLANTED }]);
        let planted = world.import_bytes(plant.to_string().into_bytes(), "application/json");
        planted.await.expect(201);
        world.put_message("beckon.parked", PLANTED).await;
        world
            .import(&format!("email\n{}\n", PEOPLE.join("\n")))
            .await
            .expect(201);

        let batch = world.reset_passwords(json!({ "emails": PEOPLE })).await;
        world.until(batch, "retrying", 2).await;
        world.relay.set(PEOPLE[2], Behaviour::Accept);
        world.let_pauses_pass().await;
        let finished = world.finished(batch).await;
        let mails = world.relay.mails_to(PEOPLE[0]).unwrap();
        let mailed = mails[0].password().unwrap();
        assert!(!world.signs_in("unknown@example.org", mailed).await);
        world.sign_in(PEOPLE[0], mailed).await;
        let choose = json!({ "email": PEOPLE[0], "password": mailed, "new_password": OWN });
        world.post("/v1/credentials/choose", choose).await.expect(200);

        assert_eq!(finished["counts"]["sent"], 3, "{finished}");
        assert_eq!(finished["counts"]["failed"], 1, "{finished}");
        assert_eq!(finished["counts"]["unsure"], 1, "{finished}");
        a_worker_dies(world).await;
        let passwords = passwords(world);
        assert_eq!(
            passwords.len(),
            7,
            "one a mail, two for the one that got lost and for the worker's"
        );
        // The search blocks the runtime for seconds, so all requests to servers come first.
        world.assert_promises_kept().await;
        let all = everything(world, &probes, &collector).await;
        assert_all_is_seen(&all);
        for secret in passwords.iter().map(String::as_str).chain([OWN]) {
            let needles = Needles::of(secret);
            for (place, bytes) in &all {
                let form = needles.find(bytes);
                assert_eq!(form, None, "a password can be read in {place}");
            }
        }
    })
    .await;
}
