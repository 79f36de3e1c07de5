//! Random schemas and statements, by seed.
#![allow(unreachable_pub, reason = "the test file that uses it is the whole crate")]

use relstore_model::Value;
use relstore_testkit::Rng;

pub struct Table {
    pub name: &'static str,
    pub columns: Vec<(&'static str, char)>,
    pub keys: Vec<&'static str>,
    pub is_evictable: bool,
    pub is_rowid: bool,
}

pub struct Schema {
    pub ddl: Vec<String>,
    pub tables: Vec<Table>,
}

const ACTIONS: &[&str] = &["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "CASCADE", "SET DEFAULT"];

fn reference(r: &mut Rng, column: &str, parent: &str, key: &str) -> String {
    let deferred = if r.one_in(4) { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
    format!("{column} REFERENCES {parent}({key}) ON DELETE {} ON UPDATE {}{deferred}", r.pick(ACTIONS), r.pick(ACTIONS))
}

pub fn schema(r: &mut Rng) -> Schema {
    let mut ddl = Vec::new();
    let mut tables = Vec::new();
    let has_grandparent = r.one_in(2);
    if has_grandparent {
        ddl.push("CREATE TABLE g(id INTEGER PRIMARY KEY, v INT)".to_owned());
        tables.push(Table { name: "g", columns: vec![("id", 'i'), ("v", 'v')], keys: vec!["id"], is_evictable: false, is_rowid: true });
    }
    let id = *r.pick(&["INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY", "TEXT PRIMARY KEY NOT NULL", "INT PRIMARY KEY"]);
    let unique = *r.pick(&["TEXT UNIQUE", "INT UNIQUE", "TEXT UNIQUE COLLATE NOCASE", "REAL UNIQUE", "UNIQUE"]);
    let up = if has_grandparent { format!(", {}", reference(r, "gid INT", "g", "id")) } else { String::new() };
    let check = if r.one_in(2) { ", CHECK(v<>13)" } else { "" };
    ddl.push(format!("CREATE TABLE p(id {id}, u {unique}, v INT DEFAULT 5, w TEXT{up}{check})"));
    let mut columns = vec![("id", 'i'), ("u", 'u'), ("v", 'v'), ("w", 't')];
    if has_grandparent {
        columns.push(("gid", 'f'));
    }
    let is_rowid = id.starts_with("INTEGER");
    tables.push(Table { name: "p", columns, keys: vec!["id", "u"], is_evictable: false, is_rowid });
    let key = if r.one_in(3) { "u" } else { "id" };
    // SQLite's own foreign key actions miss children whose column has another affinity than the parent's key, and a DELETE that fails for
    // it is not undone; so the types agree here.
    let key_type = if key == "u" { unique } else { id };
    let fk_type = match key_type.split(' ').next() {
        Some("TEXT") => "TEXT",
        Some("UNIQUE") => "",
        Some("REAL") => "REAL",
        _ => *r.pick(&["INT", "INTEGER", "NUMERIC"]),
    };
    let parent = reference(r, &format!("pid {fk_type}"), "p", key);
    let collation = *r.pick(&["", " COLLATE NOCASE", " COLLATE RTRIM"]);
    let check = if r.one_in(2) { ", CHECK(v<>13)" } else { "" };
    let not_null = if r.one_in(3) { " NOT NULL" } else { "" };
    ddl.push(format!("CREATE TABLE c(id INTEGER PRIMARY KEY, a INT, b TEXT{collation}, {parent}, v INT{not_null}, UNIQUE(a, b){check})"));
    let columns = vec![("id", 'i'), ("a", 's'), ("b", 'u'), ("pid", 'f'), ("v", 'v')];
    tables.push(Table { name: "c", columns, keys: vec!["id", "a, b"], is_evictable: true, is_rowid: true });
    if r.one_in(2) {
        ddl.push("CREATE INDEX c_v ON c(v)".to_owned());
    }
    if r.one_in(2) {
        let (first, second) = (reference(r, &format!("pid {fk_type}"), "p", key), reference(r, &format!("x {fk_type}"), "p", key));
        ddl.push(format!("CREATE TABLE d(u INT UNIQUE, id INTEGER PRIMARY KEY, {first}, {second}, v INT DEFAULT 7)"));
        let columns = vec![("u", 'u'), ("id", 'i'), ("pid", 'f'), ("x", 'f'), ("v", 'v')];
        tables.push(Table { name: "d", columns, keys: vec!["id", "u"], is_evictable: true, is_rowid: true });
    }
    Schema { ddl, tables }
}

/// A statement under construction: its parameters so far.
pub struct Builder<'a> {
    pub r: &'a mut Rng,
    pub params: Vec<Value>,
}

#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: String,
    pub params: Vec<Value>,
    pub is_ordered: bool,
}

impl Builder<'_> {
    fn n(&mut self, n: u64) -> u64 {
        self.r.below(n)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.n(100) < percent
    }

