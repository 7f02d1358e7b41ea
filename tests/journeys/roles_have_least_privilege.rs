//! The programs run with only the rights that `deploy/postgres/roles.sql` grants.

use crate::json;
use harness::stack::Stack;
use harness::{Setup, World};
use sqlx::{AssertSqlSafe, PgPool};
use std::process::Command;

/// Postgres's error code for insufficient privilege.
const NOT_ALLOWED: &str = "42501";

/// The URL with another user and another database.
fn url_as(url: &str, user: &str, database: &str) -> String {
    let host = url.split(['@', '/']).nth(3).unwrap();
    format!("postgres://{user}@{host}/{database}")
}

/// Runs the shipped file as an operator does.
async fn make_roles(url: &str, owner: &str, runtime: &str) {
    let psql = Stack::postgres_programs().await.unwrap().join("psql");
    let output = Command::new(&psql)
        .args(["--no-psqlrc", "--dbname", url, "--set", &format!("owner={owner}")])
        .args([
            "--set",
            &format!("runtime={runtime}"),
            "--set=owner_password=o",
            "--set=password=r",
        ])
        .args([
            "--file",
            concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/postgres/roles.sql"),
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn refused(db: &PgPool, statement: &str) -> String {
    let fault = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(db)
        .await
        .unwrap_err();
    let code = fault.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.unwrap_or_default().into_owned()
}

/// Statements that the programs' role may not run.
const FORBIDDEN: [&str; 13] = [
    "update audit set who = 'forged'",
    "delete from audit",
    "truncate audit",
    "alter table audit disable trigger audit_stays",
    "drop trigger audit_stays on audit",
    "create trigger t before insert on audit for each row execute function audit_stays()",
    "create or replace function audit_stays() returns trigger language plpgsql as 'begin return null; end'",
    "set session_replication_role = replica",
    "delete from _sqlx_migrations",
    "insert into _sqlx_migrations select * from _sqlx_migrations",
    "create table mine (id int)",
    "drop table users",
    "alter table users add column mine text",
];

/// A database with both roles, by their URLs.
struct Roles {
    database: String,
    superuser: String,
    owner: String,
    runtime: String,
}

impl Roles {
    /// Creates the roles, migrates as the owner, and switches the world to the runtime role, keeping its API key.
    async fn take_over(world: &mut World) -> Self {
        let url = world.setting("DATABASE_URL").to_owned();
        let database = format!("{}_roles", world.vhost());
        let superuser = world.stack().create_database(&database, None).await.unwrap();
        let names = ["owner", "runtime"].map(|role| format!("{database}_{role}"));
        for _ in 0..2 {
            make_roles(&superuser, &names[0], &names[1]).await;
        }
        let [owner, runtime] = names.map(|name| url_as(&url, &name, &database));
        let key: (String, Vec<u8>) = sqlx::query_as("select name, digest from api_keys")
            .fetch_one(&world.db)
            .await
            .unwrap();

        let mut settings = world.settings().to_vec();
        settings.push(("DATABASE_URL".to_owned(), owner.clone()));
        let (code, printed) = world.run_program("beckon-api", &["migrate"], &settings).await.unwrap();
        assert_eq!(code, 0, "{printed}");
        world.turn_to_database(&runtime).unwrap();
        sqlx::query("insert into api_keys (name, digest) values ($1, $2)")
            .bind(key.0)
            .bind(key.1)
            .execute(&world.db)
            .await
            .unwrap();
        Self {
            database,
            superuser,
            owner,
            runtime,
        }
    }
}

#[tokio::test]
async fn the_programs_work_as_a_role_that_owns_nothing_and_cannot_touch_the_audit_log() {
    let mut world = World::with(Setup::default().workers(0)).await;
    world.kill_api().await;
    let roles = Roles::take_over(&mut world).await;

    let usual = [("BECKON_MIGRATE", "false"), ("BECKON_DETAILS_KEPT", "30d")];
    world.start_api_with(&usual).await.unwrap();
    world.start_worker().await.unwrap();
    let import = world.people(3).await;
    let batch = world.reset_passwords(json!({ "import": import })).await;
    let finished = world.finished(batch).await;
    // A superuser moves the time; the program drops the month.
    let as_superuser = PgPool::connect_lazy(&roles.superuser).unwrap();
    let as_runtime = std::mem::replace(&mut world.db, as_superuser);
    world.let_days_pass(70).await;
    world.db = as_runtime;
    world.kill_api().await;
    world.start_api_with(&usual).await.unwrap();
    world
        .eventually("the month is dropped", async || {
            world.batch(batch).await["details_dropped_at"].is_string().then_some(())
        })
        .await;

    assert_eq!(finished["counts"]["sent"], 3, "{finished}");
    for statement in FORBIDDEN {
        assert_eq!(refused(&world.db, statement).await, NOT_ALLOWED, "{statement}");
    }
    let owned: i64 = sqlx::query_scalar("select count(*) from pg_class where relowner = current_user::regrole")
        .fetch_one(&world.db)
        .await
        .unwrap();
    assert_eq!(owned, 0);
    let as_owner = PgPool::connect_lazy(&roles.owner).unwrap();
    let of_owner = refused(&as_owner, "delete from audit").await;
    as_owner.close().await;
    assert_eq!(of_owner, "P0001", "the trigger stops the owner too");
    take_away(world, roles).await;
}

#[tokio::test]
async fn a_database_migrated_by_another_role_is_handed_over_as_documented() {
    World::run_with(Setup::default().workers(0), async |world| {
        let url = world.setting("DATABASE_URL").to_owned();
        let database = format!("{}_handed", world.vhost());
        let superuser = world.stack().create_database(&database, None).await.unwrap();
        let [before, owner, runtime] = ["before", "owner", "runtime"].map(|role| format!("{database}_{role}"));
        let db = PgPool::connect_lazy(&superuser).unwrap();
        let mut migrate = async |role: &str| {
            let mut settings = world.settings().to_vec();
            settings.push(("DATABASE_URL".to_owned(), url_as(&url, role, &database)));
            let (code, printed) = world.run_program("beckon-api", &["migrate"], &settings).await.unwrap();
            assert_eq!(code, 0, "{printed}");
        };
        let run = async |statement: String| sqlx::raw_sql(AssertSqlSafe(statement)).execute(&db).await.unwrap();
        run(format!(
            "create role {before} login; alter schema public owner to {before}"
        ))
        .await;
        migrate(&before).await;

        make_roles(&superuser, &owner, &runtime).await;
        run(format!("reassign owned by {before} to {owner}")).await;
        make_roles(&superuser, &owner, &runtime).await;

        migrate(&owner).await;
        let as_runtime = PgPool::connect_lazy(&url_as(&url, &runtime, &database)).unwrap();
        let users: i64 = sqlx::query_scalar("select count(*) from users")
            .fetch_one(&as_runtime)
            .await
            .unwrap();
        assert_eq!(users, 0);
        for statement in FORBIDDEN {
            assert_eq!(refused(&as_runtime, statement).await, NOT_ALLOWED, "{statement}");
        }
        as_runtime.close().await;
        db.close().await;
        world.stack().drop_database(&database).await.unwrap();
        let cluster = PgPool::connect_lazy(world.stack().database_url()).unwrap();
        let dropping = format!("drop role {before}, {owner}, {runtime}");
        sqlx::raw_sql(AssertSqlSafe(dropping)).execute(&cluster).await.unwrap();
        cluster.close().await;
    })
    .await;
}

/// Roles belong to the whole server, which other tests continue to use.
async fn take_away(mut world: World, roles: Roles) {
    world.workers.clear();
    world.kill_api().await;
    world.db.close().await;
    world.stack().drop_database(&roles.database).await.unwrap();
    let cluster = PgPool::connect_lazy(world.stack().database_url()).unwrap();
    for url in [roles.owner, roles.runtime] {
        let name = url.trim_start_matches("postgres://").split('@').next().unwrap();
        let dropping = format!("drop role {name}");
        sqlx::raw_sql(AssertSqlSafe(dropping)).execute(&cluster).await.unwrap();
    }
    cluster.close().await;
    world.end().await;
}
