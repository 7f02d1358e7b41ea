//! A spreadsheet template to fill in.

use std::fs::File;
use std::io;

use rust_xlsxwriter::{Format, Workbook};

use super::fix_workbook::{column, failed};
use super::workbook::HELP_SHEET;

/// Column width in characters.
const WIDTH: f64 = 26.0;

/// The address in the example row. Importing it is reported as a problem.
pub const EXAMPLE_ADDRESS: &str = "first.last@example.com";

/// A column of the template: its name, its value in the example row, and a description.
pub struct TemplateColumn {
    /// The name.
    pub name: String,
    /// The value in the example row.
    pub example: String,
    /// What it is for.
    pub help: String,
}

/// Writes a template with an example row, and a second sheet with explanations.
///
/// # Errors
///
/// When the disk is full.
pub fn write_template(columns: &[TemplateColumn], sink: &mut File) -> io::Result<()> {
    let mut book = Workbook::new();
    let (bold, text) = (Format::new().set_bold(), Format::new().set_num_format("@"));
    let people = book.add_worksheet();
    people.set_name("People").map_err(failed)?;
    people.set_freeze_panes(1, 0).map_err(failed)?;
    for (place, one) in columns.iter().enumerate() {
        let at = column(place)?;
        people.set_column_width(at, WIDTH).map_err(failed)?;
        // As text, so that a spreadsheet does not turn input into dates and numbers.
        people.set_column_format(at, &text).map_err(failed)?;
        people
            .write_string_with_format(0, at, &one.name, &bold)
            .map_err(failed)?;
        people
            .write_string_with_format(1, at, &one.example, &text)
            .map_err(failed)?;
    }
    let help = book.add_worksheet();
    help.set_name(HELP_SHEET).map_err(failed)?;
    help.set_column_width(0, WIDTH).map_err(failed)?;
    help.set_column_width(1, 90.0).map_err(failed)?;
    let intro = [
        "Write one person in each row of the sheet ‘People’, below the names of the columns.",
        "Delete the example row before you upload the file.",
        "An empty cell changes nothing. Columns you do not need can be deleted; other columns can be added.",
        "Never write passwords into this file.",
    ];
    for (row, line) in (0..).zip(intro) {
        help.write_string(row, 0, line).map_err(failed)?;
    }
    for (row, one) in (5..).zip(columns) {
        help.write_string_with_format(row, 0, &one.name, &bold)
            .map_err(failed)?;
        help.write_string(row, 1, &one.help).map_err(failed)?;
    }
    book.save_to_writer(sink).map_err(failed)
}
