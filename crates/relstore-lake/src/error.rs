//! Errors at the edge to iceberg, in both directions.

use std::error::Error as StdError;

use relstore_model::{Error, ErrorKind};

/// An error of iceberg's about `what`. One of ours that travelled through iceberg comes out as it went in.
pub(crate) fn from_iceberg(error: iceberg::Error, what: &str) -> Error {
    let ours = carried(&error).map(|carried| {
        let mut copy = Error::new(carried.kind(), carried.message());
        for (key, value) in carried.context() {
            copy = copy.with(key, value);
        }
        match carried.hint() {
            Some(hint) => copy.with_hint(hint),
            None => copy,
        }
    });
    let kind = match error.kind() {
        iceberg::ErrorKind::CatalogCommitConflicts
        | iceberg::ErrorKind::PreconditionFailed
        | iceberg::ErrorKind::TableAlreadyExists
        | iceberg::ErrorKind::NamespaceAlreadyExists => ErrorKind::Conflict,
        iceberg::ErrorKind::TableNotFound | iceberg::ErrorKind::NamespaceNotFound => ErrorKind::NotFound,
        iceberg::ErrorKind::FeatureUnsupported => ErrorKind::Unsupported,
        iceberg::ErrorKind::DataInvalid => ErrorKind::Corrupt,
        _ => ErrorKind::Unavailable,
    };
    let ours = ours.unwrap_or_else(|| match kind {
        ErrorKind::Corrupt => Error::corrupt(error.message()),
        kind => Error::new(kind, error.message()),
    });
    ours.with("history", what).with_source(error)
}

/// One of our errors on its way through iceberg, which keeps it as the source.
pub(crate) fn to_iceberg(error: Error) -> iceberg::Error {
    let kind = match error.kind() {
        ErrorKind::Corrupt | ErrorKind::Invalid => iceberg::ErrorKind::DataInvalid,
        ErrorKind::Unsupported => iceberg::ErrorKind::FeatureUnsupported,
        ErrorKind::Conflict => iceberg::ErrorKind::PreconditionFailed,
        ErrorKind::Constraint
        | ErrorKind::Incompatible
        | ErrorKind::NotFound
        | ErrorKind::Unavailable
        | ErrorKind::Closed
        | ErrorKind::Internal => iceberg::ErrorKind::Unexpected,
    };
    iceberg::Error::new(kind, error.to_string()).with_source(error)
}

/// An error of Arrow's or Parquet's while building or reading columns of the table.
pub(crate) fn from_arrow(error: impl StdError + Send + Sync + 'static, table: &str) -> Error {
    Error::internal("columns of history do not fit together").with("table", table).with_source(error)
}

fn carried(error: &iceberg::Error) -> Option<&Error> {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        at = error.source();
    }
    None
}
