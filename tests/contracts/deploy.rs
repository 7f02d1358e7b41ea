//! The files in deploy/ agree with the programs: settings, commands, ports, pages and queues.
//!
//! No test starts these files, so without this one a wrong name would surface only on deployment. They are read as
//! text; comments must use the same names as what they explain.

use std::collections::BTreeSet;

use shared::batch::Lane;
use shared::lifecycle::LAST_WORDS;
use shared::queue::queue_of;

use crate::routes::PROBES;
use crate::settings::{BOTH, run};
use crate::sources::{Source, files, read};

/// Settings without our prefix.
const OTHERS: [&str; 3] = ["DATABASE_URL", "AMQP_URL", "SMTP_URL"];

/// All files in deploy/.
fn deployed() -> Vec<Source> {
    let mut all = files("");
    all.retain(|source| source.path.starts_with("deploy/"));
    assert!(all.len() > 20, "deploy/ has {} files", all.len());
    all
}

fn help_of(program: &str) -> String {
    String::from_utf8(run(program, &["--help"], &[]).stdout).unwrap()
}

/// The default of a setting according to the help.
fn default_of(program: &str, setting: &str) -> String {
    let help = help_of(program);
    let (_, behind) = help.split_once(&format!("[env: {setting}=]")).unwrap();
    let (_, behind) = behind.split_once("[default: ").unwrap();
    behind.split(']').next().unwrap().to_owned()
}

fn port_of(program: &str, setting: &str) -> String {
    default_of(program, setting).rsplit(':').next().unwrap().to_owned()
}

/// Words in capitals, like settings.
fn capitals(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_')
}

/// The number that follows each `key` in a text.
fn numbers<'t>(text: &'t str, key: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(key).skip(1).map(|behind| {
        let behind = behind.trim_start();
        let end = behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len());
        &behind[..end]
    })
}

