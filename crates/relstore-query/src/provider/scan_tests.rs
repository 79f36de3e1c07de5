//! How files are spread over partitions.

use super::*;
use relstore_lake::iceberg::spec::{DataFileFormat, Schema};

fn task(name: &str, length: u64) -> FileScanTask {
    FileScanTask::builder()
        .with_file_size_in_bytes(length)
        .with_start(0)
        .with_length(length)
        .with_record_count(Some(1))
        .with_data_file_path(name.to_owned())
        .with_data_file_format(DataFileFormat::Parquet)
        .with_schema(Arc::new(Schema::builder().build().unwrap()))
        .with_project_field_ids(Vec::new())
        .with_case_sensitive(true)
        .build()
}

#[test]
fn files_are_spread_evenly_and_none_is_lost() {
    let tasks: Vec<FileScanTask> = (1..=9).map(|i| task(&format!("f{i}"), i * 100)).collect();
    let groups = spread(tasks, 3);
    let bytes: Vec<u64> = groups.iter().map(|g| g.iter().map(|t| t.length).sum()).collect();
    assert!(bytes.iter().all(|b| b.abs_diff(1500) <= 100), "{bytes:?}");
    let mut names: Vec<&str> = groups.iter().flatten().map(|t| t.data_file_path.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"]);
}

#[test]
fn no_file_is_one_empty_partition() {
    assert_eq!(spread(Vec::new(), 4), vec![Vec::<FileScanTask>::new()]);
}

#[test]
fn a_big_file_is_tiled_by_ranges() {
    let length = 5 * SPLIT_BYTES_MIN + 7;
    let groups = spread(vec![task("big", length), task("small", 10)], 4);
    assert_eq!(groups.len(), 4);
    let mut ranges: Vec<(u64, u64)> =
        groups.iter().flatten().filter(|t| t.data_file_path == "big").map(|t| (t.start, t.start + t.length)).collect();
    ranges.sort_unstable();
    assert!(ranges.len() > 1);
    assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, length));
    assert!(ranges.windows(2).all(|w| w[0].1 == w[1].0), "{ranges:?}");
}
