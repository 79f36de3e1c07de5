//! A table that was loaded on a runtime that is gone still answers, where Iceberg by itself would answer with nothing.

use crate::people::{small, texts};

#[test]
fn a_query_on_another_runtime_gives_the_same_rows() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = runtime();
    let (_lake, session) = first.block_on(small());
    first.shutdown_background();
    for _ in 0..2 {
        let names = runtime().block_on(texts(&session, "SELECT fullName FROM people ORDER BY 1"));
        assert_eq!(names, ["Ada L.", "Zoe"]);
    }
}
