//! What a session over all stores does, a file for each behaviour. One binary, for each would link DataFusion again.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../lake/mod.rs"]
mod lake;
mod people;

mod answers_keep_their_types;
mod current_equals_a_fold_of_history;
mod errors_show_the_place;
mod filters_prune_files;
mod old_files_are_read_under_the_new_schema;
mod only_queries_are_taken;
mod sessions_outlive_runtimes;
mod views_are_tables;
