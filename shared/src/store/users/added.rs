//! Adding users one by one.

use crate::store::audit::{Action, Actor, AuditEntry};
use crate::store::{Db, StoreResult, begin, commit, within};
use serde_json::Value;
use uuid::Uuid;

/// A user to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The address as typed and normalised.
    pub email: (String, String),
    /// First name, or empty.
    pub first_name: String,
    /// Last name, or empty.
    pub last_name: String,
    /// Language tag, or empty.
    pub language: String,
    /// Merge fields: an object of strings.
    pub fields: Value,
}

/// The result of adding a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Added {
    /// Added, with this id.
    Done(Uuid),
    /// The address belongs to this user.
    AddressTaken(Uuid),
}

/// Adds a user, and records that `actor` did.
pub async fn add(db: &Db, new: &NewUser, actor: &Actor) -> StoreResult<Added> {
    let mut transaction = begin(db).await?;
    let adding = sqlx::query!(
        "insert into users (email, email_key, first_name, last_name, language, fields)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (email_key) do nothing
         returning id",
        new.email.0,
        new.email.1,
        new.first_name,
        new.last_name,
        new.language,
        new.fields,
    );
    let added = within(adding.fetch_optional(&mut *transaction)).await?;
    let Some(added) = added else {
        let reading = sqlx::query!("select id from users where email_key = $1", new.email.1);
        let known = within(reading.fetch_one(&mut *transaction)).await?;
        return Ok(Added::AddressTaken(known.id));
    };
    AuditEntry::new(actor, Action::UserAdded)
        .subject("user", added.id)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Added::Done(added.id))
}
