//! Logical types from SQLite's declared types.

use super::LogicalType;

impl LogicalType {
    /// The logical type that a column's declared type asks for.
    ///
    /// Names that say more than an affinity win (`BOOLEAN`, `TIMESTAMP`, `TIMESTAMP_MS`, `JSON`); everything else follows SQLite's
    /// affinity rules (<https://www.sqlite.org/datatype3.html>, section 3.1), where NUMERIC can hold anything and so means `Any`.
    #[must_use]
    pub fn from_declared(declared: &str) -> Self {
        let upper = declared.trim().to_ascii_uppercase();
        match upper.as_str() {
            "" | "ANY" => return Self::Any,
            "BOOLEAN" | "BOOL" => return Self::Boolean,
            "TIMESTAMP" => return Self::Timestamp,
            "TIMESTAMP_MS" => return Self::TimestampMs,
            "JSON" => return Self::Json,
            _ => {}
        }
        let has = |part: &str| upper.contains(part);
        if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Any
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_give_logical_types() {
        for (declared, wanted) in [
            ("INTEGER", LogicalType::Integer),
            ("bigint", LogicalType::Integer),
            ("VARCHAR(20)", LogicalType::Text),
            ("double precision", LogicalType::Real),
            ("boolean", LogicalType::Boolean),
            ("Timestamp", LogicalType::Timestamp),
            ("json", LogicalType::Json),
            ("NUMERIC", LogicalType::Any),
            ("", LogicalType::Any),
        ] {
            assert_eq!(LogicalType::from_declared(declared), wanted, "{declared}");
        }
    }
}