    fn value(&mut self, kind: char) -> String {
        let value = match kind {
            'i' if self.percent(25) => Value::Null,
            'i' => Value::Integer(1 + self.n(14) as i64),
            's' => Value::Integer(self.n(3) as i64),
            'u' | 'f' => match self.n(9) {
                0 => Value::Null,
                1 => Value::Text(format!("k{}", self.n(6))),
                2 => Value::Text(format!("K{}", self.n(6))),
                3 => Value::Text(format!("{}", self.n(12))),
                4 => Value::Real(self.n(12) as f64),
                5 if kind == 'u' => Value::Text(format!("k{} ", self.n(6))),
                _ => Value::Integer(1 + self.n(14) as i64),
            },
            't' => Value::Text(format!("w{}", self.n(5))),
            _ => Value::Integer(self.n(15) as i64),
        };
        if self.percent(30) {
            self.params.push(value);
            return format!("?{}", self.params.len());
        }
        match value {
            Value::Null => "NULL".into(),
            Value::Integer(i) => i.to_string(),
            Value::Real(f) => format!("{f:?}"),
            Value::Text(t) => format!("'{t}'"),
            Value::Blob(_) => unreachable!("no blob is made"),
        }
    }

    fn table<'t>(&mut self, tables: &'t [Table]) -> &'t Table {
        &tables[self.n(tables.len() as u64) as usize]
    }

    fn predicate(&mut self, t: &Table, tables: &[Table], q: &str) -> String {
        let (column, kind) = t.columns[self.n(t.columns.len() as u64) as usize];
        let other = self.table(tables).name;
        match self.n(13) {
            0..=3 => format!("{q}.{column} = {}", self.value(kind)),
            4 => format!("{q}.id > {}", self.n(14)),
            5 => format!("{q}.v BETWEEN {} AND {}", self.n(8), 5 + self.n(10)),
            6 => format!("{q}.id IN ({}, {}, {})", 1 + self.n(14), 1 + self.n(14), 1 + self.n(14)),
            7 => format!("{q}.id IN (SELECT id FROM {other} WHERE v > {})", self.n(14)),
            8 => format!("EXISTS (SELECT 1 FROM {other} AS z WHERE z.v = {q}.v AND z.id <> {q}.id)"),
            9 => format!("({q}.{column} = {} OR {q}.v < {})", self.value(kind), self.n(8)),
            10 => format!("({q}.id = {} OR {q}.id = {})", 1 + self.n(14), 1 + self.n(14)),
            11 => format!("{q}.{column} IS NOT DISTINCT FROM {}", self.value(kind)),
            _ => format!("{q}.v = (SELECT max(v) FROM {})", t.name),
        }
    }

    fn insert(&mut self, t: &Table, tables: &[Table]) -> String {
        let or = if self.percent(30) { *self.r.pick(&["OR IGNORE ", "OR REPLACE ", "OR FAIL ", "OR ABORT "]) } else { "" };
        let without_id = t.is_rowid && self.percent(35);
        let columns: Vec<(&str, char)> = t.columns.iter().copied().filter(|c| !(without_id && c.0 == "id")).collect();
        let names: Vec<&str> = columns.iter().map(|c| c.0).collect();
        let body = if self.percent(12) {
            let o = self.table(tables);
            let plus = self.n(5);
            let cells: Vec<String> = columns
                .iter()
                .map(|c| match c.1 {
                    'i' => format!("o.id+{plus}"),
                    'u' => format!("o.v+{plus}"),
                    _ => "o.v".to_owned(),
                })
                .collect();
            format!("SELECT {} FROM {} AS o WHERE {} ORDER BY o.id", cells.join(", "), o.name, self.predicate(o, tables, "o"))
        } else {
            let count = if self.percent(30) { 1 + self.n(3) } else { 1 };
            let rows: Vec<String> =
                (0..count).map(|_| format!("({})", columns.iter().map(|c| self.value(c.1)).collect::<Vec<_>>().join(", "))).collect();
            format!("VALUES {}", rows.join(", "))
        };
        let upsert = if or.is_empty() && self.percent(40) { self.upsert(t) } else { String::new() };
        let verb = if or == "OR REPLACE " && self.percent(50) { "REPLACE INTO".to_owned() } else { format!("INSERT {or}INTO") };
        format!("{verb} {}({}) {body}{upsert}", t.name, names.join(", "))
    }

    fn upsert(&mut self, t: &Table) -> String {
        let key = t.keys[self.n(t.keys.len() as u64) as usize];
        match self.n(6) {
            0 => " ON CONFLICT DO NOTHING".to_owned(),
            1 => format!(" ON CONFLICT({key}) DO NOTHING"),
            2 => format!(" ON CONFLICT({key}) DO UPDATE SET v=excluded.v, id=excluded.id"),
            3 if t.keys.len() > 1 => {
                format!(
                    " ON CONFLICT({}) DO UPDATE SET v=1 ON CONFLICT({}) DO UPDATE SET v=excluded.v+2 WHERE {}.v<9",
                    t.keys[0], t.keys[1], t.name
                )
            }
            _ => format!(" ON CONFLICT({key}) DO UPDATE SET v={}.v+excluded.v", t.name),
        }
    }

    fn update(&mut self, t: &Table, tables: &[Table]) -> String {
        let or = if self.percent(20) { *self.r.pick(&["OR IGNORE ", "OR REPLACE ", "OR FAIL ", "OR REPLACE "]) } else { "" };
        let other = self.table(tables).name;
        if self.percent(8) {
            let predicate = self.predicate(t, tables, "x");
            return format!("UPDATE {} AS x SET v = y.v+1 FROM {other} AS y WHERE y.id = x.id AND {predicate}", t.name);
        }
        let with = if self.percent(8) { format!("WITH q AS (SELECT max(v) AS m FROM {other}) ") } else { String::new() };
        let (column, kind) = t.columns[self.n(t.columns.len() as u64) as usize];
        let value = match (kind, self.n(6)) {
            ('i' | 'v', 0) => format!("{column}+1"),
            ('v', 1) => format!("(SELECT count(*) FROM {other} AS z WHERE z.v<{}.v)", t.name),
            ('f', 0) => format!("(SELECT min(id) FROM {other})"),
            _ => self.value(kind),
        };
        let condition = if !or.is_empty() {
            // Which of several rows goes first decides what is left, and SQLite chooses that by the triggers that are there. By rowid it
            // is always the rowids' order.
            format!(" WHERE {}.id >= {}", t.name, self.value('v'))
        } else if self.percent(4) {
            String::new()
        } else {
            format!(" WHERE {}", self.predicate(t, tables, t.name))
        };
        format!("{with}UPDATE {or}{} SET {column}={value}{condition}", t.name)
    }

    fn delete(&mut self, t: &Table, tables: &[Table]) -> String {
        let condition = if self.percent(3) { String::new() } else { format!(" WHERE {}", self.predicate(t, tables, t.name)) };
        format!("DELETE FROM {}{condition}", t.name)
    }

    fn select(&mut self, t: &Table, tables: &[Table]) -> (String, bool) {
        let o = self.table(tables).name;
        let t_name = t.name;
        let on = if self.percent(50) { "b.id = a.v" } else { "b.v = a.id" };
        let p = self.predicate(t, tables, "a");
        let sql = match self.n(18) {
            0 => format!("SELECT * FROM {t_name} AS a WHERE {p}"),
            1 => format!("SELECT count(*), sum(v), min(id), max(id) FROM {t_name} AS a WHERE {p}"),
            2 => format!("SELECT a.*, b.id, b.v FROM {t_name} AS a JOIN {o} AS b ON {on} WHERE {p}"),
            3 => format!("SELECT a.id, b.id, b.v FROM {t_name} AS a LEFT JOIN {o} AS b ON {on} AND b.v > 3 WHERE {p}"),
            4 => format!("SELECT v, count(*) FROM {t_name} AS a WHERE {p} GROUP BY v HAVING count(*)>=1"),
            5 => format!("SELECT DISTINCT v FROM {t_name} AS a WHERE {p}"),
            6 => format!("SELECT a.id, (SELECT count(*) FROM {o} AS b WHERE {on}) AS n FROM {t_name} AS a WHERE {p}"),
            7 => format!("SELECT id, v, row_number() OVER (ORDER BY v, id) FROM {t_name} AS a WHERE {p} AND id IS NOT NULL"),
            8 | 9 => {
                return (format!("SELECT id, v FROM {t_name} AS a WHERE id IS NOT NULL AND {p} ORDER BY id DESC LIMIT 4 OFFSET 1"), true);
            }
            10 => return (format!("SELECT id FROM {t_name} AS a WHERE id IS NOT NULL AND {p} ORDER BY v, id LIMIT 5"), true),
            11 => format!("SELECT id FROM {t_name} AS a WHERE {p} UNION SELECT v FROM {o}"),
            12 => format!("SELECT a.id FROM {t_name} AS a WHERE {p} AND NOT EXISTS (SELECT 1 FROM {o} AS b WHERE {on})"),
            13 => format!("WITH m AS (SELECT id, v FROM {t_name} AS a WHERE {p}) SELECT m.id, b.id FROM m JOIN {o} AS b ON b.v=m.v"),
            14 => format!("SELECT id FROM {t_name} AS a WHERE {p} EXCEPT SELECT v FROM {o}"),
            15 => format!("SELECT a.id, b.id FROM {t_name} AS a FULL JOIN {o} AS b ON {on} WHERE {p} OR a.id IS NULL"),
            16 => format!("SELECT typeof(id), typeof(v), * FROM {t_name} AS a WHERE {p}"),
            _ => format!("SELECT max(id), min(v) FROM {t_name} AS a WHERE {p}"),
        };
        (sql, false)
    }
}

