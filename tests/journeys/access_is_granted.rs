//! API keys and administrators are created, and administrators choose passwords through links that work once.

use harness::world::Administrator;
use harness::{Setup, World};
use shared::password::{HashPool, Password, os_randomness};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::console_session::{ConsoleSession, Page};
use crate::json;

const CHOSEN: &str = "seven wet stones in a row";

/// A one-time form token.
fn token() -> String {
    Uuid::new_v4().to_string()
}

async fn keys(world: &World) -> i64 {
    let keys = world.rows("api_keys").other_than("created_by", "the command line");
    keys.count().await
}

/// The path of a password link: the only part of it that a server sees.
const LINK_PAGE: &str = "/console/choose-password";

/// The code of a displayed link; the page also shows it separately.
fn code_in(page: &Page) -> String {
    let address = page.text.split(&format!("{LINK_PAGE}#")).nth(1);
    let code = address.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    assert!(code.len() > 40, "{}", page.text);
    assert!(page.text.contains(&format!("value=\"{code}\"")), "{}", page.text);
    code.to_owned()
}

fn choice<'f>(code: &'f str, password: &'f str) -> [(&'f str, &'f str); 3] {
    [("code", code), ("new_password", password), ("again_password", password)]
}

impl ConsoleSession {
    /// Submits the code of a link, as the script of its page does.
    async fn open_link(&mut self, code: &str) -> Page {
        self.send(LINK_PAGE, &[("code", code)]).await
    }

    /// Submits a password with the code of a link.
    async fn choose(&mut self, code: &str, password: &str) -> Page {
        self.send(LINK_PAGE, &choice(code, password)).await
    }
}

async fn add_ana(session: &mut ConsoleSession) -> Page {
    let token = token();
    let fields = [
        ("email", "ana@lerna.example"),
        ("name", "Ana Ruiz"),
        ("token", token.as_str()),
    ];
    let page = session.post("/console/administrators", &fields).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

#[tokio::test]
async fn granting_access_asks_for_the_password_again_and_keeps_the_form_input() {
    World::run_with(Setup::default().workers(0), async |world| {
        let priya = world.administrator().await.clone();
        world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let ana = world.administrator_id("Ana Ruiz").await;
        let mut session = ConsoleSession::of(world, &priya).await;
        world.let_confirmations_end().await;

        let token = token();
        let forms = [
            "/console/keys".to_owned(),
            "/console/administrators".to_owned(),
            format!("/console/administrators/{ana}/password"),
            format!("/console/administrators/{ana}/enable"),
        ];
        for path in &forms {
            let asked = session.post(path, &[("name", "intranet"), ("token", &token)]).await;
            assert_eq!(asked.status, 401, "{path}");
            assert!(asked.text.contains("Confirm your password"), "{path}: {}", asked.text);
            assert!(asked.text.contains(&format!("action=\"{path}\"")), "{}", asked.text);
            let back = asked.text.split("<a href=\"").find(|link| link.contains(">Cancel<"));
            let back = back.and_then(|link| link.split('"').next()).unwrap_or_default();
            let form = session.get(back).await;
            assert!(
                form.text.contains(&format!("action=\"{path}\"")) || path.ends_with("/enable"),
                "{path}: {back}"
            );
            assert_eq!(form.status, 200, "{path}: {back}");
            assert!(asked.field("name") == "intranet" && asked.field("token") == token);
        }
        let form = [
            ("name", "intranet"),
            ("lifetime", "90d"),
            ("token", token.as_str()),
            ("confirm_password", "not her password at all"),
        ];
        let wrong = session.post("/console/keys", &form).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text.contains("The password is incorrect"), "{}", wrong.text);
        assert!(!wrong.text.contains("not her password at all"), "{}", wrong.text);
        assert_eq!(keys(world).await, 0);

        let before = session.clone();
        let right = [form[0], form[1], form[2], ("confirm_password", priya.password.as_str())];
        let made = session.post("/console/keys", &right).await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert!(made.text.contains("value=\"beckon_"), "{}", made.text);
        assert_eq!(keys(world).await, 1);
        // The session continues with another token.
        assert!(session.token != before.token && session.is_signed_in().await);
        assert!(!before.is_signed_in().await);
        // For ten minutes the password is not asked for again.
        let again = session
            .post("/console/keys", &[("name", "payroll"), ("token", &self::token())])
            .await;
        assert_eq!(again.status, 200, "{}", again.text);
        let confirmed = world.rows("audit").with("action", "password_confirmed").count().await;
        assert_eq!(confirmed, 1);
    })
    .await;
}

