//! The `relstore` command: installations in a folder, from a shell.
//!
//! Arguments come in; tables for people, or JSON for programs with `--json`, go to standard output, and errors with a stable code to
//! standard error. Invariants: exit 0 is done, 1 refused or failed, 2 bad usage; with `--json` nothing but the document reaches standard
//! output; a reader that goes away ends the program quietly. What the verbs mean is the façade's affair, not this crate's.

mod cli;
mod command;
mod demo;
mod failure;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use crate::failure::Failure;

fn main() -> ExitCode {
    failure::catch_panics();
    let arguments = cli::Arguments::parse();
    match std::panic::catch_unwind(|| command::run(arguments)) {
        Ok(Ok(()) | Err(Failure::ReaderGone)) => ExitCode::SUCCESS,
        Ok(Err(Failure::Error(error))) => {
            output::error::print(&error);
            ExitCode::FAILURE
        }
        // The hook has said what happened.
        Err(_) => ExitCode::FAILURE,
    }
}
