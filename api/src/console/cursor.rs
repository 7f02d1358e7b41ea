//! Keyset pagination for long lists, newest first.
//!
//! The cursor is the first or last row of the neighbouring page instead of a page number. Pages stay stable while rows
//! are added in front of them, and cost the same at any depth.

use crate::http::query::Query;
use serde::Deserialize;
use shared::store::cursor::PageCursor;
use url::form_urlencoded::Serializer;
use uuid::Uuid;

/// Rows per page.
const ROWS: u16 = 50;

/// Rows to query: one more than a page, to know whether another page follows.
pub(super) const LIMIT: i64 = 51;

/// Cursor of a list without filters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// Only rows older than this one.
    pub(super) before: Option<Uuid>,
    /// Only rows newer than this one.
    pub(super) after: Option<Uuid>,
    /// Page number, for the title.
    pub(super) page: Option<u32>,
}

/// Query string that contains only a cursor.
pub(super) type CursorQuery = Query<Cursor>;

/// A page of a list of the newest rows first. The next page is `before` its last row, in time.
pub(super) struct CursorPage<T> {
    pub(super) rows: Vec<T>,
    /// Address of the previous page; empty on the first.
    pub(super) previous: String,
    /// Address of the next page; empty on the last.
    pub(super) next: String,
    /// Page number.
    pub(super) number: u32,
}

impl<T> CursorPage<T> {
    /// Builds a page of the list at `path`, with `filters` in its links, from up to [`LIMIT`] rows.
    pub(super) fn of(
        mut found: Vec<T>,
        cursor: Cursor,
        id: impl Fn(&T) -> Uuid,
        path: &str,
        filters: &[(&str, &str)],
    ) -> Self {
        let rows = usize::from(ROWS);
        let has_more = found.len() > rows;
        let is_upwards = cursor.after.is_some();
        if has_more && is_upwards {
            found.remove(0);
        }
        found.truncate(rows);
        let has_previous = if is_upwards { has_more } else { cursor.before.is_some() };
        let has_next = is_upwards || has_more;
        let number = if has_previous {
            cursor.page.unwrap_or(2).max(2)
        } else {
            1
        };
        let address = |name: &str, row: Option<&T>, page: u32| {
            let Some(row) = row else { return String::new() };
            let mut query = Serializer::new(String::new());
            for (filter, value) in filters.iter().filter(|(_, value)| !value.is_empty()) {
                query.append_pair(filter, value);
            }
            query.append_pair(name, &id(row).to_string());
            query.append_pair("page", &page.to_string());
            format!("{path}?{}", query.finish())
        };
        let previous = found.first().filter(|_| has_previous);
        let next = found.last().filter(|_| has_next);
        Self {
            previous: address("after", previous, number.saturating_sub(1).max(1)),
            next: address("before", next, number.saturating_add(1)),
            number,
            rows: found,
        }
    }

    /// Page title. It contains the page number to distinguish browser tabs.
    pub(super) fn title(&self, list: &str) -> String {
        if self.number > 1 {
            format!("{list} (page {})", self.number)
        } else {
            list.to_owned()
        }
    }

    /// Converts the rows.
    pub(super) fn map<U>(self, show: impl FnMut(T) -> U) -> CursorPage<U> {
        CursorPage {
            rows: self.rows.into_iter().map(show).collect(),
            previous: self.previous,
            next: self.next,
            number: self.number,
        }
    }
}

/// The rows of a page in the order shown, for a list that is read with a [`PageCursor`]. The next page is `after` its
/// last row, in that order.
pub(super) struct PageRows<T> {
    pub(super) rows: Vec<T>,
    has_previous: bool,
    has_next: bool,
}

impl<T> PageRows<T> {
    /// Builds a page from up to [`LIMIT`] rows in the order read.
    pub(super) fn of<K: Copy>(mut found: Vec<T>, cursor: PageCursor<K>) -> Self {
        let has_more = found.len() > usize::from(ROWS);
        found.truncate(usize::from(ROWS));
        let (has_previous, has_next) = match cursor {
            PageCursor::Start => (false, has_more),
            PageCursor::After(_) => (true, has_more),
            PageCursor::Before(_) => {
                found.reverse();
                (has_more, true)
            }
        };
        Self {
            rows: found,
            has_previous,
            has_next,
        }
    }

