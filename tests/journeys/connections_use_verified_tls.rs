//! Postgres and RabbitMQ use TLS with a certificate of a private authority, and the programs verify it.

use harness::program::Program;
use harness::{Setup, World};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sqlx::{AssertSqlSafe, Executor as _, PgPool};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a program may take to find that it cannot start.
const SOON: Duration = Duration::from_secs(20);

/// The authority's file, and the files of a certificate for `localhost` only.
struct Files {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    /// Writes the files of one server with the folder's owner, which the server runs as.
    fn write(folder: &Path, server: &str) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(authority, authority_key)).unwrap();

        let owner = std::fs::metadata(folder).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.join(format!("{server}-{name}"));
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
            path
        };
        Self {
            authority: write("authority.pem", &authority_pem),
            certificate: write("certificate.pem", &leaf.pem()),
            key: write("certificate.key", &key.serialize_pem()),
        }
    }
}

/// A world on servers that we started, possibly the shared ones.
async fn a_world(server: &str) -> (World, Files) {
    let mut world = World::with(Setup::default().workers(0)).await;
    if !world.stack().is_private() {
        world.end().await;
        world = World::with(Setup::default().workers(0).own_stack()).await;
    }
    let files = Files::write(world.stack().folder().unwrap(), server);
    (world, files)
}

/// The world's settings with these replaced.
fn with(world: &World, own: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = own
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    world.settings().iter().cloned().chain(own).collect()
}

#[tokio::test]
async fn postgres_is_verified_against_a_private_authority_by_name() {
    let (world, files) = a_world("postgres").await;
    World::run_in(world, async |world| {
        let cluster = PgPool::connect_lazy(world.stack().database_url()).unwrap();
        for statement in [
            format!("alter system set ssl_cert_file = '{}'", files.certificate.display()),
            format!("alter system set ssl_key_file = '{}'", files.key.display()),
            "alter system set ssl = on".to_owned(),
            "select pg_reload_conf()".to_owned(),
        ] {
            cluster.execute(AssertSqlSafe(statement)).await.unwrap();
        }
        let url = world.setting("DATABASE_URL").to_owned();
        let by_name = url.replace("127.0.0.1", "localhost");
        let ours = format!("sslrootcert={}", files.authority.display());
        world
            .eventually("Postgres speaks TLS", async || {
                let asked = PgPool::connect_lazy(&format!("{url}?sslmode=require")).unwrap();
                asked.execute("select 1").await.ok()
            })
            .await;

        let cases = [
            ("ours, by its name", format!("{by_name}?sslmode=verify-full&{ours}"), ""),
            (
                "of an unknown authority",
                format!("{by_name}?sslmode=verify-full"),
                "UnknownIssuer",
            ),
            (
                "for another name",
                format!("{url}?sslmode=verify-full&{ours}"),
                "not valid for name",
            ),
        ];
        for (what, url, word) in cases {
            let settings = with(world, &[("DATABASE_URL", &url)]);
            let (code, output) = world.run_program("beckon-api", &["migrate"], &settings).await.unwrap();
            assert_eq!(code == 0, word.is_empty(), "{what}: {output}");
            assert!(output.contains(word) && output.lines().count() <= 2, "{what}: {output}");
        }
        for statement in ["alter system reset ssl", "select pg_reload_conf()"] {
            cluster.execute(statement).await.unwrap();
        }
        cluster.close().await;
    })
    .await;
}

#[tokio::test]
async fn rabbitmq_is_verified_against_a_private_authority_by_name() {
    let (world, files) = a_world("rabbitmq").await;
    World::run_in(world, async |world| {
        let listens = world.spare_address().unwrap();
        // Equivalent to `listeners.ssl` and `ssl_options` in rabbitmq.conf; no word may contain a space.
        let listener = format!(
            "eval rabbit_networking:start_ssl_listener({{\"127.0.0.1\",{}}},[{{certfile,\"{}\"}},{{keyfile,\"{}\"}}],1).",
            listens.port(),
            files.certificate.display(),
            files.key.display(),
        );
        world.stack().broker_ctl(&listener).await.unwrap();
        let url = |host: &str, query: &str| {
            let plain = world.setting("AMQP_URL");
            let vhost = plain.rsplit('/').next().unwrap();
            format!("amqps://guest:guest@{host}:{}/{vhost}{query}", listens.port())
        };
        let ours = format!("?cacertfile={}", files.authority.display());
        let cases = [
            ("ours, by its name", url("localhost", &ours), ""),
            ("of an unknown authority", url("localhost", ""), "UnknownIssuer"),
            ("for another name", url("127.0.0.1", &ours), "not valid for name"),
        ];

        for (place, (what, url, word)) in (0..).zip(&cases) {
            let probes = world.spare_address().unwrap().to_string();
            let settings = with(
                world,
                &[
                    ("AMQP_URL", url),
                    ("BECKON_PROBES_LISTEN", &probes),
                    ("SMTP_URL", "smtp://127.0.0.1:1?tls=none"),
                ],
            );
            let worker = Program::start(
                "beckon-worker",
                world.folder(),
                &format!("private-{place}"),
                &[],
                &settings,
            )
            .await
            .unwrap();
            world
                .eventually(what, async || {
                    let ready = reqwest::get(format!("http://{probes}/readyz")).await.ok()?;
                    let is_logged = worker.log().contains("could not connect to RabbitMQ");
                    (is_logged || ready.status().is_success()).then_some(())
                })
                .await;
            let log = worker.log();
            assert_eq!(
                log.contains("could not connect to RabbitMQ"),
                !word.is_empty(),
                "{what}: {log}"
            );
            assert!(log.contains(word) && !log.contains("guest:guest"), "{what}: {log}");
            worker.signal(nix::sys::signal::Signal::SIGTERM);
            worker.ended(SOON).await.unwrap();
        }
    })
    .await;
}
