//! Pagination of lists: `limit` and `cursor` in requests, `items` and `next_cursor` in responses.

use crate::app::problem::Problem;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::str::FromStr;
use utoipa::{IntoParams, ToSchema};

/// Default limit.
const USUAL: i64 = 50;

/// Maximum limit.
const MOST: i64 = 1_000;

/// The requested page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageRequest {
    /// Maximum number of items: 1 to 1000, default 50.
    pub limit: Option<i64>,
    /// The `next_cursor` of the previous page.
    pub cursor: Option<String>,
}

impl PageRequest {
    /// The number of items on the page.
    ///
    /// # Errors
    ///
    /// 400 if the limit is out of bounds.
    pub fn limit(&self) -> Result<i64, Problem> {
        let limit = self.limit.unwrap_or(USUAL);
        if (1..=MOST).contains(&limit) {
            Ok(limit)
        } else {
            Err(Problem::malformed("limit_invalid", "limit is a number from 1 to 1000."))
        }
    }

    /// The item after which the page begins.
    ///
    /// # Errors
    ///
    /// 400 if the cursor is invalid.
    pub fn after<C: FromStr>(&self) -> Result<Option<C>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        cursor.parse().map(Some).map_err(|_| {
            Problem::malformed(
                "cursor_invalid",
                "Use the next_cursor of a page as the cursor of the next.",
            )
        })
    }
}

/// A page.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items on the page.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Builds a page of `limit` items. One item more than that shows that another page follows.
    pub fn of<C: Display>(mut items: Vec<T>, limit: i64, id: impl Fn(&T) -> C) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| has_more).map(|item| id(item).to_string());
        Self { items, next_cursor }
    }
}
