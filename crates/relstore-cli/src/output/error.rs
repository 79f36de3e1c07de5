//! An error, on standard error.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::Write as _;

use relstore::model::Error;

use super::style::Style;
use super::table::printable;

/// Prints `error[Kind]: message`, where it happened, what is behind it, and the way out.
pub(crate) fn print(error: &Error) {
    // Where standard error is closed there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(text(error, Style::of_stderr()).as_bytes());
}

fn text(error: &Error, style: Style) -> String {
    let mut out = format!("{} {}\n", style.bad(format!("error[{}]:", error.kind().code())), printable(error.message()));
    for (key, value) in error.context() {
        let value = printable(value);
        // Such as the statement with a caret under the place: its columns count.
        if value.contains('\n') {
            let _ = writeln!(out, "  {key}:");
            for line in value.trim_matches('\n').lines() {
                let _ = writeln!(out, "  {line}");
            }
        } else {
            let _ = writeln!(out, "  {key}: {value}");
        }
    }
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(out, "  caused by: {}", printable(&cause.to_string()));
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(out, "{} {}", style.good("Try:"), printable(hint));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stays_under_its_place() {
        let error = Error::invalid("near \"FORM\": syntax error")
            .with("at", "\n  SELECT * FORM flights\n           ^\n")
            .with("ns", "EWR")
            .with_hint("did you mean FROM?");
        let plain = text(&error, Style::of_stderr());
        let wanted = "error[Invalid]: near \"FORM\": syntax error\n  at:\n    SELECT * FORM flights\n             ^\n  ns: EWR\nTry: did you mean FROM?\n";
        assert_eq!(plain, wanted);
    }
}
