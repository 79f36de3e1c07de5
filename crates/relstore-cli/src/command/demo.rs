//! `relstore demo`: the story, or the document of what was found.

use std::io::Write;

use relstore::model::Error;

use crate::cli::DemoArguments;
use crate::demo;
use crate::failure::Outcome;

pub(crate) async fn run(arguments: DemoArguments) -> Outcome {
    let document = demo::run(arguments.dir.as_deref(), !arguments.json).await?;
    if arguments.json {
        let mut out = super::stdout();
        serde_json::to_writer_pretty(&mut out, &document).map_err(std::io::Error::from)?;
        writeln!(out)?;
        out.flush()?;
    }
    // The story has shown them; a program that reads no JSON learns it here.
    if document.is_sound() {
        return Ok(());
    }
    Err(Error::internal("a comparison of the demo failed")
        .with("answers_equal_after_eviction", document.answers_equal_after_eviction)
        .with("restore_equal", document.restore.equal)
        .with_hint("this is a bug of relstore: please report it")
        .into())
}
