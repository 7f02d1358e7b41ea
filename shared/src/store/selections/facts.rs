//! Of whom what is true that may leave them out.
//!
//! Lists of ids from Postgres, counted here: to join a hundred thousand people with their mails in
//! Postgres takes it three times as long as to hand over who they are.

use super::super::intake::{LIVE_PASSWORDS_MOST, RECENT};
use super::super::seconds;
use super::sums::Sum;
use crate::system_email::SystemEmailKind;
use sqlx::{PgConnection, Result};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Whom to ask about.
#[derive(Clone, Copy)]
pub(super) enum Whom<'a> {
    /// Each of these, looked up.
    These(&'a [Uuid]),
    /// Everybody, read once.
    All,
}

impl Whom<'_> {
    /// As a statement takes it: these, or all.
    const fn parts(&self) -> (&[Uuid], bool) {
        match self {
            Self::These(people) => (people, false),
            Self::All => (&[], true),
        }
    }
}

/// Who they are, by what is true of them.
pub(super) struct Facts {
    known: HashSet<Uuid>,
    locked: HashSet<Uuid>,
    signed_in: HashSet<Uuid>,
    waiting: HashSet<Uuid>,
    recent: HashSet<Uuid>,
    many_passwords: HashSet<Uuid>,
    blocked: HashSet<Uuid>,
}

impl Facts {
    pub(super) async fn read(connection: &mut PgConnection, kind: SystemEmailKind, whom: Whom<'_>) -> Result<Self> {
        let (people, all) = whom.parts();
        let users = sqlx::query!(
            r#"select coalesce(array_agg(id), '{}') as "known!",
                      coalesce(array_agg(id) filter (where locked_at is not null), '{}') as "locked!",
                      coalesce(array_agg(id) filter (where signed_in_at is not null), '{}') as "signed_in!"
               from users where $2 or id = any($1)"#,
            people,
            all,
        )
        .fetch_one(&mut *connection)
        .await?;
        Ok(Self {
            known: set(users.known),
            locked: set(users.locked),
            signed_in: set(users.signed_in),
            waiting: waiting(connection, kind, whom).await?,
            recent: recent(connection, kind, whom).await?,
            many_passwords: match kind {
                SystemEmailKind::PasswordReset => many_passwords(connection, whom).await?,
                SystemEmailKind::Invite => HashSet::new(),
            },
            blocked: blocked(connection, whom).await?,
        })
    }

    /// How many of a choice have what in common.
    pub(super) fn sums(&self, chosen: &[Uuid]) -> Vec<Sum> {
        let mut counted: HashMap<[bool; 7], i64> = HashMap::new();
        for id in chosen {
            let facts = [
                !self.known.contains(id),
                self.locked.contains(id),
                self.signed_in.contains(id),
                self.waiting.contains(id),
                self.recent.contains(id),
                self.many_passwords.contains(id),
                self.blocked.contains(id),
            ];
            *counted.entry(facts).or_default() += 1;
        }
        let sum = |(facts, n): ([bool; 7], i64)| {
            let [
                is_unknown,
                is_locked,
                signed_in,
                is_waiting,
                is_recent,
                has_many_passwords,
                is_blocked,
            ] = facts;
            Sum {
                is_unknown,
                is_locked,
                signed_in,
                is_waiting,
                is_recent,
                has_many_passwords,
                is_blocked,
                n,
            }
        };
        counted.into_iter().map(sum).collect()
    }
}

fn set(ids: Vec<Uuid>) -> HashSet<Uuid> {
    ids.into_iter().collect()
}

/// To whom a mail of this kind is owed. It belongs to a batch that has not finished, and was written no
/// earlier than the first of these: months before that are not looked at.
async fn waiting(connection: &mut PgConnection, kind: SystemEmailKind, whom: Whom<'_>) -> Result<HashSet<Uuid>> {
    let (people, all) = whom.parts();
    let owed = sqlx::query_scalar!(
        r#"with beginning as materialized (
               select uuid_v7_from(min(created_at)) as id from batches where finished_at is null
           ), owed as (
               select d.user_id
               from (select user_id, batch_id from deliveries
                     where user_id = any($1) and id >= (select id from beginning)
                       and state in ('waiting', 'queued', 'sending', 'retrying') offset 0) d
               cross join lateral (select from batches where id = d.batch_id and kind = $3 offset 0) b
               where not $2
               union all
               select d.user_id
               from batches b join deliveries d on d.batch_id = b.id
               where $2 and b.kind = $3 and b.finished_at is null
                 and d.user_id is not null and d.id >= (select id from beginning)
                 and d.state in ('waiting', 'queued', 'sending', 'retrying')
           )
           select coalesce(array_agg(user_id), '{}') as "users!" from owed"#,
        people,
        all,
        kind as _,
    );
    Ok(set(owed.fetch_one(connection).await?))
}

/// Who got a mail of this kind in the recent past.
async fn recent(connection: &mut PgConnection, kind: SystemEmailKind, whom: Whom<'_>) -> Result<HashSet<Uuid>> {
    let (people, all) = whom.parts();
    let got = sqlx::query_scalar!(
        r#"select coalesce(array_agg(user_id), '{}') as "users!" from last_sent
           where ($2 or user_id = any($1)) and kind = $3 and sent_at > now() - make_interval(secs => $4)"#,
        people,
        all,
        kind as _,
        seconds(RECENT),
    );
    Ok(set(got.fetch_one(connection).await?))
}

/// Users who have as many working mailed passwords as is allowed.
async fn many_passwords(connection: &mut PgConnection, whom: Whom<'_>) -> Result<HashSet<Uuid>> {
    let (people, all) = whom.parts();
    let have = sqlx::query_scalar!(
        "select user_id from credentials
         where ($2 or user_id = any($1)) and kind = 'generated' and expires_at > now()
         group by user_id
         having count(*) >= $3",
        people,
        all,
        i64::from(LIVE_PASSWORDS_MOST),
    );
    Ok(set(have.fetch_all(connection).await?))
}

/// Whose address is blocked. There are few of those, so they are asked for their people.
async fn blocked(connection: &mut PgConnection, whom: Whom<'_>) -> Result<HashSet<Uuid>> {
    let (people, all) = whom.parts();
    let found = sqlx::query_scalar!(
        r#"select coalesce(array_agg(u.id), '{}') as "users!"
           from blocked_addresses b join users u on u.email_key = b.email_key
           where $2 or u.id = any($1)"#,
        people,
        all,
    );
    Ok(set(found.fetch_one(connection).await?))
}
