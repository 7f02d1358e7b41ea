//! Users excluded from a batch: those on do-not-mail lists, and those who match saved filters.
//!
//! An exclusion is applied when a batch is accepted. Batches that were accepted before still go to users who match a
//! filter or are added to a list later.

use super::{Db, StoreResult, Transaction, begin, users_in_bulk, within};
use crate::user_filter::UserFilter;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The saved filters and do-not-mail lists whose users a batch leaves out.
#[derive(Clone, Debug, Default)]
pub struct Exclusion {
    /// Users who match one of these filters.
    pub filters: Vec<ExcludedFilter>,
    /// Users on one of these do-not-mail lists. Lists that every batch leaves out apply as well.
    pub lists: Vec<Uuid>,
}

/// A saved filter whose users are left out.
#[derive(Clone, Debug)]
pub struct ExcludedFilter {
    /// The id.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// The conditions.
    pub filter: UserFilter,
}

/// A filter or list that a batch left out, as the batch records it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ExclusionSource {
    /// Filter or list.
    pub kind: ExclusionKind,
    /// The id.
    pub id: Uuid,
    /// The name it had when the batch was accepted.
    pub name: String,
    /// Whether it is a list that every batch leaves out.
    #[serde(default)]
    pub always: bool,
}

/// A kind of source that excludes users.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionKind {
    /// A saved filter.
    SavedFilter,
    /// A do-not-mail list.
    DoNotMailList,
}

/// The users whom an [`Exclusion`] leaves out.
#[derive(Clone, Debug, Default)]
pub struct ExcludedUsers {
    /// The lists, including those that every batch leaves out.
    pub(super) lists: Vec<Uuid>,
    /// The users who match one of the filters.
    pub(super) users: Vec<Uuid>,
    /// The lists and filters.
    pub(super) sources: Vec<ExclusionSource>,
}

impl ExcludedUsers {
    /// What a batch records about it; none if nothing is left out.
    pub(super) fn recorded(&self) -> Option<serde_json::Value> {
        // Names and ids can always be written.
        (!self.sources.is_empty()).then(|| serde_json::to_value(&self.sources).unwrap_or_default())
    }
}

impl Exclusion {
    /// Finds the users it leaves out, as `transaction` sees them.
    pub(super) async fn find_users(&self, transaction: &mut Transaction) -> StoreResult<ExcludedUsers> {
        let reading = sqlx::query!(
            "select id, name, always from do_not_mail_lists where always or id = any($1) order by name_key",
            &self.lists
        );
        let lists = within(reading.fetch_all(&mut **transaction)).await?;
        let mut excluded = ExcludedUsers {
            lists: lists.iter().map(|list| list.id).collect(),
            ..ExcludedUsers::default()
        };
        for filter in &self.filters {
            excluded
                .users
                .extend(users_in_bulk::ids(transaction, &filter.filter).await?);
            excluded.sources.push(ExclusionSource {
                kind: ExclusionKind::SavedFilter,
                id: filter.id,
                name: filter.name.clone(),
                always: false,
            });
        }
        excluded.sources.extend(lists.into_iter().map(|list| ExclusionSource {
            kind: ExclusionKind::DoNotMailList,
            id: list.id,
            name: list.name,
            always: list.always,
        }));
        Ok(excluded)
    }

    /// Finds the users it leaves out now.
    pub async fn users(&self, db: &Db) -> StoreResult<ExcludedUsers> {
        let mut transaction = begin(db).await?;
        self.find_users(&mut transaction).await
    }
}
