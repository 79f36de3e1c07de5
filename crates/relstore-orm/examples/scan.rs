//! What a typed scan costs beside the same scan with bare rusqlite: `scan typed|bare|prepared|point ROUNDS`, for an instruction counter.
//!
//! 100,000 rows of seven columns are read into a struct, ROUNDS times. Both sides step the same statement of one SQLite in memory. `point`
//! reads one row by its key 100,000 times with a prepared statement, `barepoint` the same with rusqlite's.

use relstore_model::{Result, Value, ValueRef};
use relstore_orm::{Executor, Held, Param, Table, Typed, eq};
use rusqlite::types::{ToSqlOutput, ValueRef as Raw};
use rusqlite::{Connection, ToSql};

const ROWS: i64 = 100_000;

#[derive(Table, Clone, Debug)]
#[table(name = "flights")]
struct Flight {
    #[column(primary_key)]
    id: i64,
    carrier: String,
    number: i32,
    dest: String,
    delay: Option<i64>,
    distance: f64,
    cancelled: bool,
}

/// The least that an executor does.
struct Bare(Connection);

struct Bound<'a>(ValueRef<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            ValueRef::Null => Raw::Null,
            ValueRef::Integer(i) => Raw::Integer(i),
            ValueRef::Real(r) => Raw::Real(r),
            ValueRef::Text(text) => Raw::Text(text),
            ValueRef::Blob(blob) => Raw::Blob(blob),
        }))
    }
}

impl Bare {
    fn run(&self, sql: &str, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql).expect("the statement is right");
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(params.iter().map(|cell| Bound(*cell)))).expect("it binds");
        while let Some(row) = rows.next().expect("it steps") {
            let mut cells = [ValueRef::Null; 16];
            for (at, slot) in cells[..width].iter_mut().enumerate() {
                *slot = match row.get_ref(at).expect("the column is there") {
                    Raw::Null => ValueRef::Null,
                    Raw::Integer(i) => ValueRef::Integer(i),
                    Raw::Real(r) => ValueRef::Real(r),
                    Raw::Text(text) => ValueRef::Text(text),
                    Raw::Blob(blob) => ValueRef::Blob(blob),
                };
            }
            each(&cells[..width])?;
        }
        Ok(())
    }
}

impl Executor for Bare {
    fn query(&self, sql: &str, params: &[Value], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.run(sql, &params.iter().map(Value::as_ref).collect::<Vec<_>>(), each)
    }

    fn execute(&self, sql: &str, params: &[Value]) -> Result<u64> {
        self.query(sql, params, &mut |_| Ok(())).map(|()| self.0.changes())
    }

    fn execute_many(&self, sql: &str, rows: &mut dyn Iterator<Item = Vec<Value>>) -> Result<u64> {
        let mut changed = 0;
        for params in rows {
            changed += self.execute(sql, &params)?;
        }
        Ok(changed)
    }

    fn query_held(&self, held: &Held, params: &[ValueRef<'_>], each: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<()>) -> Result<()> {
        self.run(held.sql(), params, each)
    }
}

fn bare(connection: &Connection, condition: &str, params: &[&dyn ToSql]) -> rusqlite::Result<Vec<Flight>> {
    let sql = format!("SELECT id, carrier, number, dest, delay, distance, cancelled FROM flights{condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params, |row| {
        Ok(Flight {
            id: row.get(0)?,
            carrier: row.get(1)?,
            number: row.get(2)?,
            dest: row.get(3)?,
            delay: row.get(4)?,
            distance: row.get(5)?,
            cancelled: row.get(6)?,
        })
    })?;
    rows.collect()
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (way, rounds) = (arguments.next().unwrap_or_default(), arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_i64));
    let store = Bare(Connection::open_in_memory().expect("memory is there"));
    store.execute(&Flight::DEF.create_sql(), &[])?;
    let rows = (0..ROWS).map(|id| Flight {
        id,
        carrier: "UA".into(),
        number: (id % 5000) as i32,
        dest: "ORD".into(),
        delay: (id % 3 > 0).then_some(id % 200),
        distance: id as f64 / 3.0,
        cancelled: id % 50 == 0,
    });
    store.insert(flights).values(rows).execute()?;
    let all = store.prepare(|()| store.select().from(flights))?;
    let by_id = store.prepare(|id: Param<i64>| store.select().from(flights).where_(eq(flights.id, id)))?;
    let mut read = 0;
    for _ in 0..rounds {
        match way.as_str() {
            "typed" => read += store.select().from(flights).all()?.len(),
            "prepared" => read += all.all(())?.len(),
            "bare" => read += bare(&store.0, "", &[]).expect("it reads").len(),
            "point" => {
                for id in 0..ROWS {
                    read += usize::from(by_id.first(id)?.is_some());
                }
            }
            "unprepared" => {
                for id in 0..ROWS {
                    read += usize::from(store.select().from(flights).where_(eq(flights.id, id)).first()?.is_some());
                }
            }
            "barepoint" => {
                for id in 0..ROWS {
                    read += bare(&store.0, " WHERE id = ?", &[&id]).expect("it reads").len();
                }
            }
            _ => break,
        }
    }
    println!("{read} rows read");
    Ok(())
}
