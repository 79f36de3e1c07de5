#!/usr/bin/env python3
"""Reads an installation that `relstore demo --dir DIR` made by programs that are not ours, and compares what they find.

    check.py --dir DIR --demo FILE     DIR: the installation. FILE: what `relstore demo --json` printed
    check.py --self-test               makes a small installation, sees it pass, breaks it in many ways and sees each fail

Compared are, for every history table: pyiceberg with DuckDB, column by column and row by row; the current state folded from history with
each store's own rows (SQLite's file and the evicted Parquet); and the view's files, read twice, with the same aggregate over the folded
state. One line a comparison; the last line counts them; exit 1 if any failed. self_test.py beside this file is the layout in code.
"""

import argparse
import importlib.util
import json
import math
import pathlib
import re
import sqlite3
import sys
import urllib.parse

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog

CATALOG = "relstore"
NAMESPACE = "history"
FLOAT_TOLERANCE = 1e-9
# Names an evicted row's Parquet file may give the rowid.
ROWID_NAMES = ["_rowid", "rowid", "_rs_rowid", "_row", "_rs_row"]


class Missing(Exception):
    """Something that should be there is not; the text says what and where it was looked for."""


class Report:
    """Prints a line for each comparison and counts."""

    def __init__(self, quiet=False):
        self.passed, self.failed, self.quiet = 0, [], quiet

    def expect(self, ok, what, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed.append(what)
        if not self.quiet:
            print(("ok    " if ok else "FAIL  ") + what + (f": {detail}" if detail else ""))
        return ok

    def same(self, what, a_name, a, b_name, b):
        ok = equal(a, b)
        return self.expect(ok, what, f"{shown(a)}" if ok else f"{a_name} {shown(a)}, {b_name} {shown(b)}")

    def note(self, text):
        if not self.quiet:
            print("      " + text)


def equal(a, b):
    """Exact, but for floats, which may differ by their last digits where sums were added in another order."""
    if isinstance(a, float) or isinstance(b, float):
        return a is not None and b is not None and math.isclose(a, b, rel_tol=FLOAT_TOLERANCE, abs_tol=0.0)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    return a == b


def shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{k} {shown(v)}" for k, v in value.items())
    if isinstance(value, str) and len(value) > 40:
        return repr(value[:37] + "...")
    return repr(value) if isinstance(value, str) else f"{value}"


def ident(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


# Profiles: what a column holds, computed by each reader's own functions.


def column_class(arrow_type):
    t = arrow_type
    if pa.types.is_dictionary(t):
        t = t.value_type
    if pa.types.is_boolean(t):
        return "boolean"
    if pa.types.is_integer(t) or pa.types.is_decimal(t):
        return "integer"
    if pa.types.is_floating(t):
        return "real"
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return "text"
    if pa.types.is_timestamp(t) or pa.types.is_date(t):
        return "time"
    if pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t):
        return "blob"
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        return "list"
    return "other"


def profile_arrow(table):
    """column → what it holds, by Arrow's compute functions."""
    profile = {}
    for field in table.schema:
        column, kind = table.column(field.name), column_class(field.type)
        entry = {"count": len(column) - column.null_count}
        if kind in ("integer", "boolean"):
            numbers = column.cast(pa.int64()) if kind == "boolean" else column
            total = pc.sum(numbers.cast(pa.decimal128(38, 0))).as_py()
            entry["sum"] = None if total is None else int(total)
        elif kind == "real":
            values = [v for v in column.to_pylist() if v is not None]
            entry["sum"] = math.fsum(values) if values else None
        elif kind == "text":
            bounds = pc.min_max(column).as_py()
            entry |= {"min": bounds["min"], "max": bounds["max"]}
        elif kind == "time":
            micros = column.cast(pa.timestamp("us", getattr(field.type, "tz", None))).cast(pa.int64())
            bounds = pc.min_max(micros).as_py()
            entry |= {"min": bounds["min"], "max": bounds["max"]}
        elif kind == "blob":
            entry["bytes"] = pc.sum(pc.binary_length(column)).as_py()
        elif kind == "list":
            entry["elements"] = pc.sum(pc.list_value_length(column)).as_py()
        profile[field.name] = entry
    return profile


def profile_duckdb(db, relation, schema):
    """The same by DuckDB's aggregates over `relation`, a table or table function in SQL. `schema` says the columns."""
    wanted, sqls = [], []
    for field in schema:
        name, kind = ident(field.name), column_class(field.type)
        parts = {"count": f"count({name})"}
        if kind in ("integer", "boolean"):
            parts["sum"] = f"sum({name}::HUGEINT)"
        elif kind == "real":
            parts["sum"] = f"fsum({name})"
        elif kind == "text":
            parts |= {"min": f"min({name})", "max": f"max({name})"}
        elif kind == "time":
            parts |= {"min": f"epoch_us(min({name}))", "max": f"epoch_us(max({name}))"}
        elif kind == "blob":
            parts["bytes"] = f"sum(octet_length({name}))"
        elif kind == "list":
            parts["elements"] = f"sum(len({name}))"
        wanted += [(field.name, key) for key in parts]
        sqls += parts.values()
    row = db.execute(f"SELECT {', '.join(sqls)} FROM {relation}").fetchone()
    profile = {}
    for (column, key), value in zip(wanted, row, strict=True):
        value = int(value) if key in ("bytes", "elements") and value is not None else value
        profile.setdefault(column, {})[key] = value
    return profile


def compare_profiles(report, what, a_name, a, b_name, b):
    for column in a:
        report.same(f"{what}.{column}", a_name, a[column], b_name, b.get(column))


def compare_rows(report, db, what, a_name, a, b_name, b, columns):
    """Both ways: rows of one that the other lacks, with their number of times."""
    names = ", ".join(ident(c) for c in columns)
    for left_name, left, right_name, right in ((a_name, a, b_name, b), (b_name, b, a_name, a)):
        lacking = f"SELECT {names} FROM {left} EXCEPT ALL SELECT {names} FROM {right}"
        count = db.execute(f"SELECT count(*) FROM ({lacking})").fetchone()[0]
        detail = f"{count} rows"
        if count:
            # As text: DuckDB gives times with a zone to Python by way of a package more.
            texts = ", ".join(f"CAST({ident(c)} AS VARCHAR)" for c in columns)
            detail += f", such as {db.execute(f'SELECT {texts} FROM ({lacking}) LIMIT 1').fetchone()}"
        report.expect(count == 0, f"{what}: rows of {left_name} not in {right_name}", detail)


# The installation.


def open_duckdb():
    """DuckDB with the two extensions from their packages; nothing is fetched."""
    config = {"allow_unsigned_extensions": "true", "autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    db = duckdb.connect(config=config)
    # A replacement scan would take a Python variable for a table that is missing.
    db.execute("SET python_enable_replacements = false")
    for name in ("avro", "iceberg"):
        spec = importlib.util.find_spec(f"duckdb_extension_{name}")
        if spec is None or spec.origin is None:
            raise Missing(f"the package duckdb-extension-{name} is not installed: pip install -r requirements.txt")
        found = sorted(pathlib.Path(spec.origin).parent.glob(f"extensions/*/{name}.duckdb_extension"))
        fitting = [p for p in found if p.parent.name == f"v{duckdb.__version__}"]
        if not fitting:
            have = ", ".join(p.parent.name for p in found) or "none"
            raise Missing(f"duckdb-extension-{name} is for {have}, duckdb is {duckdb.__version__}: they must be of one version")
        db.execute(f"LOAD {literal(fitting[0])}")
    return db


def namespace_of(folder_name):
    """The store that a folder such as `EWR~7` belongs to: see Namespace::to_path."""
    return urllib.parse.unquote(folder_name.split("~")[0])


def local_path(location, base):
    """A path from a path, a path relative to `base`, or a file: URL."""
    if location.startswith("file:"):
        location = urllib.parse.unquote(urllib.parse.urlparse(location).path)
    elif "://" in location:
        raise Missing(f"{location} is not on this machine")
    path = pathlib.Path(location)
    return path if path.is_absolute() else base / path


class Installation:
    def __init__(self, directory, demo):
        self.dir = pathlib.Path(directory).resolve()
        self.bucket = self.dir / "bucket"
        self.demo = demo
        self.db = open_duckdb()
        self.hot = {}
        for path in sorted(self.dir.glob("hot/*/store.db")):
            self.hot[namespace_of(path.parent.name)] = path
        if not self.hot:
            raise Missing(f"no store: {self.dir}/hot/<ns>/store.db does not exist")
        last_lsn = demo.get("last_lsn")
        self.stores = sorted(last_lsn) if isinstance(last_lsn, dict) and last_lsn else sorted(self.hot)
        catalog = demo.get("iceberg", {}).get("catalog")
        catalog = local_path(catalog, self.dir) if catalog else self.dir / "catalog.db"
        if not catalog.is_file():
            raise Missing(f"no Iceberg catalog at {catalog}")
        self.catalog = SqlCatalog(CATALOG, uri=f"sqlite:///{catalog}", init_catalog_tables="false")
        self.tables = sorted(identifier[-1] for identifier in self.catalog.list_tables(NAMESPACE))
        if not self.tables:
            raise Missing(f"the catalog {catalog} holds no table in {NAMESPACE} (catalog name {CATALOG})")

    def hot_connection(self, ns):
        path = self.hot[ns]
        try:
            connection = sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=ro", uri=True)
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.Error as error:
            raise Missing(f"{path} cannot be read by Python's sqlite3 {sqlite3.sqlite_version}: {error}") from error
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        return connection


# (a) history, by two readers.


def check_history(report, inst, name):
    """Leaves `py_<name>` (pyiceberg's rows) registered in DuckDB and returns the table."""
    what = f"{NAMESPACE}.{name}"
    table = inst.catalog.load_table((NAMESPACE, name))
    arrow = table.scan().to_arrow()
    inst.db.register(f"py_{name}", arrow)
    said = inst.demo.get("iceberg", {}).get("tables", {}).get(name)
    metadata = table.metadata_location
    if report.expect(said is not None, f"{what} is named by the demo"):
        if "rows" in said:
            report.same(f"{what} rows as the demo says", "demo", said["rows"], "pyiceberg", len(arrow))
        if "snapshots" in said:
            report.same(f"{what} snapshots", "demo", said["snapshots"], "pyiceberg", len(table.metadata.snapshots))
        if said.get("metadata"):
            metadata = said["metadata"]
            same = local_path(metadata, inst.dir).resolve() == local_path(table.metadata_location, inst.dir).resolve()
            report.expect(same, f"{what} metadata of the demo is the catalog's", f"{metadata}")
    scan = f"iceberg_scan({literal(local_path(metadata, inst.dir))})"
    inst.db.execute(f"CREATE OR REPLACE TEMP TABLE {ident('duck_' + name)} AS SELECT * FROM {scan}")
    rows = inst.db.execute(f"SELECT count(*) FROM {ident('duck_' + name)}").fetchone()[0]
    report.same(f"{what} rows", "pyiceberg", len(arrow), "DuckDB", rows)
    if not rows:
        report.note(f"{what} is empty")
    # The profile is taken from the scan itself, where DuckDB may answer from statistics.
    profile = profile_duckdb(inst.db, scan, arrow.schema)
    compare_profiles(report, what, "pyiceberg", profile_arrow(arrow), "DuckDB", profile)
    columns = [f.name for f in arrow.schema]
    compare_rows(report, inst.db, what, "pyiceberg", ident(f"py_{name}"), "DuckDB", ident(f"duck_{name}"), columns)
    return table


# (b) the current state, folded from history, against the stores' own rows.


def primary_key(table, name):
    text = table.properties.get("relstore.primary-key", "")
    columns = json.loads(text) if text.startswith("[") else [c.strip() for c in text.split(",") if c.strip()]
    names = [f.name for f in table.schema().fields]
    if not columns and "_rowid" in names:
        columns = ["_rowid"]
    if not columns:
        raise Missing(f"the table {name} has neither the property relstore.primary-key nor a column _rowid")
    for column in columns:
        if column not in names:
            raise Missing(f"relstore.primary-key of {name} names {column}, the table has {', '.join(names)}")
    return columns


def fold(report, inst, name, table):
    """Makes `current_<name>`: the newest version of each key of each store, but for deleted ones."""
    key = ", ".join(ident(c) for c in ["_ns", *primary_key(table, name)])
    source, current = ident(f"py_{name}"), ident(f"current_{name}")
    doubled = inst.db.execute(f"SELECT count(*) FROM (SELECT 1 FROM {source} GROUP BY {key}, _lsn HAVING count(*) > 1)").fetchone()[0]
    report.expect(doubled == 0, f"{NAMESPACE}.{name}: no change of a key twice", f"{doubled} doubled")
    newest = f"SELECT * FROM {source} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY _lsn DESC) = 1"
    inst.db.execute(f"CREATE OR REPLACE TEMP TABLE {current} AS SELECT * FROM ({newest}) WHERE _op <> 'd'")


def check_positions(report, inst):
    """No store's history runs ahead of its log."""
    last_lsn = inst.demo.get("last_lsn")
    if not isinstance(last_lsn, dict):
        return
    union = " UNION ALL ".join(f"SELECT _ns, _lsn FROM {ident('py_' + name)}" for name in inst.tables)
    archived = dict(inst.db.execute(f"SELECT _ns, max(_lsn) FROM ({union}) GROUP BY _ns").fetchall())
    for ns in sorted(last_lsn.keys() | archived.keys()):
        high, last = archived.get(ns), last_lsn.get(ns)
        ok = high is not None and last is not None and 1 <= high <= last
        report.expect(ok, f"{ns}: history ends within the log", f"newest archived change {high}, last {last}")


def user_columns(table):
    """The row's own columns: what does not begin with an underscore, and `_rowid` never is one."""
    return [f.name for f in table.schema().fields if not f.name.startswith("_")]


def columns_of(connection, name):
    """Stored columns (name → declared type), and the column that is the rowid, if one is."""
    rows = connection.execute(f"PRAGMA main.table_xinfo({literal(name)})").fetchall()
    stored = {row[1]: row[2] for row in rows if row[6] in (0, 3)}
    keys = [row for row in rows if row[5]]
    alias = keys[0][1] if len(keys) == 1 and keys[0][2].upper() == "INTEGER" else None
    return stored, alias


def to_arrow_array(values, arrow_type, declared, what):
    """SQLite's cells as the type that history gives the column."""
    kind = column_class(arrow_type)
    try:
        if kind == "boolean":
            values = [None if v is None else {0: False, 1: True}[v] for v in values]
        elif kind == "time" and pa.types.is_timestamp(arrow_type):
            factor = 1_000 if declared.upper() == "TIMESTAMP_MS" else 1_000_000
            values = [None if v is None else v * factor for v in values]
            return pa.array(values, pa.int64()).cast(pa.timestamp("us", arrow_type.tz)).cast(arrow_type)
        elif kind == "real":
            values = [None if v is None else float(v) for v in values]
        return pa.array(values, arrow_type)
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise Missing(f"{what}: a cell does not fit {arrow_type}: {error}") from error


def hot_rows(inst, connection, ns, name, columns, schema):
    stored, alias = columns_of(connection, name)
    lacking = [c for c in columns if c not in stored]
    if lacking:
        raise Missing(f"{ns}: the table {name} of the hot file lacks {', '.join(lacking)}, which history has")
    rows = connection.execute(f"SELECT {', '.join(ident(c) for c in columns)} FROM main.{ident(name)}").fetchall()
    by_column = zip(*rows, strict=True) if rows else [[] for _ in columns]
    arrays = [
        to_arrow_array(list(values), schema.field(c).type, stored[c], f"{ns}: {name}.{c}") for c, values in zip(columns, by_column, strict=True)
    ]
    return pa.table(arrays, names=columns), stored, alias


def cold_files(inst, connection, ns):
    """(table name, table id or None, path) of each evicted file that the hot file lists."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if "_rs_cold_file" not in names:
        return []
    cursor = connection.execute("SELECT * FROM _rs_cold_file")
    header = [d[0] for d in cursor.description]
    if "path" not in header:
        raise Missing(f"{ns}: _rs_cold_file has no column path, it has {', '.join(header)}")
    files = []
    for row in cursor.fetchall():
        row = dict(zip(header, row, strict=True))
        found = re.search(r"(?:^|/)rows/([^/]+)/", row["path"])
        if not found:
            raise Missing(f"{ns}: an evicted file's path has no rows/<table>/: {row['path']}")
        path = inst.bucket / row["path"]
        if not path.is_file():
            raise Missing(f"{ns}: the hot file lists an evicted file that is not there: {path}")
        files.append((namespace_of(found.group(1)), row.get("table_id"), path))
    return files


def reloaded_rows(connection):
    """table id → rowids of evicted rows that came back, whose cold copy counts no more."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = '_rs_reloaded'").fetchone():
        return {}
    reloaded = {}
    for table_id, row in connection.execute('SELECT table_id, "row" FROM _rs_reloaded'):
        reloaded.setdefault(table_id, []).append(row)
    return reloaded


def evicted_rows(inst, connection, ns, name, columns, schema, stored, alias):
    """The rows of `name` that lie in Parquet and were not reloaded, and how many reloaded ones were left out."""
    tables, left_out = [], 0
    reloaded = reloaded_rows(connection)
    for file_table, table_id, path in cold_files(inst, connection, ns):
        if file_table.lower() != name.lower():
            continue
        # partitioning=None: `dt=…` in the path is where the file lies, no column of it.
        table = pq.read_table(path, partitioning=None)
        gone = reloaded.get(table_id, []) if table_id is not None else [row for rows in reloaded.values() for row in rows]
        if gone:
            rowid = next((n for n in [*ROWID_NAMES, alias] if n in table.column_names), None)
            if rowid is None:
                raise Missing(f"{ns}: rows of {name} were reloaded, but {path} has no rowid column ({', '.join(ROWID_NAMES)})")
            keep = pc.invert(pc.is_in(table.column(rowid), pa.array(gone, table.schema.field(rowid).type)))
            before, table = len(table), table.filter(keep)
            left_out += before - len(table)
        lacking = [c for c in columns if c not in table.column_names]
        for column in lacking:
            # The file is older than the column.
            table = table.append_column(column, pa.nulls(len(table), schema.field(column).type))
        arrays = []
        for column in columns:
            array, wanted = table.column(column).combine_chunks(), schema.field(column).type
            if array.type != wanted and column_class(array.type) == "integer" and column_class(wanted) in ("time", "boolean"):
                array = to_arrow_array(array.to_pylist(), wanted, stored.get(column, ""), f"{path}: {column}")
            arrays.append(array.cast(wanted))
        tables.append(pa.table(arrays, names=columns))
    return tables, left_out


def check_stores(report, inst, name, table):
    columns = user_columns(table)
    schema = inst.db.execute(f"SELECT * FROM {ident('py_' + name)} LIMIT 0").to_arrow_table().schema
    schema = pa.schema([schema.field(c) for c in columns])
    for ns in inst.stores:
        what = f"{ns} {name}"
        if ns not in inst.hot:
            report.expect(False, what, f"the store has no hot file under {inst.dir}/hot")
            continue
        connection = inst.hot_connection(ns)
        hot_name = table.properties.get("relstore.table", name)
        found = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND lower(name) = lower(?)", [hot_name]).fetchone()
        folded = f"(SELECT * FROM {ident('current_' + name)} WHERE _ns = {literal(ns)})"
        folded_rows = inst.db.execute(f"SELECT count(*) FROM {folded}").fetchone()[0]
        if not found:
            report.same(f"{what}: rows (the store has no such table)", "history", folded_rows, "store", 0)
            continue
        hot, stored, alias = hot_rows(inst, connection, ns, found[0], columns, schema)
        evicted, left_out = evicted_rows(inst, connection, ns, found[0], columns, schema, stored, alias)
        connection.close()
        own = pa.concat_tables([hot, *evicted])
        inst.db.register("own", own)
        report.note(f"{what}: {len(hot)} hot, {len(own) - len(hot)} evicted in {len(evicted)} files, {left_out} reloaded")
        report.same(f"{what}: rows", "history", folded_rows, "store", len(own))
        from_history = profile_duckdb(inst.db, folded, schema)
        from_store = profile_arrow(own)
        wrong = [c for c in columns if not equal(from_history[c], from_store[c])]
        for column in wrong:
            report.same(f"{what}.{column}", "history", from_history[column], "store", from_store[column])
        if not wrong:
            report.expect(True, f"{what}: {len(columns)} columns' counts, sums and bounds")
        compare_rows(report, inst.db, what, "history", folded, "the store", "own", columns)
        inst.db.unregister("own")


def check_evicted(report, inst):
    """Evicted rows that the demo counts are as many as the files hold."""
    said = inst.demo.get("evicted_rows")
    if said is None:
        return
    rows = 0
    for ns in inst.stores:
        if ns in inst.hot:
            connection = inst.hot_connection(ns)
            rows += sum(pq.read_metadata(path).num_rows for _, _, path in cold_files(inst, connection, ns))
            connection.close()
    report.same("evicted rows in Parquet as the demo says", "demo", said, "files", rows)


# (c) the view.

VIEW_COLUMNS = ["_ns", "dt", "carrier", "airline", "flights", "cancelled", "dep_delay_avg"]


def view_files(inst, view):
    folder = inst.bucket / "views" / view["name"]
    listed = view.get("files")
    if isinstance(listed, list) and listed:
        files = []
        for name in listed:
            places = [inst.bucket, inst.dir, inst.bucket / "views", folder]
            found = next((p for p in (local_path(name, place) for place in places) if p.is_file()), None)
            if found is None:
                raise Missing(f"the demo names a file of the view that is not there: {name} (looked in {', '.join(map(str, places))})")
            files.append(found)
        return sorted(files)
    files = sorted(folder.glob("dt=*/*.parquet"))
    if not files:
        raise Missing(f"the view has no files: {folder}/dt=*/*.parquet")
    return files


def partition_of(path):
    found = re.fullmatch(r"dt=(.+)", path.parent.name)
    if not found:
        raise Missing(f"a file of the view does not lie in dt=<date>/: {path}")
    return urllib.parse.unquote(found.group(1))


def read_view(files):
    tables = []
    for path in files:
        table, partition = pq.read_table(path, partitioning=None), partition_of(path)
        if "dt" not in table.column_names:
            table = table.append_column("dt", pa.array([partition] * len(table), pa.string()))
        elif set(table.column("dt").to_pylist()) - {partition}:
            raise Missing(f"{path} holds rows of another day than its folder says")
        lacking = [c for c in VIEW_COLUMNS if c not in table.column_names]
        if lacking:
            raise Missing(f"{path} lacks {', '.join(lacking)}, it has {', '.join(table.column_names)}")
        table = table.select(VIEW_COLUMNS)
        types = [pa.string()] * 4 + [pa.int64()] * 2 + [pa.float64()]
        tables.append(table.cast(pa.schema(list(zip(VIEW_COLUMNS, types, strict=True)))))
    return pa.concat_tables(tables)


def day_of_flight(inst):
    columns = [f[0] for f in inst.db.execute("DESCRIBE current_flights").fetchall()]
    if {"year", "month", "day"} <= set(columns):
        return "printf('%04d-%02d-%02d', f.year, f.month, f.day)"
    for column in ("dt", "date", "flight_date"):
        if column in columns:
            return f"left(CAST(f.{column} AS VARCHAR), 10)"
    raise Missing(f"the flights have no day: neither year, month, day nor dt, date, flight_date in {', '.join(columns)}")


def check_view(report, inst):
    view = inst.demo.get("view")
    if not report.expect(isinstance(view, dict) and "name" in view, "the demo names its view"):
        return
    what = f"view {view['name']}"
    files = view_files(inst, view)
    arrow = read_view(files)
    if "rows" in view:
        report.same(f"{what} rows as the demo says", "demo", view["rows"], "pyarrow", len(arrow))
    if "partitions" in view:
        report.same(f"{what} partitions", "demo", view["partitions"], "folders", len({partition_of(p) for p in files}))
    paths = ", ".join(literal(p) for p in files)
    scan = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = true, hive_types = {{'dt': VARCHAR}})"
    rows = inst.db.execute(f"SELECT count(*) FROM {scan}").fetchone()[0]
    report.same(f"{what} rows", "pyarrow", len(arrow), "DuckDB", rows)
    compare_profiles(report, what, "pyarrow", profile_arrow(arrow), "DuckDB", profile_duckdb(inst.db, scan, arrow.schema))
    for needed in ("flights", "airlines"):
        if needed not in inst.tables:
            raise Missing(f"the view's aggregate needs the history table {needed}; there are {', '.join(inst.tables)}")
    inst.db.register("the_view", arrow)
    inst.db.execute(f"""
        CREATE OR REPLACE TEMP TABLE aggregate AS
        SELECT f._ns AS _ns, {day_of_flight(inst)} AS dt, f.carrier AS carrier, a.name AS airline, count(*) AS flights,
            count(*) FILTER (f.dep_time IS NULL) AS cancelled, avg(f.dep_delay::DOUBLE) AS dep_delay_avg
        FROM current_flights f JOIN current_airlines a ON a._ns = f._ns AND a.carrier = f.carrier
        GROUP BY ALL""")
    expected = inst.db.execute("SELECT count(*), sum(flights)::BIGINT, sum(cancelled)::BIGINT FROM aggregate").fetchone()
    found = inst.db.execute("SELECT count(*), sum(flights)::BIGINT, sum(cancelled)::BIGINT FROM the_view").fetchone()
    for label, a, b in zip(("groups", "flights", "cancelled"), expected, found, strict=True):
        report.same(f"{what}: {label} against the folded history", "history", a, "view", b)
    keys = ", ".join(VIEW_COLUMNS[:4])
    joined = f"FROM aggregate e FULL JOIN the_view v USING ({keys})"
    unmatched = inst.db.execute(f"SELECT count(*) {joined} WHERE e.flights IS NULL OR v.flights IS NULL").fetchone()[0]
    report.expect(unmatched == 0, f"{what}: every group in both", f"{unmatched} in one alone")
    both = f"FROM aggregate e JOIN the_view v USING ({keys})"
    wrong = inst.db.execute(f"SELECT count(*) {both} WHERE e.flights <> v.flights OR e.cancelled <> v.cancelled").fetchone()[0]
    report.expect(wrong == 0, f"{what}: every group's counts", f"{wrong} differ")
    averages = inst.db.execute(f"SELECT e.dep_delay_avg, v.dep_delay_avg {both}").fetchall()
    wrong = sum(not (a is b is None or equal(a, b)) for a, b in averages)
    report.expect(wrong == 0, f"{what}: every group's average", f"{wrong} of {len(averages)} differ")
    inst.db.unregister("the_view")