    /// Addresses of the previous and the next page; empty if there is none. `number` is that of this page, and
    /// `address` gets the name of a cursor, its row and a page number.
    pub(super) fn links(&self, number: u32, address: impl Fn(&str, &T, u32) -> String) -> (String, String) {
        let previous = self.rows.first().filter(|_| self.has_previous);
        let next = self.rows.last().filter(|_| self.has_next);
        let previous = previous.map(|row| address("before", row, number.saturating_sub(1).max(1)));
        let next = next.map(|row| address("after", row, number.saturating_add(1)));
        (previous.unwrap_or_default(), next.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads from a list of this many rows, the newest of which has the highest number.
    fn read(rows: u32, cursor: Cursor) -> CursorPage<u32> {
        let id = |row: &u32| Uuid::from_u128(u128::from(*row));
        let within = (1..=rows).rev().filter(|row| {
            cursor.before.is_none_or(|before| id(row) < before) && cursor.after.is_none_or(|after| id(row) > after)
        });
        let mut found: Vec<u32> = within.collect();
        let most = usize::try_from(LIMIT).unwrap();
        if cursor.after.is_some() && found.len() > most {
            found.drain(..found.len() - most);
        }
        found.truncate(most);
        CursorPage::of(
            found,
            cursor,
            id,
            "/console/audit",
            &[("who", "Ana & co"), ("what", "")],
        )
    }

    fn cursor(address: &str) -> Cursor {
        let (_, query) = address.split_once('?').unwrap();
        let value = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        assert_eq!(value("who").as_deref(), Some("Ana & co"));
        assert_eq!(value("what"), None);
        Cursor {
            before: value("before").map(|id| id.parse().unwrap()),
            after: value("after").map(|id| id.parse().unwrap()),
            page: value("page").map(|page| page.parse().unwrap()),
        }
    }

    #[test]
    fn there_and_back_every_row_is_seen_once() {
        let mut seen = Vec::new();
        let mut list = read(120, Cursor::default());
        assert_eq!(list.previous, "");
        loop {
            seen.extend(list.rows.iter().copied());
            if list.next.is_empty() {
                break;
            }
            list = read(120, cursor(&list.next));
        }
        assert_eq!(seen, (1..=120).rev().collect::<Vec<_>>());
        assert_eq!((list.number, list.rows.len()), (3, 20));

        list = read(120, cursor(&list.previous));
        assert_eq!((list.number, list.rows.first(), list.rows.len()), (2, Some(&70), 50));
        list = read(120, cursor(&list.previous));
        assert_eq!((list.number, list.rows.first()), (1, Some(&120)));
        assert_eq!(
            (list.previous.as_str(), list.title("Audit log").as_str()),
            ("", "Audit log")
        );
    }

    #[test]
    fn a_short_list_has_one_page() {
        for rows in [0, 1, 50] {
            let list = read(rows, Cursor::default());
            assert_eq!((list.previous.as_str(), list.next.as_str()), ("", ""), "{rows}");
        }
        assert_eq!(read(51, Cursor::default()).title("Users"), "Users");
        assert_eq!(
            read(51, cursor(&read(51, Cursor::default()).next)).title("Users"),
            "Users (page 2)"
        );
    }

    #[test]
    fn a_page_of_rows_links_to_its_neighbours() {
        let links = |rows: u32, cursor: PageCursor<u32>| {
            let page = PageRows::of((1..=rows).collect(), cursor);
            page.links(3, |name, row, number| format!("{name}={row}&page={number}"))
        };
        let neither = (String::new(), String::new());
        let (previous, next) = ("before=1&page=2".to_owned(), "after=50&page=4".to_owned());
        assert_eq!(links(50, PageCursor::Start), neither);
        assert_eq!(links(51, PageCursor::Start), (String::new(), next.clone()));
        assert_eq!(links(50, PageCursor::After(7)), (previous.clone(), String::new()));
        assert_eq!(links(51, PageCursor::After(7)), (previous, next));
        assert_eq!(
            links(50, PageCursor::Before(7)),
            (String::new(), "after=1&page=4".to_owned())
        );
        let both = ("before=50&page=2".to_owned(), "after=1&page=4".to_owned());
        assert_eq!(links(51, PageCursor::Before(7)), both);
        assert_eq!(links(0, PageCursor::After(7)), neither);
    }
}
