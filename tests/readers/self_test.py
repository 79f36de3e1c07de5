"""A small installation in the layout that check.py reads, and the ways it can be wrong: each must fail, and fail by its own comparison."""

import json
import pathlib
import shutil
import sqlite3
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO

SCHEMA_FLIGHTS = """CREATE TABLE flights (id INTEGER PRIMARY KEY, year INTEGER NOT NULL, month INTEGER, day INTEGER, carrier TEXT,
    dep_time INTEGER, dep_delay REAL, seen TIMESTAMP, late BOOLEAN)"""
FLIGHT_COLUMNS = ["id", "year", "month", "day", "carrier", "dep_time", "dep_delay", "seen", "late"]
STORES = {"EWR": "EWR~7", "jfk b": "jfk%20b"}
META = [("_ns", pa.string()), ("_lsn", pa.int64()), ("_op", pa.string()), ("_ts", pa.timestamp("us", "UTC")), ("_changed", pa.list_(pa.int32()))]
EVICTED = 40
RELOADED = 3


def flight(i):
    cancelled = i % 7 == 0
    return [i, 2013, 1, 1 + i % 5, ["UA", "AA"][i % 2], None if cancelled else 500 + i, None if cancelled else i / 10, 1_357_000_000 + i, i % 3 == 0]


def history_rows():
    """Rows of history, and per store the rows as they are in the end. Some are updated, some deleted."""
    flights, airlines, state, last_lsn = [], [], {}, {}
    for ns in STORES:
        lsn = 1
        current = {}
        for carrier, name in [("UA", "United"), ("AA", "American")]:
            airlines.append([ns, lsn, "c", lsn, None, carrier, name])
            lsn += 1
        for i in range(1, 101):
            current[i] = flight(i)
            flights.append([ns, lsn, "c", lsn, None, *current[i]])
            lsn += 1
        for i in range(1, 101, 9):
            current[i] = [*current[i][:6], 99.5, *current[i][7:]]
            flights.append([ns, lsn, "u", lsn, [107], *current[i]])
            lsn += 1
        for i in range(5, 101, 20):
            flights.append([ns, lsn, "d", lsn, None, *current.pop(i)])
            lsn += 1
        state[ns], last_lsn[ns] = current, lsn - 1
    return flights, airlines, state, last_lsn


def arrow_of(rows, columns):
    arrays = []
    for (_, kind), values in zip(columns, zip(*rows, strict=True), strict=True):
        seconds = pa.types.is_timestamp(kind) and max(v for v in values) > 1_000_000
        arrays.append(pa.array([v * 1_000_000 for v in values] if seconds else values, kind))
    return pa.table(arrays, names=[name for name, _ in columns])


def flight_types():
    kinds = [pa.int64()] * 4 + [pa.string(), pa.int64(), pa.float64(), pa.timestamp("us", "UTC"), pa.bool_()]
    return list(zip(FLIGHT_COLUMNS, kinds, strict=True))


