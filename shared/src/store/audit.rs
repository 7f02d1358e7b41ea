//! The audit log: who did what, kept permanently.

mod action;
mod actor;

pub use action::Action;
pub use actor::{Actor, ActorKind};

use super::{Db, StoreResult, Transaction, within};
use serde_json::{Value, json};
use std::fmt::Display;
use time::OffsetDateTime;
use uuid::Uuid;

/// Maximum number of names offered in the filter. A longer list would be unusable.
const MAX_NAMES: i64 = 200;

/// An entry to be recorded.
#[derive(Clone, Debug)]
#[must_use = "an entry is written only by `record`"]
pub struct AuditEntry<'a> {
    actor: &'a Actor,
    action: Action,
    subject: Option<String>,
    details: Value,
}

impl<'a> AuditEntry<'a> {
    /// An entry without a subject and details.
    pub fn new(actor: &'a Actor, action: Action) -> Self {
        Self {
            actor,
            action,
            subject: None,
            details: json!({}),
        }
    }

    /// Sets the kind and id of the subject.
    pub fn subject(mut self, kind: &str, id: impl Display) -> Self {
        self.subject = Some(format!("{kind} {id}"));
        self
    }

    /// Sets the details: counts and ids, never an address of a recipient, a text or a secret.
    pub fn details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// Records the entry in the transaction that performs the action, so that neither exists without the other.
    pub async fn record(self, transaction: &mut Transaction) -> StoreResult<()> {
        let adding = sqlx::query!(
            "insert into audit (who, actor_kind, actor_id, client_address, request_id, action, subject, details)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
            self.actor.name,
            self.actor.kind.as_str(),
            self.actor.kind.id(),
            self.actor.client.map(|client| client.to_string()),
            self.actor.request,
            self.action.as_str(),
            self.subject,
            self.details,
        );
        within(adding.execute(&mut **transaction)).await?;
        Ok(())
    }
}

/// An event that is counted: a failed or throttled sign-in, a refused key, a checked password.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AccessEvent {
    /// The action.
    pub action: Action,
    /// Who acted.
    pub actor: Actor,
    /// The kind and id of its subject, if it has one.
    pub subject: Option<String>,
}

/// Records events with their counts. Equal events share one entry.
pub async fn record_access_events(db: &Db, events: &[(AccessEvent, i64)]) -> StoreResult<()> {
    let actors = || events.iter().map(|(event, _)| &event.actor);
    let who: Vec<String> = actors().map(|actor| actor.name.clone()).collect();
    let kinds: Vec<String> = actors().map(|actor| actor.kind.as_str().to_owned()).collect();
    let ids: Vec<Option<Uuid>> = actors().map(|actor| actor.kind.id()).collect();
    let clients: Vec<Option<String>> = actors()
        .map(|actor| actor.client.map(|client| client.to_string()))
        .collect();
    let requests: Vec<Option<String>> = actors().map(|actor| actor.request.clone()).collect();
    let actions: Vec<String> = events
        .iter()
        .map(|(event, _)| event.action.as_str().to_owned())
        .collect();
    let subjects: Vec<Option<String>> = events.iter().map(|(event, _)| event.subject.clone()).collect();
    let counts: Vec<i64> = events.iter().map(|(_, count)| *count).collect();
    let noting = sqlx::query!(
        "insert into audit (who, actor_kind, actor_id, client_address, request_id, action, subject, details)
         select who, kind, id, client, request, action, subject, jsonb_build_object('count', number)
         from unnest($1::text[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
              as event (who, kind, id, client, request, action, subject, number)",
        &who,
        &kinds,
        &ids as &[Option<Uuid>],
        &clients as &[Option<String>],
        &requests as &[Option<String>],
        &actions,
        &subjects as &[Option<String>],
        &counts,
    );
    within(noting.execute(db)).await?;
    Ok(())
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id, which sorts by time.
    pub id: Uuid,
    /// When it happened.
    pub at: OffsetDateTime,
    /// The actor's name at that time.
    pub who: String,
    /// The kind of actor: `administrator`, `key`, `command_line`, `beckon` or `unknown`; `None` in entries
    /// written before this was recorded.
    pub actor_kind: Option<String>,
    /// The administrator's or the key's id.
    pub actor_id: Option<Uuid>,
    /// The client's address.
    pub client_address: Option<String>,
    /// The trace id of the request.
    pub request_id: Option<String>,
    /// The name of the action.
    pub action: String,
    /// Its subject.
    pub subject: Option<String>,
    /// Counts and ids.
    pub details: Value,
}

/// Which entries to read. Unset parts match everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// The actor's name.
    pub who: Option<String>,
    /// The actions; empty for all.
    pub actions: Vec<String>,
    /// The id of the administrator or key.
    pub actor: Option<Uuid>,
    /// The earliest time.
    pub from: Option<OffsetDateTime>,
    /// The end of the period, exclusive.
    pub until: Option<OffsetDateTime>,
}

/// Up to `limit` entries, newest first, before or after the one with the given id.
pub async fn list(
    db: &Db,
    filter: &Filter,
    before: Option<Uuid>,
    after: Option<Uuid>,
    limit: i64,
) -> StoreResult<Vec<Entry>> {
    let reading = sqlx::query_as!(
        Entry,
        "select id, at, who, actor_kind, actor_id, client_address, request_id, action, subject, details
         from audit
         where ($1::text is null or who = $1)
           and ($2::text[] = '{}' or action = any($2))
           and ($3::timestamptz is null or at >= $3)
           and ($4::timestamptz is null or at < $4)
           and ($5::uuid is null or id < $5) and ($6::uuid is null or id > $6)
           and ($8::uuid is null or actor_id = $8)
         order by case when $6::uuid is null then id end desc, id
         limit $7",
        filter.who,
        &filter.actions,
        filter.from,
        filter.until,
        before,
        after,
        limit,
        filter.actor,
    );
    let mut found = within(reading.fetch_all(db)).await?;
    found.sort_by_key(|entry| std::cmp::Reverse(entry.id));
    Ok(found)
}

/// The names of all actors. Reads one entry for each, however long the log is.
pub async fn actor_names(db: &Db) -> StoreResult<Vec<String>> {
    let listing = sqlx::query_scalar!(
        r#"with recursive names as (
               (select who from audit order by who limit 1)
               union all
               select (select who from audit where who > names.who order by who limit 1)
               from names where names.who is not null
           )
           select who as "who!" from names where who is not null limit $1"#,
        MAX_NAMES,
    );
    within(listing.fetch_all(db)).await
}