#[tokio::test]
async fn confirming_a_password_has_the_same_rate_limit_as_signing_in() {
    World::run_with(Setup::default().workers(0), async |world| {
        let priya = world.administrator().await.clone();
        let mut session = ConsoleSession::of(world, &priya).await;
        world.let_confirmations_end().await;

        let mut tries = 0;
        loop {
            let form = [("name", "intranet"), ("confirm_password", "not her password at all")];
            match session.post("/console/keys", &form).await.status {
                422 => tries += 1,
                429 => break,
                other => assert_eq!(other, 422),
            }
            assert!(tries < 15, "{tries} passwords could be tried");
        }

        assert!(tries >= 10, "only {tries} passwords could be tried");
        let anew = ConsoleSession::stranger(world)
            .sign_in(&priya.email, &priya.password)
            .await;
        assert_eq!(
            anew.status, 303,
            "a session that guesses keeps no other out: {}",
            anew.text
        );
    })
    .await;
}

#[tokio::test]
async fn a_new_administrator_chooses_a_password_with_a_link_that_works_once() {
    World::run_with(Setup::default().workers(0), async |world| {
        let mut session = ConsoleSession::of(world, world.administrator().await).await;

        let added = add_ana(&mut session).await;
        let code = code_in(&added);
        let mut ana = ConsoleSession::stranger(world);
        // A mail scanner opens the link before she does, and runs its script.
        for _ in 0..3 {
            assert_eq!(ana.get(LINK_PAGE).await.status, 200);
            let page = ana.open_link(&code).await;
            assert_eq!(page.status, 200);
            assert!(page.text.contains("ana@lerna.example"), "{}", page.text);
        }
        let nothing = ana.open_link(" ").await;
        assert_eq!(nothing.status, 422);
        assert!(nothing.text.contains("Enter the code of your link"), "{}", nothing.text);
        let short = ana.choose(&code, "too short").await;
        assert_eq!(short.status, 422);
        assert!(short.text.contains("15 characters or more"), "{}", short.text);
        let differs = [
            ("code", code.as_str()),
            ("new_password", CHOSEN),
            ("again_password", "seven dry stones in a row"),
        ];
        assert_eq!(ana.send(LINK_PAGE, &differs).await.status, 422);
        let (mut one, mut other) = (ana.clone(), ana.clone());
        let (first, second) = tokio::join!(one.choose(&code, CHOSEN), other.choose(&code, CHOSEN));

        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 410]);
        let hers = if first.status == 303 { one } else { other };
        assert!(hers.is_signed_in().await);
        assert_eq!(ana.open_link(&code).await.status, 410);
        assert_eq!(ana.sign_in("ana@lerna.example", CHOSEN).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn the_code_of_a_link_is_in_no_url_and_in_no_log() {
    World::run_with(Setup::default().workers(0), async |world| {
        let mut session = ConsoleSession::of(world, world.administrator().await).await;
        let code = code_in(&add_ana(&mut session).await);
        let mut ana = ConsoleSession::stranger(world);

        // The requests of a browser that opens the link and submits the forms of the page.
        let opened = ana.get(LINK_PAGE).await;
        let asked = ana.open_link(&code).await;

        let form = format!("<form method=\"post\" action=\"{LINK_PAGE}\">");
        assert!(
            opened.text.contains(&form) && asked.text.contains(&form),
            "{}",
            asked.text
        );
        assert_eq!(asked.field("code"), code);
        // There is no route with the code in the path or query.
        assert_ne!(ana.get(&format!("{LINK_PAGE}/{code}")).await.status, 200);
        let in_query = ana.get(&format!("{LINK_PAGE}?code={code}")).await;
        assert!(!in_query.text.contains("ana@lerna.example"), "{}", in_query.text);
        assert_eq!(ana.choose(&code, CHOSEN).await.status, 303);
        assert!(!world.logs().contains(&code), "a log has the code of a link");
    })
    .await;
}

#[tokio::test]
async fn an_administrator_whose_name_looks_like_another_is_not_added() {
    World::run_with(Setup::default().workers(0), async |world| {
        let priya = world.administrator().await.clone();
        let mut session = ConsoleSession::of(world, &priya).await;

        for (status, name, expected) in [
            (409, "priya  nair", "Another administrator is called Priya Nair"),
            // The first letter is Cyrillic.
            (409, "\u{420}riya Nair", "Another administrator is called Priya Nair"),
            (422, "Ana\u{200b} Ruiz", "Name must not contain invisible characters"),
            (422, "\u{202e}zuiR anA", "Name must not contain invisible characters"),
            (
                422,
                "k\u{435}y tests",
                "Name must not begin like those of keys and programs",
            ),
        ] {
            let token = token();
            let fields = [
                ("email", "ana@lerna.example"),
                ("name", name),
                ("token", token.as_str()),
            ];
            let page = session.post("/console/administrators", &fields).await;
            assert_eq!(page.status, status, "{name:?}");
            assert!(page.text.contains(expected), "{name:?}: {}", page.text);
        }
        let token = token();
        let taken = session
            .post("/console/keys", &[("name", "TESTS"), ("token", &token)])
            .await;
        assert_eq!(taken.status, 409);
        assert!(
            taken.text.contains("An active key is already called ‘tests’"),
            "{}",
            taken.text
        );
        let never = [
            ("name", "siem"),
            ("lifetime", "never"),
            ("may_read_audit_log", "true"),
            ("token", &token),
        ];
        assert_eq!(session.post("/console/keys", &never).await.status, 200);
        let list = session.get("/console/keys").await.text;
        assert!(
            list.contains("May read the audit log") && list.contains("never expires"),
            "{list}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_reset_ends_the_password_and_the_sessions_and_does_not_show_the_next_one() {
    World::run_with(Setup::default().workers(0), async |world| {
        let priya = world.administrator().await.clone();
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let path = format!("/console/administrators/{}", world.administrator_id("Ana Ruiz").await);
        let hers = ConsoleSession::of(world, &ana).await;
        let mut session = ConsoleSession::of(world, &priya).await;

        let token = token();
        let first = session.post(&format!("{path}/password"), &[("token", &token)]).await;
        let again = session.post(&format!("{path}/password"), &[("token", &token)]).await;
        let second = session
            .post(&format!("{path}/password"), &[("token", &self::token())])
            .await;

        assert!(!hers.is_signed_in().await);
        let mut ana_again = ConsoleSession::stranger(world);
        assert_eq!(ana_again.sign_in(&ana.email, &ana.password).await.status, 422);
        assert!(!again.text.contains(LINK_PAGE), "{}", again.text);
        // Only the latest link works.
        assert_eq!(ana_again.open_link(&code_in(&first)).await.status, 410);
        assert_eq!(ana_again.open_link(&code_in(&second)).await.status, 200);
        let expires_at: OffsetDateTime = world
            .rows("administrators")
            .with("name", "Ana Ruiz")
            .only("link_expires_at")
            .await;
        let lasts = expires_at - world.now().await;
        assert!((Duration::hours(23)..=Duration::hours(24)).contains(&lasts), "{lasts}");
        assert_eq!(ana_again.choose(&code_in(&second), CHOSEN).await.status, 303);
        assert!(ana_again.is_signed_in().await);
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_when_it_expires_or_its_administrator_is_disabled() {
    World::run_with(Setup::default().workers(0), async |world| {
        let mut session = ConsoleSession::of(world, world.administrator().await).await;
        let code = code_in(&add_ana(&mut session).await);
        let path = format!("/console/administrators/{}", world.administrator_id("Ana Ruiz").await);
        let mut ana = ConsoleSession::stranger(world);

        session.post(&format!("{path}/disable"), &[]).await;
        assert_eq!(ana.choose(&code, CHOSEN).await.status, 410);
        session.post(&format!("{path}/enable"), &[]).await;
        assert_eq!(ana.choose(&code, CHOSEN).await.status, 410);
        assert!(session.get(&path).await.text.contains("Link expired"));

        let reset = session.post(&format!("{path}/password"), &[("token", &token())]).await;
        let ana_ruiz = world.rows("administrators").with("name", "Ana Ruiz");
        ana_ruiz.set(json!({ "link_expires_at": "now" })).await;
        assert_eq!(ana.open_link(&code_in(&reset)).await.status, 410);
        assert_eq!(ana.choose(&code_in(&reset), CHOSEN).await.status, 410);
    })
    .await;
}

#[tokio::test]
async fn a_first_password_of_the_previous_release_signs_in_and_must_be_replaced() {
    World::run_with(Setup::default().workers(0), async |world| {
        let ana = world.another_administrator("Ana Ruiz", "ana@lerna.example").await;
        let first = Password::generate(&mut os_randomness()).unwrap();
        let (first, verifier) = HashPool::start(1, 1).unwrap().hash(first).await.unwrap();
        let first = first.expose_for_mail().to_owned();
        let made = json!({ "verifier": verifier.as_stored(), "must_choose": true, "password_made_at": "now" });
        world.rows("administrators").set(made).await;
        let ana = Administrator {
            password: first.to_uppercase().replace('-', " "),
            ..ana
        };
        let mut session = ConsoleSession::of(world, &ana).await;
        for kept in [first.clone(), first.replace('-', ""), ana.password.clone()] {
            let page = session.send_own(&kept).await;
            assert_eq!(page.status, 422, "{kept}");
            assert!(page.text.contains("This is the password you have now"), "{}", page.text);
        }
        assert_eq!(session.send_own(CHOSEN).await.status, 303);
        assert_eq!(session.get("/console/keys").await.status, 200);
    })
    .await;
}

impl ConsoleSession {
    /// Submits the form on which a password must be chosen before anything else.
    async fn send_own(&mut self, password: &str) -> Page {
        let token = self.get("/console/password").await.field("csrf_token");
        let [_, new, again] = choice("", password);
        let fields = [("csrf_token", &*token), new, again];
        self.send("/console/password", &fields).await
    }
}
