//! The affinity that SQLite gives a column by its declared type, as far as the engine must know it.

/// Whether a column of this declared type holds whole numbers as floats.
/// <https://www.sqlite.org/datatype3.html#determination_of_column_affinity>
pub(crate) fn is_real(declared: &str) -> bool {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|w| declared.contains(w));
    !has(&["INT", "CHAR", "CLOB", "TEXT", "BLOB"]) && has(&["REAL", "FLOA", "DOUB"])
}

#[cfg(test)]
mod tests {
    use super::is_real;

    #[test]
    fn affinity_follows_the_order_of_sqlites_rules() {
        for (declared, wanted) in [
            ("REAL", true),
            ("double precision", true),
            ("FLOAT", true),
            ("FLOATING POINT", false),
            ("CHARREAL", false),
            ("", false),
            ("DECIMAL(1,2)", false),
        ] {
            assert_eq!(is_real(declared), wanted, "{declared}");
        }
    }
}