/// Statements that give every table some rows again.
pub fn refill(r: &mut Rng, tables: &[Table]) -> Vec<Statement> {
    let mut out = Vec::new();
    for t in tables {
        for _ in 0..10 {
            let names: Vec<&str> = t.columns.iter().map(|c| c.0).collect();
            let cells: Vec<String> = t
                .columns
                .iter()
                .map(|c| match c.1 {
                    'f' => format!(
                        "(SELECT {} FROM {} ORDER BY id LIMIT 1 OFFSET {})",
                        if c.0 == "gid" { "id" } else { "ifnull(id, u)" },
                        if c.0 == "gid" { "g" } else { "p" },
                        r.below(6)
                    ),
                    't' => "'w'".to_owned(),
                    _ => (1 + r.below(14)).to_string(),
                })
                .collect();
            let sql = format!("INSERT OR IGNORE INTO {}({}) VALUES ({})", t.name, names.join(", "), cells.join(", "));
            out.push(Statement { sql, params: vec![], is_ordered: false });
        }
    }
    out
}

/// A random statement on one of the tables.
pub fn statement(r: &mut Rng, tables: &[Table]) -> Statement {
    let is_bare = r.one_in(2);
    let mut b = Builder { r, params: Vec::new() };
    let t = b.table(tables);
    let returning = if b.percent(40) { if b.percent(50) { " RETURNING *" } else { " RETURNING id, v" } } else { "" };
    let (mut sql, is_ordered) = match b.n(100) {
        0..=29 => (b.insert(t, tables) + returning, false),
        30..=49 => (b.update(t, tables) + returning, false),
        50..=62 => (b.delete(t, tables) + returning, false),
        63..=64 => {
            let p = b.predicate(t, tables, t.name);
            match b.n(5) {
                0 => (format!("SELECT rowid, v FROM {} WHERE {p}", t.name), false),
                1 => (format!("SELECT * FROM main.{} WHERE {p}", t.name), false),
                2 => (format!("PRAGMA table_info({})", t.name), true),
                3 => (format!("UPDATE main.{} SET v=v+1 WHERE {p}", t.name), false),
                _ => (format!("SELECT name, pk FROM pragma_table_info('{}')", t.name), true),
            }
        }
        _ => b.select(t, tables),
    };
    let params = b.params;
    // Parameters that stand in order may be written without their numbers.
    let places: Vec<usize> = (1..=params.len()).filter_map(|i| sql.find(&format!("?{i}"))).collect();
    if is_bare && places.is_sorted() && params.len() < 10 {
        for i in 1..=params.len() {
            sql = sql.replacen(&format!("?{i}"), "?", 1);
        }
    }
    Statement { sql, params, is_ordered }
}
