//! Rejected rows as they appear in the file, with their problems.

use crate::app::problem::Problem;
use crate::app::state::AppState;
use serde_json::Value;
use shared::store::imports::Import;
use shared::store::imports::rejects::{self, Reject, Rejects};

/// Maximum number of rows shown. The download has all of them.
pub(super) const SHOWN: usize = 50;

/// Maximum number of characters shown of a cell.
const MAX_CELL: usize = 120;

/// The first rejected rows of an import.
pub(super) struct FaultyRows {
    /// The header, padded to the longest row.
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<FaultyRow>,
    /// Whether there are more.
    pub(super) has_more: bool,
}

/// A rejected row.
pub(super) struct FaultyRow {
    /// Row number in the file, counted from 1 as in a spreadsheet.
    pub(super) number: i32,
    /// Problems of the row as a whole.
    pub(super) faults: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

/// A cell of a rejected row.
pub(super) struct Cell {
    /// Problems of this cell.
    pub(super) faults: Vec<String>,
    /// Its content, possibly shortened.
    pub(super) text: String,
}

/// Reads the first rejected rows: those to correct, or those that repeat an earlier row.
pub(super) async fn of(api: &AppState, import: &Import, which: Rejects) -> Result<FaultyRows, Problem> {
    let all = match which {
        Rejects::All => import.totals.rejected,
        Rejects::Faulty => import.totals.rejected - import.totals.duplicates,
        Rejects::Duplicates => import.totals.duplicates,
    };
    let rejects = rejects::list(&api.db, import.id, which, 0, i64::try_from(SHOWN).unwrap_or(50)).await?;
    let longest = rejects
        .iter()
        .map(|reject| reject.cells.len())
        .max()
        .unwrap_or_default();
    let mut header = import.header.clone();
    header.resize(header.len().max(longest), String::new());
    let rows: Vec<FaultyRow> = rejects
        .iter()
        .map(|reject| row(reject, &import.header, header.len()))
        .collect();
    Ok(FaultyRows {
        header,
        has_more: usize::try_from(all).is_ok_and(|all| all > rows.len()),
        rows,
    })
}

fn row(reject: &Reject, header: &[String], width: usize) -> FaultyRow {
    let mut cells: Vec<Cell> = reject
        .cells
        .iter()
        .map(|text| Cell {
            faults: Vec::new(),
            text: shortened(text),
        })
        .collect();
    cells.resize_with(width, || Cell {
        faults: Vec::new(),
        text: String::new(),
    });
    let mut faults = Vec::new();
    for problem in reject.problems.as_array().into_iter().flatten() {
        let text = |name: &str| problem.get(name).and_then(Value::as_str);
        let message = text("message").unwrap_or_default();
        let message = match text("cell") {
            Some(cell) => format!("{cell}: {message}"),
            None => message.to_owned(),
        };
        let place = text("column").and_then(|column| header.iter().position(|name| name == column));
        match place.and_then(|place| cells.get_mut(place)) {
            Some(cell) => cell.faults.push(message),
            None => faults.push(message),
        }
    }
    FaultyRow {
        number: reject.number,
        faults,
        cells,
    }
}

pub(super) fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_CELL).collect();
    if text.chars().nth(MAX_CELL).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_problem_is_shown_in_its_cell_or_beside_the_row() {
        let reject = Reject {
            number: 14,
            cells: ["ana@gmial.com@", "Ana", "extra"].map(str::to_owned).to_vec(),
            problems: json!([
                { "row": 14, "column": "E-mail", "code": "x", "message": "Not a valid email address" },
                { "row": 14, "code": "too_many_cells", "message": "This row has 3 cells" },
            ]),
        };
        let header = ["E-mail", "Name"].map(str::to_owned);

        let row = row(&reject, &header, 3);

        assert_eq!(row.faults, ["This row has 3 cells"]);
        let faults: Vec<usize> = row.cells.iter().map(|cell| cell.faults.len()).collect();
        assert_eq!(faults, [1, 0, 0]);
    }
}
