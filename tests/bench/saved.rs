//! Figures in a file, and the comparison of two such files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use harness::{HarnessError, Result};
use serde::{Deserialize, Serialize};

use crate::number::shown;
use crate::report::Report;

/// The saved figures of a bench.
#[derive(Deserialize, Serialize)]
pub(crate) struct Saved {
    /// Where and how it was measured: names and values.
    measured: Vec<(String, String)>,
    figures: Vec<SavedFigure>,
}

#[derive(Deserialize, Serialize)]
struct SavedFigure {
    part: String,
    name: String,
    median: f64,
    min: f64,
    max: f64,
}

impl Saved {
    /// Converts a report.
    pub(crate) fn of(report: &Report) -> Self {
        let figures = report.figures.all().iter().map(|figure| SavedFigure {
            part: figure.what.part.to_owned(),
            name: figure.what.name.to_owned(),
            median: figure.median(),
            min: figure.least(),
            max: figure.most(),
        });
        Self {
            measured: report
                .lines()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            figures: figures.collect(),
        }
    }

    /// Writes the figures as JSON.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let failed = |fault| HarnessError::because(format!("could not write {}", file.display()), fault);
        let text = serde_json::to_string_pretty(self).map_err(|fault| failed(fault.into()))?;
        fs::write(file, text + "\n").map_err(failed)
    }

    /// Reads a file written by [`Saved::write`].
    ///
    /// # Errors
    ///
    /// When the file does not exist or has another format.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let failed = |fault| HarnessError::because(format!("{} holds no figures", file.display()), fault);
        let text = fs::read_to_string(file).map_err(failed)?;
        serde_json::from_str(&text).map_err(|fault| failed(fault.into()))
    }

    /// The figures in both files, with the ratio of the later one to this one, and whether the difference exceeds
    /// noise: whether the observed ranges do not overlap.
    pub(crate) fn beside(&self, later: &Self) -> String {
        let mut text = String::new();
        let width = self
            .figures
            .iter()
            .map(|figure| figure.name.chars().count())
            .max()
            .unwrap_or_default();
        let mut part = "";
        for before in &self.figures {
            let same = |figure: &&SavedFigure| figure.part == before.part && figure.name == before.name;
            let Some(after) = later.figures.iter().find(same) else {
                continue;
            };
            if part != before.part {
                part = &before.part;
                // Writing to a String does not fail, here and below.
                let _ = writeln!(
                    text,
                    "\n{part}\n  {:width$} {:>10} {:>10} {:>7}",
                    "", "before", "after", "ratio"
                );
            }
            let apart = after.min > before.max || after.max < before.min;
            let _ = writeln!(
                text,
                "  {:width$} {:>10} {:>10} {:>7.2}{}",
                before.name,
                shown(before.median),
                shown(after.median),
                after.median / before.median,
                if apart { "" } else { "  within what was seen before" },
            );
        }
        text
    }
}