def check_demo_says_so(report, demo):
    """What the demo checked for itself must have gone well."""
    if "answers_equal_after_eviction" in demo:
        report.same("answers equal after eviction, as the demo says", "demo", demo["answers_equal_after_eviction"], "expected", True)


def guarded(report, what, step):
    try:
        return step()
    except Missing as missing:
        report.expect(False, what, str(missing))
    except Exception as error:  # A reader's own refusal is a finding, and the other comparisons still run.
        report.expect(False, what, f"{type(error).__name__}: {error}")
    return None


def check_all(report, directory, demo):
    inst = guarded(report, "the installation opens", lambda: Installation(directory, demo))
    if inst is None:
        return
    for ns in sorted(set(inst.hot) - set(inst.stores)):
        report.note(f"the store {ns} is not among the demo's and is not compared")
    tables = {}
    for name in inst.tables:
        tables[name] = guarded(report, f"{NAMESPACE}.{name} is read", lambda name=name: check_history(report, inst, name))
    for name in sorted(set(demo.get("iceberg", {}).get("tables", {})) - set(inst.tables)):
        report.expect(False, f"{NAMESPACE}.{name}", "the demo names it, the catalog does not")
    guarded(report, "positions", lambda: check_positions(report, inst))
    for name, table in tables.items():
        # `_schema` is the history of shapes: no store has a table of it.
        if table is not None and name != "_schema":
            guarded(report, f"{name} is folded", lambda: fold(report, inst, name, table))
            guarded(report, f"the stores' {name}", lambda: check_stores(report, inst, name, table))
    guarded(report, "evicted rows", lambda: check_evicted(report, inst))
    guarded(report, "the view", lambda: check_view(report, inst))
    check_demo_says_so(report, demo)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", help="the installation")
    parser.add_argument("--demo", help="the JSON document of `relstore demo --json`")
    parser.add_argument("--self-test", action="store_true", help="check the checks on a made installation")
    args = parser.parse_args()
    report = Report()
    if args.self_test:
        import self_test

        self_test.run(report, sys.modules["__main__"])
    elif args.dir and args.demo:
        demo = json.loads(pathlib.Path(args.demo).read_text())
        check_all(report, args.dir, demo)
    else:
        parser.error("--dir and --demo, or --self-test")
    print(f"{report.passed} passed, {len(report.failed)} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
