//! The previous release keeps working on the schema of this one.
//!
//! `released.json` records what that release needs: its migrations, its SQL with the types that Postgres gave it, and
//! the jobs it reads and writes. `make snapshot` writes it when a release is cut. Until the next release, every change
//! is checked against it. That a statement can still be prepared proves nothing about constraints, so
//! `shared/migrations/README.md` states what a migration may do, and this checks it too.

use std::collections::BTreeMap;

use harness::{Setup, World};
use serde::{Deserialize, Serialize};
use shared::job::Job;
use shared::release::VERSION;
use sqlx::{
    AssertSqlSafe, Column as _, Either, Executor as _, PgConnection, Row as _, SqlSafeStr as _, Statement as _,
};
use sqlx::{TypeInfo as _, postgres::PgTypeInfo};

use crate::sources::{read, top};

const SNAPSHOT: &str = "tests/contracts/released.json";

/// Every format a job has had, each for the same delivery and attempt.
const JOBS: [&str; 1] = [r#"{"v":1,"delivery":"0190b1f4-7d3a-7c21-9a55-0242ac120002","attempt":3}"#];

/// What a release needs from Postgres and from the queue.
#[derive(Deserialize, Serialize)]
struct Released {
    version: String,
    /// The jobs it writes,
    writes: String,
    /// and those it reads.
    reads: Vec<String>,
    /// Checksums by number, as stored in a database.
    migrations: BTreeMap<i64, String>,
    statements: Vec<Shape>,
}

/// A statement with its types.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Shape {
    query: String,
    parameters: Vec<String>,
    columns: Vec<(String, String)>,
}

fn released() -> Released {
    serde_json::from_str(&read(SNAPSHOT)).unwrap()
}

fn job() -> Job {
    Job {
        delivery: "0190b1f4-7d3a-7c21-9a55-0242ac120002".parse().unwrap(),
        attempt: 3,
    }
}

async fn shape_of(query: &str, connection: &mut PgConnection) -> sqlx::Result<Shape> {
    let prepared = connection
        .prepare(AssertSqlSafe(query.to_owned()).into_sql_str())
        .await?;
    let name = |of: &PgTypeInfo| of.name().to_owned();
    let parameters = match prepared.parameters() {
        Some(Either::Left(types)) => types.iter().map(name).collect(),
        _ => Vec::new(),
    };
    let columns = prepared.columns().iter();
    Ok(Shape {
        query: query.to_owned(),
        parameters,
        columns: columns
            .map(|one| (one.name().to_owned(), name(one.type_info())))
            .collect(),
    })
}

/// The checksums of the migrations in a fully migrated database.
async fn applied(connection: &mut PgConnection) -> BTreeMap<i64, String> {
    let rows = sqlx::query("select version, encode(checksum, 'hex') from _sqlx_migrations")
        .fetch_all(connection)
        .await
        .unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// The number, the name and the text of each migration.
fn migrations() -> Vec<(i64, String, String)> {
    let found = crate::sources::files(".sql").into_iter().filter_map(|file| {
        let name = file.path.strip_prefix("shared/migrations/")?.to_owned();
        let number = name.split('_').next()?.parse().ok()?;
        Some((number, name, file.text))
    });
    let found: Vec<_> = found.collect();
    assert!(found.len() >= 10, "{} migrations", found.len());
    found
}

/// Version numbers in sortable form.
fn sortable(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap()).collect()
}

#[tokio::test]
async fn queries_of_the_previous_release_still_work() {
    let before = released();
    World::run_with(Setup::default().workers(0), async |world| {
        let mut connection = world.db.acquire().await.unwrap();

        let mut changed = Vec::new();
        for old in &before.statements {
            match shape_of(&old.query, &mut connection).await {
                Ok(now) if now == *old => {}
                Ok(now) => changed.push(format!("{old:#?}\nis now {now:#?}")),
                Err(fault) => changed.push(format!("{fault}\n{}", old.query)),
            }
        }

        assert!(before.statements.len() > 100, "{SNAPSHOT} has lost its statements");
        assert!(
            changed.is_empty(),
            "{} would fail on this schema:\n{}",
            before.version,
            changed.join("\n\n")
        );
        drop(connection);
    })
    .await;
}

#[tokio::test]
async fn released_migrations_do_not_change() {
    let before = released();
    World::run_with(Setup::default().workers(0), async |world| {

        let now = applied(&mut world.db.acquire().await.unwrap()).await;

        for (number, checksum) in &before.migrations {
            assert_eq!(
                now.get(number),
                Some(checksum),
                "migration {number} of {} has changed: databases that have it would refuse this release. Add a migration; \
                 if that release is not out yet, `make snapshot`",
                before.version
            );
        }
        let newest = before.migrations.keys().max().unwrap();
        let late: Vec<&i64> = now
            .keys()
            .filter(|one| !before.migrations.contains_key(one) && *one < newest)
            .collect();
        assert!(
            late.is_empty(),
            "{late:?} would come after {newest}; give them later numbers"
        );
    })
    .await;
}

