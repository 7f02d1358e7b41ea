//! Changes to a user, and the passwords and mails that end with a change of address.

use crate::store::audit::{Action, Actor, AuditEntry};
use crate::store::credentials::{CancelReason, Cancelled, cancel_owed, end_generated};
use crate::store::known_clients::forget_clients;
use crate::store::{Db, StoreError, StoreResult, Transaction, begin, commit, despite_deadlocks, within};
use serde_json::{Value, json};
use sqlx::error::DatabaseError;
use uuid::Uuid;

/// A change of a user. Absent values stay.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The address as typed and normalised.
    pub email: Option<(String, String)>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Language tag.
    pub language: Option<String>,
    /// Merge fields to set. Null removes a field.
    pub fields: Option<Value>,
}

/// Numbers of working passwords and pending password mails of a user that were ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ended {
    /// Passwords.
    pub passwords: i64,
    /// Mails.
    pub mails: Cancelled,
}

/// The result of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Changed {
    /// Changed; with what ended.
    Done(Ended),
    /// There is no such user.
    Unknown,
    /// The address belongs to another user.
    AddressTaken,
}

impl Change {
    /// The names of the changed values, for the audit log. The values are personal data.
    fn names(&self) -> Vec<&str> {
        let own = [
            ("email", self.email.is_some()),
            ("first_name", self.first_name.is_some()),
            ("last_name", self.last_name.is_some()),
            ("language", self.language.is_some()),
        ];
        let custom = self.fields.as_ref().and_then(Value::as_object).into_iter().flatten();
        let own = own
            .into_iter()
            .filter(|(_, is_changed)| *is_changed)
            .map(|(name, _)| name);
        own.chain(custom.map(|(name, _)| name.as_str())).collect()
    }
}

/// Changes a user, and records that `actor` did.
///
/// A new address ends the passwords mailed to the old one and cancels pending password mails to it, because the old
/// mailbox may belong to another person. A password that the user chose stays.
pub async fn change(db: &Db, id: Uuid, change: &Change, actor: &Actor) -> StoreResult<Changed> {
    despite_deadlocks(|| change_once(db, id, change, actor)).await
}

async fn change_once(db: &Db, id: Uuid, change: &Change, actor: &Actor) -> StoreResult<Changed> {
    let mut transaction = begin(db).await?;
    let (email, key) = change.email.clone().unzip();
    let before = match &email {
        Some(_) => lock_address(&mut transaction, id).await?,
        None => None,
    };
    let changing = sqlx::query!(
        "update users
         set email = coalesce($2, email), email_key = coalesce($3, email_key),
             first_name = coalesce($4, first_name), last_name = coalesce($5, last_name),
             language = coalesce($6, language),
             fields = case when $7::jsonb is null then fields else jsonb_strip_nulls(fields || $7) end,
             updated_at = now()
         where id = $1",
        id,
        email,
        key,
        change.first_name,
        change.last_name,
        change.language,
        change.fields,
    );
    match within(changing.execute(&mut *transaction)).await {
        Ok(done) if done.rows_affected() == 0 => return Ok(Changed::Unknown),
        Ok(_) => {}
        Err(fault) if is_duplicate(&fault) => return Ok(Changed::AddressTaken),
        Err(fault) => return Err(fault),
    }
    let moves = before
        .as_ref()
        .is_some_and(|before| key.as_ref() != Some(&before.email_key));
    let ended = if moves {
        end_access(&mut transaction, id).await?
    } else {
        Ended::default()
    };
    if let Some(before) = before.filter(|before| email.as_ref() != Some(&before.email)) {
        remember_address(&mut transaction, id, &before).await?;
    }
    let details = if moves {
        json!({
            "fields": change.names(), "passwords_ended": ended.passwords,
            "mails_cancelled": ended.mails.cancelled, "mails_in_hand": ended.mails.in_hand
        })
    } else {
        json!({ "fields": change.names() })
    };
    AuditEntry::new(actor, Action::UserChanged)
        .subject("user", id)
        .details(details)
        .record(&mut transaction)
        .await?;
    commit(transaction).await?;
    Ok(Changed::Done(ended))
}

/// Whether another user has the address.
fn is_duplicate(fault: &StoreError) -> bool {
    let answer = fault.cause().as_database_error();
    answer.is_some_and(DatabaseError::is_unique_violation)
}

/// Ends what was mailed to the former address and whatever it was used for.
async fn end_access(transaction: &mut Transaction, id: Uuid) -> StoreResult<Ended> {
    let mails = cancel_owed(transaction, &[id], CancelReason::AddressChanged).await?;
    let passwords = end_generated(transaction, id).await?;
    forget_clients(transaction, &[id]).await?;
    Ok(Ended { passwords, mails })
}

/// An address as typed and normalised.
struct Address {
    email: String,
    email_key: String,
}

/// The current address of a user. The row stays locked for the transaction, so that no verifier is stored for a mail
/// to it.
async fn lock_address(transaction: &mut Transaction, id: Uuid) -> StoreResult<Option<Address>> {
    let reading = sqlx::query_as!(
        Address,
        "select email, email_key from users where id = $1 for update",
        id
    );
    within(reading.fetch_optional(&mut **transaction)).await
}

/// Records the former address of a user: rows with it still concern them, and a mail shows the address that they had
/// when its attempt began.
///
/// Called last, because an attempt that begins between this moment and the commit still reads the former address and
/// is shown with the new one.
async fn remember_address(transaction: &mut Transaction, id: Uuid, address: &Address) -> StoreResult<()> {
    let adding = sqlx::query!(
        "insert into former_addresses (user_id, email, email_key, until) values ($1, $2, $3, clock_timestamp())
         on conflict (user_id, email) do update
         set earlier_ends = former_addresses.earlier_ends || former_addresses.until, until = excluded.until",
        id,
        address.email,
        address.email_key,
    );
    within(adding.execute(&mut **transaction)).await?;
    Ok(())
}
