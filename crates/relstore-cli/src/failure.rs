//! How a command ends when it does not succeed.

use std::io;

use relstore::model::Error;

use crate::output;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was refused or failed.
    Error(Error),
    /// Whoever read standard output has gone (`relstore tail | head`), so there is nobody to tell.
    ReaderGone,
}

/// What a command gives.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// From writing to standard output: other files are the façade's affair.
impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Error(Error::unavailable("standard output cannot be written").with_source(e)),
        }
    }
}

/// Makes a panic, which is always our bug, an error like the others on standard error.
pub(crate) fn catch_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let mut error = Error::internal(said.unwrap_or("something that cannot happen did").to_owned())
            .with("version", env!("CARGO_PKG_VERSION"))
            .with_hint(concat!(
                "this is a bug of relstore: please report it with this message, at ",
                env!("CARGO_PKG_REPOSITORY"),
                "/issues. What was committed is safe"
            ));
        if let Some(place) = panic.location() {
            error = error.with("at", place);
        }
        output::error::print(&error);
    }));
}
