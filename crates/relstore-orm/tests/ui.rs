//! What must not compile does not, with a message that says what to do. `tests/ui/*.stderr` holds the messages of the compiler that
//! `Cargo.toml` names; `TRYBUILD=overwrite` writes them anew.

#[test]
fn wrong_programs_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
