//! What would become of a written choice: how many get the mail, who is left out and why, and what
//! the letter would lack.
//!
//! The reasons are those of `intake.sql`, which decides at the moment of sending; these sums say it
//! beforehand. A small choice is looked up person by person. For a large one all users are read, and
//! what recent batches owe or sent, each once: a batch that finished longer ago than the recent past
//! owes nothing and has sent nothing that counts.

use super::super::everybody::as_sets;
use super::super::intake::{LIVE_PASSWORDS_MOST, RECENT};
use super::super::{Db, StoreResult, Transaction, begin, commit, seconds, within};
use crate::system_email::SystemEmailKind;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// Up to here each person is looked up.
const SMALL: i32 = 2_000;

/// So many of a choice, of whom the same is true.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about people, and any may go with any other"
)]
pub struct Sum {
    /// They have been deleted since.
    pub is_unknown: bool,
    /// They have signed in.
    pub signed_in: bool,
    /// A mail of this kind is on its way to them.
    pub is_waiting: bool,
    /// They got one in the recent past.
    pub is_recent: bool,
    /// They have as many unused passwords as anybody may.
    pub has_many_passwords: bool,
    /// How many.
    pub n: i64,
}

impl Sum {
    /// Why they would be left out, in the order and the words of `intake.sql`.
    pub fn reason(&self, kind: SystemEmailKind, include_signed_in: bool, include_recent: bool) -> Option<&'static str> {
        let is_password_mail = kind == SystemEmailKind::PasswordReset;
        if self.is_unknown {
            Some("unknown_user")
        } else if is_password_mail && !include_signed_in && self.signed_in {
            Some("signed_in")
        } else if self.is_waiting {
            Some("already_waiting")
        } else if !include_recent && self.is_recent {
            Some("mailed_recently")
        } else if is_password_mail && self.has_many_passwords {
            Some("too_many_passwords")
        } else {
            None
        }
    }
}

/// The sums of a written choice, for one kind of system email.
pub async fn sums(db: &Db, id: Uuid, kind: SystemEmailKind) -> StoreResult<Vec<Sum>> {
    let mut transaction = for_choice(db, id).await?;
    let row = sqlx::query!(
        r#"select coalesce(chosen, '{}') as "chosen!", coalesce(cardinality(chosen), 0) > $2 as "is_large!"
           from selections where id = $1"#,
        id,
        SMALL,
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(row) = row else {
        return Ok(Vec::new());
    };
    let among = if row.is_large { &[] } else { row.chosen.as_slice() };
    let facts = within(facts(&mut transaction, kind, among, row.is_large)).await?;
    commit(transaction).await?;
    Ok(facts.sums(&row.chosen))
}

/// Of whom what is true. Five lists from Postgres, counted here: to join a hundred thousand people
/// with their mails in Postgres takes it three times as long as to hand over who they are.
struct Facts {
    known: HashSet<Uuid>,
    signed_in: HashSet<Uuid>,
    waiting: HashSet<Uuid>,
    recent: HashSet<Uuid>,
    many_passwords: HashSet<Uuid>,
}

impl Facts {
    fn sums(&self, chosen: &[Uuid]) -> Vec<Sum> {
        let mut counted: HashMap<[bool; 5], i64> = HashMap::new();
        for id in chosen {
            let facts = [
                !self.known.contains(id),
                self.signed_in.contains(id),
                self.waiting.contains(id),
                self.recent.contains(id),
                self.many_passwords.contains(id),
            ];
            *counted.entry(facts).or_default() += 1;
        }
        let sum = |(facts, n): ([bool; 5], i64)| {
            let [is_unknown, signed_in, is_waiting, is_recent, has_many_passwords] = facts;
            Sum {
                is_unknown,
                signed_in,
                is_waiting,
                is_recent,
                has_many_passwords,
                n,
            }
        };
        counted.into_iter().map(sum).collect()
    }
}

/// The facts `among` some people or, when nobody is named, of all.
async fn facts(
    connection: &mut PgConnection,
    kind: SystemEmailKind,
    among: &[Uuid],
    of_all: bool,
) -> sqlx::Result<Facts> {
    let users = sqlx::query!(
        r#"select coalesce(array_agg(id), '{}') as "known!",
                  coalesce(array_agg(id) filter (where signed_in_at is not null), '{}') as "signed_in!"
           from users where $2 or id = any($1)"#,
        among,
        of_all,
    )
    .fetch_one(&mut *connection)
    .await?;
    let mails = sqlx::query!(
        r#"with mails as (
               select d.user_id, d.state, d.sent_at
               from (select user_id, batch_id, state, sent_at from deliveries where user_id = any($1) offset 0) d
               cross join lateral (select from batches where id = d.batch_id and kind = $3 offset 0) b
               where not $2
               union all
               select d.user_id, d.state, d.sent_at
               from batches b join deliveries d on d.batch_id = b.id
               where $2 and b.kind = $3 and d.user_id is not null
                 and (b.finished_at is null or b.finished_at > now() - make_interval(secs => $4))
           )
           select coalesce(array_agg(user_id) filter (
                      where state in ('waiting', 'queued', 'sending', 'retrying')), '{}') as "waiting!",
                  coalesce(array_agg(user_id) filter (
                      where sent_at > now() - make_interval(secs => $4)), '{}') as "recent!"
           from mails"#,
        among,
        of_all,
        kind as _,
        seconds(RECENT),
    )
    .fetch_one(&mut *connection)
    .await?;
    let many_passwords = sqlx::query_scalar!(
        r#"select user_id from credentials
           where $3 = 'password_reset' and ($2 or user_id = any($1))
             and kind = 'generated' and used_at is null and expires_at > now()
           group by user_id
           having count(*) >= $4"#,
        among,
        of_all,
        kind as _,
        i64::from(LIVE_PASSWORDS_MOST),
    )
    .fetch_all(&mut *connection)
    .await?;
    Ok(Facts {
        known: users.known.into_iter().collect(),
        signed_in: users.signed_in.into_iter().collect(),
        waiting: mails.waiting.into_iter().collect(),
        recent: mails.recent.into_iter().collect(),
        many_passwords: many_passwords.into_iter().collect(),
    })
}

/// A transaction whose plans fit the size of a choice.
async fn for_choice(db: &Db, id: Uuid) -> StoreResult<Transaction> {
    let row = sqlx::query!(
        r#"select coalesce(cardinality(chosen), 0) > $2 as "is_large!" from selections where id = $1"#,
        id,
        SMALL,
    )
    .fetch_optional(db)
    .await?;
    if row.is_some_and(|row| row.is_large) {
        as_sets(db).await
    } else {
        begin(db).await
    }
}

/// How many of a written choice have no value for each of these merge fields.
pub async fn gaps(db: &Db, id: Uuid, fields: &[String]) -> StoreResult<BTreeMap<String, i64>> {
    let mut transaction = for_choice(db, id).await?;
    let counting = sqlx::query!(
        r#"select f.name as "name!", count(*) as "n!"
           from selections s cross join lateral unnest(s.chosen) as c (id)
           join users u on u.id = c.id
           cross join unnest($2::text[]) as f (name)
           where s.id = $1
             and coalesce(case f.name when 'first_name' then u.first_name
                                      when 'last_name' then u.last_name
                                      when 'language' then u.language
                                      else u.fields ->> f.name end, '') = ''
           group by f.name"#,
        id,
        fields,
    );
    let rows = within(counting.fetch_all(&mut *transaction)).await?;
    commit(transaction).await?;
    Ok(rows.into_iter().map(|row| (row.name, row.n)).collect())
}
