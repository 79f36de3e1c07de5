//! The narrator: chapters, prose, statements, answers. Where nobody listens (`--json`) it says nothing.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::failure::Outcome;
use crate::output::number::{rate, took};
use crate::output::style::Style;
use crate::output::table::Table;

/// The width of a line of prose.
const COLUMNS: usize = 100;
const INDENT: &str = "   ";

/// Tells the story on standard output.
#[derive(Debug)]
pub(crate) struct Story {
    style: Style,
    is_told: bool,
    chapter: u32,
}

impl Story {
    pub(crate) fn new(is_told: bool) -> Self {
        Self { style: Style::of_stdout(), is_told, chapter: 0 }
    }

    /// Opens the story.
    pub(crate) fn title(&self, title: &str, below: &str) -> Outcome {
        self.print(&format!("\n{}\n{}\n", self.style.strong(title), self.style.faint(below)))
    }

    /// Opens the next chapter.
    pub(crate) fn chapter(&mut self, title: &str) -> Outcome {
        self.chapter += 1;
        let heading = format!("── {} · {title} ", self.chapter);
        let rule = "─".repeat(COLUMNS.saturating_sub(heading.chars().count()));
        self.print(&format!("\n{}{}\n\n", self.style.heading(heading), self.style.faint(rule)))
    }

    /// Closes the story.
    pub(crate) fn end(&self, text: &str) -> Outcome {
        self.print(&format!("\n{}\n\n{INDENT}{}\n\n", self.style.faint("─".repeat(COLUMNS)), self.style.strong(text)))
    }

    /// A paragraph.
    pub(crate) fn say(&self, text: &str) -> Outcome {
        self.print(&format!("{}\n", wrapped(text)))
    }

    /// A statement, as it is run.
    pub(crate) fn statement(&self, text: &str) -> Outcome {
        let bar = self.style.faint("│");
        let lines: String = text.lines().map(|line| format!("{INDENT}{bar} {}\n", self.style.statement(line))).collect();
        self.print(&format!("{lines}\n"))
    }

    /// What came of it, as text in the form it has.
    pub(crate) fn answer(&self, text: &str) -> Outcome {
        let lines: String = text.lines().map(|line| format!("{INDENT}{line}\n")).collect();
        self.print(&lines)
    }

    /// An empty line.
    pub(crate) fn gap(&self) -> Outcome {
        self.print("\n")
    }

    /// An answer.
    pub(crate) fn table(&self, table: &Table) -> Outcome {
        if self.is_told { self.answer(&table.render()) } else { Ok(()) }
    }

    /// What was done, and the time it took.
    pub(crate) fn took(&self, what: &str, time: Duration) -> Outcome {
        self.print(&format!("{INDENT}{}\n\n", self.style.faint(format!("{what}, {}", took(time)))))
    }

    /// The result of a comparison.
    pub(crate) fn verdict(&self, holds: bool, text: &str) -> Outcome {
        let mark = if holds { self.style.good("✓") } else { self.style.bad("✗ NOT TRUE:") };
        self.print(&format!("{INDENT}{mark} {text}\n\n"))
    }

    /// A bar for `total` rows on standard error, where that is a terminal; elsewhere one that is not seen.
    pub(crate) fn progress(&self, total: u64) -> ProgressBar {
        let is_seen = io::stderr().is_terminal();
        let target = if is_seen { ProgressDrawTarget::stderr_with_hz(15) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = ProgressStyle::with_template("   {bar:50} {human_pos} of {human_len} rows, {rate} rows/s");
        let with_rate = style.map(|style| {
            style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // Nobody is helped by an error here.
                let _ = out.write_str(&rate(state.pos(), state.elapsed()));
            })
        });
        bar.with_style(with_rate.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    fn print(&self, text: &str) -> Outcome {
        if self.is_told {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    }
}

/// The text in indented lines that fit the page, and an empty line.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width == 0 || width + 1 + length > COLUMNS {
            out.push_str(if width == 0 { INDENT } else { "\n   " });
            width = INDENT.len() + length;
        } else {
            out.push(' ');
            width += 1 + length;
        }
        out.push_str(word);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_fits_the_page() {
        let lines = wrapped(&"seventeen letters ".repeat(20));
        assert!(lines.lines().all(|line| line.starts_with("   s") || line.starts_with("   l")), "{lines}");
        assert!(lines.lines().all(|line| line.chars().count() <= COLUMNS), "{lines}");
    }
}