#[test]
fn migrations_after_a_release_are_additive() {
    let before = released();

    for (number, name, text) in migrations() {
        if before.migrations.contains_key(&number) {
            continue;
        }
        let takes: Vec<String> = statements(&text).into_iter().filter(|one| !only_adds(one)).collect();
        let since = text
            .lines()
            .find_map(|line| line.strip_prefix("-- since ")?.split_once(": "));
        match since {
            None => assert!(
                takes.is_empty(),
                "{name}: the previous release may need what this removes; see shared/migrations/README.md\n{takes:#?}"
            ),
            Some((version, why)) => assert!(
                sortable(version) <= sortable(&before.version) && !why.is_empty(),
                "{name}: {version} is not released, so {} is deployed and may need what this removes",
                before.version
            ),
        }
    }
}

/// The statements of a migration, one line each, without comments.
fn statements(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split("--").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join(" ");
    // Text between $$ is one piece, whatever it contains.
    let mut found = vec![String::new()];
    for (at, piece) in code.split("$$").enumerate() {
        let ends = if at % 2 == 0 { piece.matches(';').count() } else { 0 };
        for (n, part) in piece.splitn(ends + 1, ';').enumerate() {
            if n > 0 {
                found.push(String::new());
            }
            found.last_mut().unwrap().push_str(part);
        }
    }
    let tidy = found
        .iter()
        .map(|one| one.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase());
    tidy.filter(|one| !one.is_empty()).collect()
}

/// Whether a program that does not know this statement keeps working after it.
fn only_adds(statement: &str) -> bool {
    let creates = ["table", "type", "index", "function", "view"].map(|thing| format!("create {thing} "));
    if creates.iter().any(|creates| statement.starts_with(creates)) {
        return true;
    }
    let columns: Vec<&str> = statement.split(" add column ").collect();
    let no_other = [
        "add constraint",
        "add check",
        "add unique",
        "drop ",
        "alter column",
        "rename ",
    ];
    statement.starts_with("alter table ")
        && columns.len() > 1
        && columns[0].split(' ').count() == 3
        && no_other.iter().all(|other| !statement.contains(other))
        // An insert that omits the column must succeed.
        && columns[1..]
            .iter()
            .all(|one| !one.contains("not null") || one.contains(" default ") || one.contains(" generated "))
}

#[test]
fn additive_changes_are_distinguished_from_destructive_ones() {
    let text = "-- drop table x;\ncreate table a (b text, -- c; d\n e text);\n\
                create function f() returns text as $$ select 1; drop table y; $$;\n\
                alter table a\n    add column c text,\n    add column d int not null default 0;\n\
                create index i on a (b);";
    let adds = statements(text);
    assert_eq!(adds.len(), 4, "{adds:#?}");
    assert!(adds.iter().all(|one| only_adds(one)), "{adds:#?}");

    for takes in [
        "drop table a",
        "alter table a drop column c",
        "alter table a add column c text, drop column d",
        "alter table a add column c text not null",
        "alter table a add column c text, add constraint c check (c <> '')",
        "alter table a alter column c set not null",
        "alter table a rename column c to d",
        "alter type t add value 'v'",
        "create unique index i on a (b)",
        "create trigger t before update on a for each row execute function f()",
        "create or replace function f() returns text as $$ select 2 $$",
        "update a set c = ''",
    ] {
        assert!(!only_adds(takes), "{takes}");
    }
}

#[test]
fn this_release_and_the_previous_one_read_each_others_jobs() {
    let before = released();

    let written = String::from_utf8(job().encode()).unwrap();

    assert!(
        before.reads.contains(&written),
        "{} cannot read {written}: a form is read by one release and written by the next",
        before.version
    );
    assert_eq!(Job::decode(before.writes.as_bytes()), Ok(job()));
}

#[tokio::test]
#[ignore = "writes released.json; `make snapshot` asks for it when a release is cut"]
async fn remember_this_release() {
    assert!(
        released().version != VERSION || read("CHANGELOG.md").contains(&format!("## [{VERSION}] - Unreleased")),
        "{VERSION} is out and stays as it is; the next release has another version"
    );
    World::run_with(Setup::default().workers(0), async |world| {
        let mut connection = world.db.acquire().await.unwrap();
        let mut statements = Vec::new();
        for file in std::fs::read_dir(top().join("shared/.sqlx")).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let checked: serde_json::Value = serde_json::from_str(&text).unwrap();
            let query = checked["query"].as_str().unwrap();
            statements.push(shape_of(query, &mut connection).await.unwrap());
        }
        statements.sort_by(|one, other| one.query.cmp(&other.query));
        let reads = JOBS.iter().filter(|body| Job::decode(body.as_bytes()) == Ok(job()));
        let released = Released {
            version: VERSION.to_owned(),
            writes: String::from_utf8(job().encode()).unwrap(),
            reads: reads.map(|body| (*body).to_owned()).collect(),
            migrations: applied(&mut connection).await,
            statements,
        };

        let text = serde_json::to_string_pretty(&released).unwrap();
        std::fs::write(top().join(SNAPSHOT), text + "\n").unwrap();
        drop(connection);
    })
    .await;
}
