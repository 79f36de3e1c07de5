//! What people and programs see: tables, JSON, errors, numbers.

pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod style;
pub(crate) mod table;

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error for work that is counted as `template` says, if somebody looks.
pub(crate) fn bar(is_hidden: bool, template: &str) -> ProgressBar {
    let bar = if std::io::stderr().is_terminal() && !is_hidden { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// A bar for pages of a file.
pub(crate) fn pages_bar(is_hidden: bool) -> ProgressBar {
    bar(is_hidden, "{bar:40} {pos}/{len} pages")
}
