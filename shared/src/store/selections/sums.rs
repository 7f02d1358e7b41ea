//! What would become of a written choice: how many get the mail, who is left out and why, and what
//! the letter would lack.
//!
//! The reasons are those of `intake.sql`, which decides at the moment of sending; these sums say it
//! beforehand. A small choice is looked up person by person. For a large one all users are read,
//! and what batches owe that have not finished, each once.

use super::super::everybody::as_sets;
use super::super::{Db, StoreResult, Transaction, begin, commit, within};
use super::facts::{Facts, Whom};
use crate::system_email::SystemEmailKind;
use std::collections::BTreeMap;
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
    /// They are locked.
    pub is_locked: bool,
    /// They have signed in.
    pub signed_in: bool,
    /// A mail of this kind is on its way to them.
    pub is_waiting: bool,
    /// They got one in the recent past.
    pub is_recent: bool,
    /// They have as many working mailed passwords as is allowed.
    pub has_many_passwords: bool,
    /// Their address is blocked: unless they are left out before, their mail is suppressed.
    pub is_blocked: bool,
    /// How many.
    pub n: i64,
}

impl Sum {
    /// Why they would be left out, in the order and the words of `intake.sql`.
    pub fn reason(&self, kind: SystemEmailKind, include_signed_in: bool, include_recent: bool) -> Option<&'static str> {
        let is_password_mail = kind == SystemEmailKind::PasswordReset;
        if self.is_unknown {
            Some("unknown_user")
        } else if is_password_mail && self.is_locked {
            Some("user_locked")
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
    let written = sqlx::query_scalar!("select chosen from selections where id = $1", id);
    let chosen = written.fetch_optional(db).await?.flatten().unwrap_or_default();
    let is_large = i32::try_from(chosen.len()).is_ok_and(|size| size > SMALL);
    let whom = if is_large { Whom::All } else { Whom::These(&chosen) };
    let mut transaction = sized(db, is_large).await?;
    let facts = within(Facts::read(&mut transaction, kind, whom)).await?;
    commit(transaction).await?;
    Ok(facts.sums(&chosen))
}

/// A transaction whose plans fit a choice that is large or small.
async fn sized(db: &Db, is_large: bool) -> StoreResult<Transaction> {
    if is_large { as_sets(db).await } else { begin(db).await }
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
    sized(db, row.is_some_and(|row| row.is_large)).await
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
