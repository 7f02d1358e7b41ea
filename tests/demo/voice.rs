//! The demo's output on the terminal.

use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::fault::{Fault, Result};

/// How often progress gets a line of its own when the output is not a terminal.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// How often a waiting line updates its seconds.
const TICK: Duration = Duration::from_millis(200);

/// Prints to standard output, and rewrites the progress line where that is possible.
pub(crate) struct Voice {
    is_terminal: bool,
    /// Whether the cursor is in a line that will be rewritten.
    is_line_open: bool,
    step: u32,
    progress_at: Option<Instant>,
}

impl Voice {
    /// Writes to this process's standard output.
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: io::stdout().is_terminal(),
            is_line_open: false,
            step: 0,
            progress_at: None,
        }
    }

    /// Prints one line.
    pub(crate) fn print(&mut self, line: &str) -> Result<()> {
        let clear = self.clear();
        self.is_line_open = false;
        write(&format!("{clear}{line}\n"))
    }

    /// Prints the title of the next step.
    pub(crate) fn step(&mut self, title: &str) -> Result<()> {
        self.step += 1;
        self.progress_at = None;
        let line = format!("{}. {title}", self.step);
        self.print("")?;
        self.print(&line)
    }

    /// Prints the lines of a step.
    pub(crate) fn lines(&mut self, lines: &[String]) -> Result<()> {
        lines
            .iter()
            .try_for_each(|line| self.print(format!("   {line}").trim_end()))
    }

    /// Prints progress in place of the previous progress line.
    pub(crate) fn progress(&mut self, line: &str) -> Result<()> {
        if self.is_terminal {
            let clear = self.clear();
            self.is_line_open = true;
            return write(&format!("{clear}   {line}"));
        }
        if self.progress_at.is_none_or(|at| at.elapsed() >= PROGRESS_INTERVAL) {
            self.progress_at = Some(Instant::now());
            return write(&format!("   {line}\n"));
        }
        Ok(())
    }

    /// Shows the elapsed seconds while some work is running.
    pub(crate) async fn while_waiting<T>(&mut self, line: &str, work: impl Future<Output = T>) -> Result<T> {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    self.progress_at = None;
                    return Ok(done);
                }
                _ = ticks.tick() => {
                    let seconds = started.elapsed().as_secs();
                    self.progress(&format!("{line} … {seconds} s"))?;
                }
            }
        }
    }

    fn clear(&self) -> &'static str {
        if self.is_line_open { "\r\x1b[K" } else { "" }
    }
}

fn write(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|fault| {
            Fault::new(
                format!("standard output takes no more words ({fault})"),
                "run it in a terminal, or let it write to a file",
            )
        })
}

/// A number with commas between thousands.
pub(crate) fn counted(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or_default().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in words.
pub(crate) fn lasting(time: Duration) -> String {
    match time.as_millis() {
        short @ 0..1_000 => format!("{short} ms"),
        middle @ 1_000..60_000 => format!("{}.{} s", middle / 1_000, middle % 1_000 / 100),
        long => format!("{} min {} s", long / 60_000, long % 60_000 / 1_000),
    }
}

/// Aligned columns, each as wide as its widest cell; those in `right` are right-aligned.
pub(crate) fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if right.contains(&column) {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_as_people_write_them() {
        assert_eq!(counted(7), "7");
        assert_eq!(counted(1_000), "1,000");
        assert_eq!(counted(1_234_567), "1,234,567");
        assert_eq!(lasting(Duration::from_millis(45)), "45 ms");
        assert_eq!(lasting(Duration::from_millis(3_260)), "3.2 s");
        assert_eq!(lasting(Duration::from_secs(61)), "1 min 1 s");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["Row", "What"], ["1000", "no @"]].map(|row| row.map(str::to_owned).to_vec());

        assert_eq!(table(&rows, &[0]), ["  Row  What".get(1..).unwrap(), "1000  no @"]);
    }
}