def make(folder):
    """Writes the installation into `folder` and returns the demo's document."""
    flights, airlines, state, last_lsn = history_rows()
    catalog = SqlCatalog("relstore", uri=f"sqlite:///{folder}/catalog.db", **{"py-io-impl": f"{PyArrowFileIO.__module__}.PyArrowFileIO"})
    catalog.create_namespace("history")
    tables = {}
    sources = {
        "flights": (arrow_of(flights, META + flight_types()), "id"),
        "airlines": (arrow_of(airlines, META + [("carrier", pa.string()), ("name", pa.string())]), "carrier"),
    }
    for name, (arrow, key) in sources.items():
        location = f"file://{folder}/bucket/lake/{name}"
        table = catalog.create_table(f"history.{name}", schema=arrow.schema, location=location, properties={"relstore.primary-key": key})
        table.append(arrow.slice(0, len(arrow) // 2))
        older = table.metadata_location
        table.append(arrow.slice(len(arrow) // 2))
        tables[name] = {"rows": len(arrow), "snapshots": 2, "metadata": table.metadata_location, "older": older}
    for ns, folder_name in STORES.items():
        make_store(folder, ns, folder_name, list(state[ns].values()))
    files = make_view(folder, state)
    demo = {
        "stores": len(STORES),
        "last_lsn": last_lsn,
        "iceberg": {"catalog": "catalog.db", "tables": tables},
        "view": {"name": "daily", "partitions": 5, "rows": sum(pq.read_metadata(folder / f).num_rows for f in files), "files": files},
        "evicted_rows": EVICTED * len(STORES),
        "answers_equal_after_eviction": True,
    }
    return demo


def make_store(folder, ns, folder_name, rows):
    hot = folder / "hot" / folder_name
    hot.mkdir(parents=True)
    db = sqlite3.connect(hot / "store.db")
    db.executescript(f"PRAGMA journal_mode = WAL; {SCHEMA_FLIGHTS}; CREATE TABLE airlines (carrier TEXT PRIMARY KEY, name TEXT);")
    db.execute("CREATE TABLE _rs_cold_file (table_id INTEGER, path TEXT)")
    db.execute('CREATE TABLE _rs_reloaded (table_id INTEGER, "row" INTEGER, PRIMARY KEY (table_id, "row"))')
    db.executemany("INSERT INTO airlines VALUES (?, ?)", [("UA", "United"), ("AA", "American")])
    evicted, hot_rows = rows[:EVICTED], rows[EVICTED - RELOADED :]
    marks = ", ".join("?" * len(FLIGHT_COLUMNS))
    db.executemany(f"INSERT INTO flights VALUES ({marks})", hot_rows)
    db.executemany("INSERT INTO _rs_reloaded VALUES (1, ?)", [(row[0],) for row in evicted[-RELOADED:]])
    path = f"stores/{folder_name}/rows/flights/dt=2013-01-01/a.parquet"
    table = arrow_of(evicted, flight_types()).append_column("_rowid", pa.array([row[0] for row in evicted], pa.int64()))
    (folder / "bucket" / path).parent.mkdir(parents=True)
    pq.write_table(table, folder / "bucket" / path)
    db.execute("INSERT INTO _rs_cold_file VALUES (1, ?)", [path])
    db.commit()
    db.close()


def make_view(folder, state):
    groups = {}
    for ns, rows in state.items():
        for row in rows.values():
            groups.setdefault((f"2013-01-{row[3]:02}", ns, row[4]), []).append(row)
    days = {}
    for (day, ns, carrier), rows in sorted(groups.items()):
        delays = [row[6] for row in rows if row[6] is not None]
        average = sum(delays) / len(delays) if delays else None
        airline = {"UA": "United", "AA": "American"}[carrier]
        days.setdefault(day, []).append([ns, day, carrier, airline, len(rows), sum(row[5] is None for row in rows), average])
    kinds = [pa.string()] * 4 + [pa.int64()] * 2 + [pa.float64()]
    names = ["_ns", "dt", "carrier", "airline", "flights", "cancelled", "dep_delay_avg"]
    files = []
    for day, rows in days.items():
        path = f"bucket/views/daily/dt={day}/0.parquet"
        (folder / path).parent.mkdir(parents=True)
        pq.write_table(arrow_of(rows, list(zip(names, kinds, strict=True))), folder / path)
        files.append(path)
    return files


# The ways to be wrong: each gets the folder and the demo's document, and breaks one thing.


def sql(statement):
    def apply(folder, _demo):
        db = sqlite3.connect(folder / "hot" / "EWR~7" / "store.db")
        assert db.execute(statement).rowcount != 0, statement
        db.commit()
        db.close()

    return apply


def rewrite(pattern, change):
    def apply(folder, _demo):
        path = sorted((folder / "bucket").glob(pattern))[0]
        rows = pq.read_table(path, partitioning=None)
        values = rows.to_pylist()
        change(values)
        pq.write_table(pa.Table.from_pylist(values, schema=rows.schema), path)

    return apply


def set_cell(column, change):
    def apply(rows):
        row = next(row for row in rows if row[column] is not None)
        row[column] = change(row[column])

    return apply


def in_demo(change):
    return lambda _folder, demo: change(demo)


def append_to_history(pick):
    def apply(folder, demo):
        table = SqlCatalog("relstore", uri=f"sqlite:///{folder}/catalog.db").load_table("history.flights")
        rows = table.scan().to_arrow()
        table.append(pick(rows))
        said = demo["iceberg"]["tables"]["flights"]
        said.update(rows=said["rows"] + 1, snapshots=said["snapshots"] + 1, metadata=table.metadata_location)

    return apply


def an_older_metadata(demo):
    said = demo["iceberg"]["tables"]["flights"]
    said["metadata"] = said["older"]


def one_row(**cells):
    def pick(rows):
        values = rows.slice(0, 1).to_pylist()
        values[0].update(cells)
        return pa.Table.from_pylist(values, schema=rows.schema)

    return pick


WRONG = [
    ("a hot cell differs by the last digits", sql("UPDATE flights SET dep_delay = dep_delay + 1e-6 WHERE id = 90"), "EWR flights"),
    ("a hot time differs by a second", sql("UPDATE flights SET seen = seen + 1 WHERE id = 90"), "EWR flights"),
    ("a hot row is missing", sql("DELETE FROM flights WHERE id = 90"), "EWR flights: rows"),
    ("a hot row is too many", sql("INSERT INTO airlines VALUES ('ZZ', 'Nobody')"), "EWR airlines"),
    ("two hot cells are exchanged, so that every sum agrees",
     sql("UPDATE flights SET dep_time = (SELECT sum(dep_time) FROM flights WHERE id IN (93, 94)) - dep_time WHERE id IN (93, 94)"),
     "EWR flights: rows of history not in"),
    ("a cell is of another class", sql("UPDATE flights SET dep_time = 'soon' WHERE id = 90"), "the stores' flights"),
    ("a reloaded row is still counted cold", sql("DELETE FROM _rs_reloaded WHERE \"row\" = (SELECT max(\"row\") FROM _rs_reloaded)"), "EWR flights: rows"),
    ("an evicted file is not listed", sql("DELETE FROM _rs_cold_file"), "EWR flights: rows"),
    ("an evicted file is gone", sql("UPDATE _rs_cold_file SET path = path || 'x'"), "the stores' flights"),
    ("an evicted cell differs", rewrite("stores/EWR~7/rows/flights/*/*.parquet", set_cell("dep_delay", lambda v: v + 1)), "EWR flights"),
    ("an evicted row is missing", rewrite("stores/EWR~7/rows/flights/*/*.parquet", lambda rows: rows.pop(0)), "EWR flights: rows"),
    ("an average of the view differs", rewrite("views/daily/*/*.parquet", set_cell("dep_delay_avg", lambda v: v * (1 + 1e-7))), "view daily: every group's average"),
    ("a count of the view differs", rewrite("views/daily/*/*.parquet", set_cell("cancelled", lambda v: v + 1)), "view daily: every group's counts"),
    ("a name in the view differs", rewrite("views/daily/*/*.parquet", set_cell("airline", lambda v: v + "!")), "view daily: every group in both"),
    ("a group of the view is missing", rewrite("views/daily/*/*.parquet", lambda rows: rows.pop(0)), "view daily: groups"),
    ("a file of the view is gone", in_demo(lambda demo: demo["view"]["files"].append("bucket/views/daily/dt=2013-01-09/0.parquet")), "the view"),
    ("the demo says another row count", in_demo(lambda demo: demo["iceberg"]["tables"]["flights"].update(rows=1)), "history.flights rows as the demo says"),
    ("the demo names an older metadata, so that the readers differ", in_demo(an_older_metadata), "history.flights rows"),
    ("the demo says another number of evicted rows", in_demo(lambda demo: demo.update(evicted_rows=1)), "evicted rows in Parquet"),
    ("the demo names a table that is not there", in_demo(lambda demo: demo["iceberg"]["tables"].update(ghosts={})), "history.ghosts"),
    ("history runs ahead of the log", in_demo(lambda demo: demo["last_lsn"].update(EWR=5)), "EWR: history ends within the log"),
    ("the answers changed", in_demo(lambda demo: demo.update(answers_equal_after_eviction=False)), "answers equal"),
    ("history holds a change twice", append_to_history(lambda rows: rows.slice(3, 1)), "history.flights: no change of a key twice"),
    ("history deletes a row that the store has", append_to_history(one_row(_lsn=119, _op="d", id=90, _ns="EWR")), "EWR flights: rows"),
    ("history updates a row, the store did not", append_to_history(one_row(_lsn=119, _op="u", id=90, _ns="EWR")), "EWR flights"),
]


def run(report, check):
    """`check` is the module check.py. Adds one comparison for the sound installation and one for each way to be wrong."""
    with tempfile.TemporaryDirectory() as temporary:
        # Iceberg keeps absolute paths, so each broken copy takes the sound one's place.
        folder = pathlib.Path(temporary) / "installation"
        sound = pathlib.Path(temporary) / "sound"
        folder.mkdir()
        demo = make(folder)
        shutil.copytree(folder, sound)
        first = check.Report()
        check.check_all(first, folder, demo)
        report.expect(not first.failed and first.passed > 40, "a sound installation passes", f"{first.passed} comparisons")
        for what, break_it, expected in WRONG:
            shutil.rmtree(folder)
            shutil.copytree(sound, folder)
            broken = json.loads(json.dumps(demo))
            break_it(folder, broken)
            second = check.Report(quiet=True)
            check.check_all(second, folder, broken)
            found = any(failure.startswith(expected) for failure in second.failed)
            report.expect(found, f"it fails when {what}", "; ".join(second.failed[:3]) or "nothing failed")
