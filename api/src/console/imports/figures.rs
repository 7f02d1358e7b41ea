//! The figures of an import. They add up to the number of rows in its file.

use crate::console::format::counted;
use shared::store::imports::{ImportCounts, ImportEffect};
use uuid::Uuid;

/// A figure, linked to the list of what it counts.
pub(super) struct Figure {
    pub(super) word: &'static str,
    pub(super) number: String,
    pub(super) is_nought: bool,
    /// Address of the list; empty if there is none.
    pub(super) href: String,
}

impl Figure {
    fn new(word: &'static str, number: i32) -> Self {
        Self {
            word,
            number: counted(number),
            is_nought: number == 0,
            href: String::new(),
        }
    }

    fn at(mut self, href: String) -> Self {
        if !self.is_nought {
            self.href = href;
        }
        self
    }
}

/// The figures of a checked file: what importing it would do.
pub(super) fn figures(totals: &ImportCounts) -> Vec<Figure> {
    let mut all = vec![
        Figure::new("in the file", totals.rows),
        Figure::new("new", totals.created),
        Figure::new("to be updated", totals.updated).at("#changes".to_owned()),
        Figure::new("unchanged", totals.unchanged),
    ];
    all.extend(left_out(totals));
    all
}

/// The figures of a finished import. Its users are linked until it is undone.
pub(super) fn figures_of_done(import: Uuid, totals: &ImportCounts, is_undone: bool) -> Vec<Figure> {
    let by = |effect: ImportEffect| {
        if is_undone {
            return String::new();
        }
        format!("/console/users?import={import}&effect={}", effect.as_str())
    };
    let mut all = vec![
        Figure::new("in the file", totals.rows),
        Figure::new("new", totals.created).at(by(ImportEffect::Created)),
        Figure::new("updated", totals.updated).at(by(ImportEffect::Updated)),
        Figure::new("unchanged", totals.unchanged).at(by(ImportEffect::Unchanged)),
    ];
    all.extend(left_out(totals));
    all
}

/// Figures of rows that are not imported. Rows ignored by the mode and repeated rows are only shown if there are any.
fn left_out(totals: &ImportCounts) -> Vec<Figure> {
    let mut all = Vec::new();
    if totals.ignored > 0 {
        all.push(Figure::new("ignored", totals.ignored).at("#how".to_owned()));
    }
    all.push(Figure::new("with problems", totals.rejected - totals.duplicates).at("#rows".to_owned()));
    if totals.duplicates > 0 {
        all.push(Figure::new("repeated", totals.duplicates).at("#repeated".to_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_add_up_to_the_rows_of_the_file() {
        let totals = ImportCounts {
            rows: 4_812,
            created: 4_644,
            updated: 98,
            unchanged: 32,
            ignored: 6,
            rejected: 32,
            duplicates: 12,
            doubtful: 5,
            blank: 7,
        };

        for figures in [figures(&totals), figures_of_done(Uuid::nil(), &totals, false)] {
            let numbers: Vec<i32> = figures
                .iter()
                .map(|figure| figure.number.replace(',', "").parse().unwrap())
                .collect();
            assert_eq!(numbers[0], numbers[1..].iter().sum::<i32>());
        }
        let done = figures_of_done(Uuid::nil(), &totals, false);
        assert!(done[1..].iter().all(|figure| !figure.href.is_empty()));
    }
}
