//! How a relay protects its connections, and how it checks logins.

use crate::{assert_arrived, json, most_attempts, people_at, send_to, world};
use harness::World;
use harness::mail_servers::{Dovecot, OpenSmtpd, PASSWORD, Postfix, USER};

const PEOPLE: usize = 30;

/// Sends invites and password mails to new users. Returns the number of mails.
async fn send_both(world: &World, domain: &str) -> usize {
    let import = people_at(world, domain, PEOPLE).await;
    let invites = world.invite(json!({ "import": import })).await;
    let resets = world.reset_passwords(json!({ "import": import })).await;
    for batch in [invites, resets] {
        let finished = world.finished(batch).await;
        assert_eq!(finished["counts"]["sent"], PEOPLE, "{domain}: {finished}");
    }
    2 * PEOPLE
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn starttls_implicit_tls_and_logins_work() {
    const SASL: &str = "smtpd_sasl_auth_enable=yes";
    const ONLY_USERS: &str = "smtpd_client_restrictions=permit_sasl_authenticated, reject";
    const ENCRYPT: &str = "smtpd_tls_security_level=encrypt";
    let mut world = world().await;
    let dovecot_for_logins = Dovecot::start(world.relay.address()).await.unwrap();
    let path = dovecot_for_logins.sasl_path();
    let listeners: [&[&str]; 6] = [
        &["smtpd_tls_security_level=may"],
        &["smtpd_tls_wrappermode=yes"],
        &[SASL, "smtpd_sasl_path=plain", ONLY_USERS, ENCRYPT],
        &[SASL, "smtpd_sasl_path=login", ONLY_USERS, ENCRYPT],
        &[
            SASL,
            "smtpd_sasl_path=all",
            ONLY_USERS,
            "smtpd_tls_wrappermode=yes",
            "smtpd_tls_auth_only=yes",
        ],
        &[SASL, "smtpd_sasl_type=dovecot", &path, ONLY_USERS, ENCRYPT],
    ];
    let postfix = Postfix::start(world.relay.address(), &[], &listeners).await.unwrap();
    let authority = format!("ca={}", postfix.authority_pem().display());
    let mut mails = 0;
    for (at, settings) in listeners.iter().enumerate() {
        let is_implicit = settings.contains(&"smtpd_tls_wrappermode=yes");
        let scheme = if is_implicit { "smtps" } else { "smtp" };
        let login = if settings.contains(&SASL) {
            format!("{USER}:{PASSWORD}@")
        } else {
            String::new()
        };
        let url = format!("{scheme}://{login}{}?{authority}", postfix.address(at));
        send_to(&mut world, &url).await;
        mails += send_both(&world, &format!("example{at}.org")).await;
    }
    assert_eq!(most_attempts(&world).await, 1);
    assert_arrived(world, mails).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn opensmtpd_without_tls_and_dovecot_submission_work() {
    let mut world = world().await;
    let opensmtpd = OpenSmtpd::start(world.relay.address()).await.unwrap();
    let postfix = Postfix::start(world.relay.address(), &[], &[&[]]).await.unwrap();
    let dovecot = Dovecot::start(postfix.address(0)).await.unwrap();

    send_to(&mut world, &opensmtpd.url()).await;
    let mut mails = send_both(&world, "example1.org").await;
    send_to(&mut world, &dovecot.url()).await;
    mails += send_both(&world, "example2.org").await;

    assert_eq!(most_attempts(&world).await, 1);
    assert_arrived(world, mails).await;
}

#[tokio::test]
#[ignore = "make mail-servers: needs root and Debian's mail servers"]
async fn a_connection_that_cannot_be_trusted_or_logged_in_holds_mail_back() {
    let mut world = world().await;
    let listeners: [&[&str]; 4] = [
        &["smtpd_tls_security_level=may"],
        &[],
        &["smtpd_sasl_auth_enable=yes", "smtpd_sasl_path=challenge"],
        &["smtpd_sasl_auth_enable=yes", "smtpd_sasl_path=all"],
    ];
    let postfix = Postfix::start(world.relay.address(), &[], &listeners).await.unwrap();
    let import = people_at(&world, "example.org", PEOPLE).await;
    let batch = world.invite(json!({ "import": import })).await;
    let [encrypted, plain, challenge, all] = [0, 1, 2, 3].map(|at| postfix.address(at));

    for (url, words) in [
        (format!("smtp://{encrypted}"), "certificate"),
        (format!("smtp://{plain}"), "does not offer STARTTLS"),
        (
            format!("smtp://{USER}:{PASSWORD}@{challenge}?tls=none"),
            "neither AUTH PLAIN nor AUTH LOGIN",
        ),
        (format!("smtp://{USER}:other@{all}?tls=none"), "535 5.7.8"),
    ] {
        world.start_worker_unready(&[("SMTP_URL", &url)]).await.unwrap();
        world
            .eventually(&format!("{words} in the log"), async || {
                world.workers[0].log().contains(words).then_some(())
            })
            .await;
        let seen = world.batch(batch).await;
        assert_eq!(seen["counts"]["failed"], 0, "{url}: {seen}");
        world.stop_worker(0).await;
    }
    assert!(!world.logs().contains(PASSWORD));
    if world.batch(batch).await["state"] == "paused" {
        world
            .post(&format!("/v1/batches/{batch}/resume"), json!({}))
            .await
            .expect(200);
    }
    send_to(&mut world, &postfix.url(1)).await;
    crate::make_due(&world).await;
    let finished = world.finished(batch).await;

    assert_eq!(finished["counts"]["sent"], PEOPLE, "{finished}");
    assert_eq!(
        most_attempts(&world).await,
        1,
        "trouble with the connection spent an attempt"
    );
    assert_arrived(world, PEOPLE).await;
}
