//! Colour, where somebody looks.

use std::fmt::Display;
use std::io::IsTerminal;

/// Whether, and how, text is set off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    is_coloured: bool,
}

impl Style {
    /// For standard output.
    pub(crate) fn of_stdout() -> Self {
        Self { is_coloured: std::io::stdout().is_terminal() && is_wanted() }
    }

    /// For standard error.
    pub(crate) fn of_stderr() -> Self {
        Self { is_coloured: std::io::stderr().is_terminal() && is_wanted() }
    }

    /// A heading.
    pub(crate) fn heading(self, text: impl Display) -> String {
        self.paint("1;36", text)
    }

    /// What matters.
    pub(crate) fn strong(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    /// What is aside.
    pub(crate) fn faint(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// A statement.
    pub(crate) fn statement(self, text: impl Display) -> String {
        self.paint("33", text)
    }

    /// What went well.
    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint("1;32", text)
    }

    /// What went wrong.
    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.is_coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// <https://no-color.org>: set and not empty means no.
fn is_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
