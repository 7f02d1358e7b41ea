//! Which features are compiled in, and which must not be.

use std::collections::BTreeMap;
use std::process::Command;

use crate::sources::top;

/// Every package in the programs and the tests, with its enabled features.
fn packages() -> BTreeMap<String, Vec<String>> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--locked"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}|{f}"])
        .current_dir(top())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut packages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&tree.stdout).lines() {
        let Some((package, features)) = line.split_once('|') else {
            continue;
        };
        let name = package.split(' ').next().unwrap_or_default().to_owned();
        let features = features.trim_end_matches(" (*)").split(',').map(str::to_owned);
        packages.entry(name).or_default().extend(features);
    }
    packages
}

#[test]
fn lettre_logs_no_mail_and_pools_no_connection() {
    let packages = packages();

    let lettre = &packages["lettre"];

    // `tracing` writes each mail with its password to the log; `pool` reports refused mails as sent.
    for forbidden in [
        "tracing",
        "pool",
        "dkim",
        "serde",
        "file-transport",
        "sendmail-transport",
    ] {
        assert!(
            !lettre.iter().any(|feature| feature == forbidden),
            "lettre has {forbidden}: {lettre:?}"
        );
    }
}

#[test]
fn only_one_tls_implementation_is_linked() {
    let packages = packages();

    let strangers: Vec<&String> = packages
        .keys()
        .filter(|name| {
            matches!(
                name.as_str(),
                "aws-lc-rs" | "aws-lc-sys" | "openssl" | "openssl-sys" | "native-tls"
            )
        })
        .collect();

    assert!(strangers.is_empty(), "{strangers:?}");
    for name in ["rustls", "tokio-rustls"] {
        let features = &packages[name];
        assert!(features.iter().any(|feature| feature == "ring"), "{name}: {features:?}");
        assert!(
            !features.iter().any(|feature| feature.starts_with("aws")),
            "{name}: {features:?}"
        );
    }
}

#[test]
fn the_prometheus_crate_has_no_protobuf() {
    let packages = packages();

    let prometheus = &packages["prometheus"];

    // Its protobuf had RUSTSEC-2024-0437, and the format is no longer requested.
    assert!(
        !prometheus.iter().any(|feature| feature == "protobuf"),
        "{prometheus:?}"
    );
}
