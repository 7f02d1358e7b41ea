//! The figures as a table, for a terminal or for the README.

use std::fmt::Write as _;

use crate::catalog::Goal;
use crate::figures::{Figure, Figures};
use crate::machine::Machine;
use crate::number::{grouped, shown};
use crate::options::Options;

/// What was measured, how and where.
#[derive(Debug)]
pub(crate) struct Report {
    /// The machine.
    pub(crate) machine: Machine,
    /// The options of the run.
    pub(crate) options: Options,
    /// The results.
    pub(crate) figures: Figures,
}

const HEADINGS: [&str; 6] = ["", "median", "min", "max", "goal", "met"];

impl Report {
    /// The report for a terminal, in aligned columns.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let lines = self.lines();
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        for (name, value) in &lines {
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "{name:width$}  {value}");
        }
        let rows: Vec<[String; 6]> = self.figures.all().iter().map(row).collect();
        let widths = widths(&rows);
        let mut part = "";
        for (figure, row) in self.figures.all().iter().zip(&rows) {
            if part != figure.what.part {
                part = figure.what.part;
                let _ = writeln!(text, "\n{part}");
                text.push_str(&aligned(&HEADINGS.map(str::to_owned), widths));
            }
            text.push_str(&aligned(row, widths));
        }
        text
    }

    /// The report for the README.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.lines() {
            let _ = writeln!(text, "- {name}: {value}");
        }
        text.push_str("\n| | median | min | max | goal | met |\n|---|--:|--:|--:|--:|---|\n");
        let mut part = "";
        for figure in self.figures.all() {
            if part != figure.what.part {
                part = figure.what.part;
                let _ = writeln!(text, "| **{part}** | | | | | |");
            }
            let _ = writeln!(text, "| {} |", row(figure).join(" | "));
        }
        text
    }

    /// Where and how it was measured: names and values.
    pub(crate) fn lines(&self) -> Vec<(&'static str, String)> {
        let options = &self.options;
        let count = |number: usize| grouped(&number.to_string());
        let mut lines = self.machine.lines();
        lines.push((
            "Programs",
            "one API process, one worker, the relay as a sink within the load generator".to_owned(),
        ));
        lines.push(("Runs", format!("{}, each on fresh servers", options.runs)));
        lines.push((
            "Sizes",
            format!(
                "import and large batch {}, batch {}, passwords {}, single invites {} and up to {}",
                count(options.import),
                count(options.recipients),
                count(options.passwords),
                count(options.idle),
                count(options.behind),
            ),
        ));
        let mut settings = "as shipped, logs at info into a file".to_owned();
        for (name, value) in &options.settings {
            let _ = write!(settings, ", {name}={value}");
        }
        lines.push(("Settings", settings));
        lines
    }
}

fn row(figure: &Figure) -> [String; 6] {
    let goal = match figure.what.goal {
        Goal::AtLeast(least) => format!("≥ {}", plain(least)),
        Goal::AtMost(most) => format!("≤ {}", plain(most)),
        Goal::Open => String::new(),
    };
    let met = match figure.what.goal.is_met_by(figure.median()) {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    [
        figure.what.name.to_owned(),
        shown(figure.median()),
        shown(figure.least()),
        shown(figure.most()),
        goal,
        met.to_owned(),
    ]
}

/// A goal as it is defined: `0.1`, `95`, `50,000`.
fn plain(goal: f64) -> String {
    let text = goal.to_string();
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{rest}", grouped(whole))
}

fn widths(rows: &[[String; 6]]) -> [usize; 6] {
    let mut widths = HEADINGS.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

/// One line: the name aligned left, figures aligned right.
fn aligned(cells: &[String; 6], widths: [usize; 6]) -> String {
    let mut line = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = if at == 0 {
            write!(line, "  {cell:width$}")
        } else {
            write!(line, "  {cell:>width$}")
        };
    }
    format!("{}\n", line.trim_end())
}