/// Lines that a machine executes: no comments, and of a page only what is between fences.
fn obeyed(source: &Source) -> Vec<&str> {
    let mut is_code = source.path.rsplit('.').next() != Some("md");
    let mut lines = Vec::new();
    for line in source.text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code && !line.trim_start().starts_with('#') {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn every_setting_named_in_deploy_exists() {
    let help = BOTH.iter().map(|program| help_of(program)).collect::<String>();

    let mut named = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for source in deployed() {
        for word in capitals(&source.text) {
            let plain = word.trim_end_matches("_FILE");
            if !(word.starts_with("BECKON_") || OTHERS.contains(&plain)) {
                continue;
            }
            named.insert(word.to_owned());
            // A secret's help shows no value, and so no `=`.
            if !["=", "]"]
                .iter()
                .any(|end| help.contains(&format!("[env: {word}{end}")))
            {
                unknown.insert(format!("{}: {word}", source.path));
            }
        }
    }

    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(
        named.contains("SMTP_URL_FILE") && named.contains("BECKON_LISTEN"),
        "{named:?}"
    );
}

/// The commands for our programs on a line: `beckon-api serve`, `[CMD, beckon-api, healthcheck]`, and `args: [run]`,
/// where the image determines the program.
fn commands(line: &str) -> Vec<(Option<&'static str>, &str)> {
    let mut found = Vec::new();
    for program in BOTH {
        for (at, _) in line.match_indices(program) {
            let (ahead, behind) = (&line[..at], &line[at + program.len()..]);
            // `job="beckon-api"` in a query names a scrape target.
            if ahead.ends_with("=\"") || !behind.starts_with([' ', ',', '"']) {
                continue;
            }
            let word = behind.trim_start_matches([' ', ',', '"']);
            let end = word
                .find(|c: char| !c.is_ascii_lowercase() && c != '-')
                .unwrap_or(word.len());
            found.push((Some(*program), &word[..end]));
        }
    }
    for key in ["command: [", "args: ["] {
        let list = line.trim().strip_prefix(key).and_then(|list| list.strip_suffix(']'));
        found.extend(list.filter(|list| !list.contains(',')).map(|word| (None, word)));
    }
    // A list of files is not a command.
    found.retain(|(_, word)| !word.is_empty() && !BOTH.contains(word) && !line.contains(&format!("{word}/")));
    found
}

#[test]
fn every_command_named_in_deploy_exists() {
    let knows = |program: &str, word: &str| help_of(program).contains(&format!("\n  {word} "));

    let (mut known, mut unknown) = (BTreeSet::new(), Vec::new());
    for source in deployed() {
        for (program, word) in obeyed(&source).into_iter().flat_map(commands) {
            if BOTH
                .iter()
                .any(|other| program.unwrap_or(other) == *other && knows(other, word))
            {
                known.insert(word.to_owned());
            } else {
                unknown.push(format!("{}: {word}", source.path));
            }
        }
    }

    assert!(unknown.is_empty(), "{unknown:#?}");
    for word in ["serve", "run", "migrate", "healthcheck"] {
        assert!(known.contains(word), "{known:?}");
    }
}

#[test]
fn every_port_and_page_named_in_deploy_exists() {
    let api = port_of("beckon-api", "BECKON_LISTEN");
    let probes = port_of("beckon-api", "BECKON_PROBES_LISTEN");
    let worker = port_of("beckon-worker", "BECKON_PROBES_LISTEN");
    let of_both = [
        ("deploy/docker/Dockerfile", "BECKON_LISTEN=0.0.0.0:", &api),
        (
            "deploy/docker/Dockerfile",
            "\n    BECKON_PROBES_LISTEN=0.0.0.0:",
            &worker,
        ),
        ("deploy/docker/Dockerfile", "set BECKON_PROBES_LISTEN=0.0.0.0:", &probes),
        ("deploy/compose/compose.yaml", "BECKON_PROBES_LISTEN: 0.0.0.0:", &probes),
        ("deploy/compose/compose.yaml", "ports: [\"127.0.0.1:8080:", &api),
        ("deploy/k8s/base/api.yaml", "{ name: http, containerPort: ", &api),
        ("deploy/k8s/base/api.yaml", "{ name: probes, containerPort: ", &probes),
        ("deploy/k8s/base/api.yaml", "value: \"0.0.0.0:", &probes),
        ("deploy/k8s/base/api.yaml", "{ name: http, port: ", &api),
        ("deploy/k8s/base/api.yaml", "{ name: probes, port: ", &probes),
        ("deploy/k8s/base/worker.yaml", "containerPort: ", &worker),
        (
            "deploy/prometheus/prometheus.yml",
            "names: [api]\n        type: A\n        port: ",
            &probes,
        ),
        (
            "deploy/prometheus/prometheus.yml",
            "names: [worker]\n        type: A\n        port: ",
            &worker,
        ),
    ];

    for (path, key, port) in of_both {
        assert_eq!(
            numbers(&read(path), key).collect::<Vec<_>>(),
            [port.as_str()],
            "{path}: {key}"
        );
    }
    assert!(read("deploy/docker/Dockerfile").contains(&format!("EXPOSE {api} {worker} {probes}\n")));
    for path in ["deploy/k8s/base/api.yaml", "deploy/k8s/base/worker.yaml"] {
        let text = read(path);
        let pages: Vec<&str> = text.split("httpGet: { path: ").skip(1).collect();
        assert_eq!(pages.len(), 3, "{path}");
        for page in pages {
            let page = page.split(',').next().unwrap();
            assert!(PROBES.contains(&page), "{path} asks {page}");
        }
    }
}

#[test]
fn only_the_api_and_the_console_are_published() {
    let compose = read("deploy/compose/compose.yaml");
    let of_api = compose
        .split("\n  api:\n")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    assert_eq!(of_api.matches("ports:").count(), 1, "{of_api}");
    assert_eq!(of_api.matches("8082:").count(), 0, "{of_api}");
    let api = read("deploy/k8s/base/api.yaml");
    let service = api
        .split("kind: Service\n")
        .nth(1)
        .unwrap()
        .split("---")
        .next()
        .unwrap();
    assert!(
        service.contains("  name: api\n") && !service.contains("probes"),
        "{service}"
    );
    for path in ["deploy/k8s/base/api.yaml", "deploy/k8s/base/worker.yaml"] {
        let text = read(path);
        for page in text.split("httpGet: { ").skip(1) {
            let asked = page.split('}').next().unwrap();
            assert!(asked.contains("port: probes"), "{path}: {asked}");
        }
    }
}

#[test]
fn the_upload_volumes_are_large_enough() {
    // Besides the uploads being received, one file is being checked and one stored.
    let needed =
        (api::app::disk_budget::UPLOADS_MOST_BYTES + 2 * api::app::upload_spool::UPLOAD_MOST_BYTES) / (1024 * 1024);
    let volumes = [
        ("deploy/compose/compose.yaml", "/tmp:size=", 1),
        ("deploy/docker/Dockerfile", "/tmp:size=", 1),
        ("deploy/k8s/base/api.yaml", "emptyDir: { sizeLimit: ", 1024),
    ];

    for (path, key, unit) in volumes {
        let text = read(path);
        let sizes: Vec<usize> = numbers(&text, key).map(|size| size.parse().unwrap()).collect();
        assert_eq!(sizes.len(), 1, "{path}: {key}");
        assert!(
            sizes[0] * unit >= needed,
            "{path}: {sizes:?}, and uploads take {needed} MiB"
        );
    }
    assert!(read("deploy/README.md").contains(&format!("`/tmp` of {needed} MiB")));
}

#[test]
fn the_image_uses_our_toolchain() {
    let toolchain = read("rust-toolchain.toml");

    let channel = toolchain.split('"').nth(1).unwrap();

    assert!(read("deploy/docker/Dockerfile").contains(&format!("\nFROM rust:{channel}-slim-")));
}

#[test]
fn supervisors_wait_longer_than_a_stop_takes() {
    let compose = read("deploy/compose/compose.yaml");
    let section = |name: &str| {
        let (_, behind) = compose.split_once(&format!("\n  {name}:\n")).unwrap();
        behind.split("\n\n").next().unwrap().to_owned()
    };
    let waits = [
        ("beckon-api", section("api"), "stop_grace_period: "),
        (
            "beckon-api",
            read("deploy/k8s/base/api.yaml"),
            "terminationGracePeriodSeconds: ",
        ),
        (
            "beckon-api",
            read("deploy/systemd/beckon-api.service"),
            "TimeoutStopSec=",
        ),
        ("beckon-worker", section("worker"), "stop_grace_period: "),
        (
            "beckon-worker",
            read("deploy/k8s/base/worker.yaml"),
            "terminationGracePeriodSeconds: ",
        ),
        (
            "beckon-worker",
            read("deploy/systemd/beckon-worker@.service"),
            "TimeoutStopSec=",
        ),
    ];

    for (program, text, key) in waits {
        let grace = default_of(program, "BECKON_STOP_GRACE");
        let grace: u64 = grace.strip_suffix('s').unwrap().parse().unwrap();
        // Kubernetes starts counting before this.
        let before_the_signal: u64 = numbers(&text, "command: [sleep, \"")
            .map(|number| number.parse::<u64>().unwrap())
            .sum();
        let takes = before_the_signal + grace + LAST_WORDS.as_secs();
        let waited: Vec<u64> = numbers(&text, key).map(|number| number.parse().unwrap()).collect();
        assert_eq!(waited.len(), 1, "{program}: {key}");
        assert!(
            waited[0] > takes,
            "{program}: {key}{waited:?}, and stopping takes {takes} s"
        );
    }
}

#[test]
fn the_brokers_policies_match_our_queues() {
    let definitions: serde_json::Value = serde_json::from_str(&read("deploy/rabbitmq/definitions.json")).unwrap();

    let policy = &definitions["policies"][0];

    let names: BTreeSet<&str> = Lane::ALL.map(queue_of).map(|queue| &queue["beckon.".len()..]).into();
    let pattern = policy["pattern"].as_str().unwrap();
    let named = pattern
        .strip_prefix("^beckon\\.(")
        .and_then(|rest| rest.strip_suffix(")$"));
    assert_eq!(named.unwrap().split('|').collect::<BTreeSet<_>>(), names);
    // A dead-letter exchange would get every job that expires because no worker runs. RabbitMQ 4 drops a job after 20
    // returns if its queue has no limit of its own.
    let limits: Vec<&String> = policy["definition"].as_object().unwrap().keys().collect();
    assert_eq!(limits, ["delivery-limit"]);
    assert_eq!(definitions["policies"].as_array().map(Vec::len), Some(1));
    assert_eq!(definitions["vhosts"][0]["name"], policy["vhost"]);
}
