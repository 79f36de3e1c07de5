//! The flights of data/, as rows for SQLite.

use relstore::model::{Error, Result, Value};

/// The table, for every peer the same.
pub(crate) const CREATE: &str = "CREATE TABLE flights(id INTEGER PRIMARY KEY, year INTEGER, month INTEGER, day INTEGER, dep_time INTEGER, \
    sched_dep_time INTEGER, dep_delay INTEGER, arr_time INTEGER, sched_arr_time INTEGER, arr_delay INTEGER, carrier TEXT, flight INTEGER, \
    tailnum TEXT, origin TEXT, dest TEXT, air_time INTEGER, distance INTEGER, hour INTEGER, minute INTEGER, time_hour TEXT)";

/// The statement that puts one row in.
pub(crate) const INSERT: &str = "INSERT INTO flights VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

/// All flights, with their line number as the key.
pub(crate) fn read() -> Result<Vec<Vec<Value>>> {
    let failed = |e: String| Error::corrupt("data/flights.csv.zst cannot be read").with("reason", e);
    let packed: &[u8] = include_bytes!("../../data/flights.csv.zst");
    let text = zstd::decode_all(packed).map_err(|e| failed(e.to_string()))?;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let mut rows = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|e| failed(e.to_string()))?;
        let cell = |text: &str| match text {
            "NA" => Value::Null,
            text => text.parse().map_or_else(|_| Value::from(text), Value::Integer),
        };
        rows.push(std::iter::once(Value::Integer(line as i64 + 1)).chain(record.iter().map(cell)).collect());
    }
    Ok(rows)
}
