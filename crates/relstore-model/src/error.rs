//! One error for the whole project: a kind that says what the caller does, a message, and where it happened.
//!
//! Foreign errors appear only as [`Error::source`], converted where the owning crate meets them.

use std::error::Error as StdError;
use std::fmt;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller does about an [`Error`]. Its name is the stable code that programs match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Fix the call: bad SQL, a bad name, a bad argument.
    Invalid,
    /// The row breaks the schema: a unique, foreign key, NOT NULL or CHECK constraint, or a value of the wrong type.
    Constraint,
    /// A schema change that the compatibility mode refuses.
    Incompatible,
    /// The named thing does not exist.
    NotFound,
    /// Something else happened first; run the transaction again.
    Conflict,
    /// A resource is away, full, locked or read-only; retry with backoff once that is mended.
    Unavailable,
    /// Understood, and not offered.
    Unsupported,
    /// The handle is of no use any more (fenced, poisoned, closed); open the store again.
    Closed,
    /// Bytes are not what was written; stop, and restore.
    Corrupt,
    /// A bug of this project.
    Internal,
}

impl ErrorKind {
    /// The stable code, which is the kind's name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Invalid => "Invalid",
            Self::Constraint => "Constraint",
            Self::Incompatible => "Incompatible",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Unavailable => "Unavailable",
            Self::Unsupported => "Unsupported",
            Self::Closed => "Closed",
            Self::Corrupt => "Corrupt",
            Self::Internal => "Internal",
        }
    }
}

/// An error: kind, message, context pairs in the order they were added, a way out, and the foreign error behind it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(&'static str, String)>,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` that says `message`: one clause, no full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), context: Vec::new(), hint: None, source: None }))
    }

    /// An [`ErrorKind::Invalid`] error.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An [`ErrorKind::NotFound`] error.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// An [`ErrorKind::Corrupt`] error. It always carries a way out.
    #[must_use]
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
            .with_hint("keep the files as they are and restore the store from its history: relstore restore")
    }

    /// An [`ErrorKind::Unavailable`] error.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// An [`ErrorKind::Unsupported`] error.
    #[must_use]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// An [`ErrorKind::Internal`] error.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds where it happened, such as `("table", "users")`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Sets the way out: what to do next, as an instruction.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the foreign error behind this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error for another caller who waited for the same thing. The foreign error behind it becomes context.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let mut context = self.0.context.clone();
        context.extend(self.0.source.as_ref().map(|source| ("cause", source.to_string())));
        let Inner { kind, message, hint, .. } = &*self.0;
        Self(Box::new(Inner { kind: *kind, message: message.clone(), context, hint: hint.clone(), source: None }))
    }

    /// What the caller does about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened, in the order it was added.
    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if i == 0 { " (" } else { ", " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind.code())?;
        if let Some(hint) = &self.0.hint {
            write!(f, " [try: {hint}]")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, " [caused by: {source}]")?;
        }
        Ok(())
    }
}

impl AsRef<Error> for Error {
    fn as_ref(&self) -> &Error {
        self
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_where_and_the_way_out() {
        let e = Error::not_found("no such table").with("table", "usres").with("store", "acme").with_hint("did you mean users?");
        assert_eq!(e.to_string(), "no such table (table: usres, store: acme)");
        assert_eq!(format!("{e:?}"), "NotFound: no such table (table: usres, store: acme) [try: did you mean users?]");
    }
}
