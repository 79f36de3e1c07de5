#!/usr/bin/env bash
# Holds what we write to readers that are not ours: makes a demo installation and compares what pyiceberg, DuckDB, pyarrow and Python's
# sqlite3 find in it. The Python environment is made once, in $RELSTORE_CACHE, or else .venv at the top of the clone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
# cargo takes a relative CARGO_TARGET_DIR from where it is started, which is the top of the clone.
case $target in /*) ;; *) target=$repo/$target ;; esac
venv=${RELSTORE_CACHE:-$repo/.venv}
python=$venv/bin/python

fail() {
  echo "tests/readers: $*" >&2
  exit 1
}

command -v python3 >/dev/null || fail "python3 is not installed (3.10 or newer is needed)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || fail "python3 is $(python3 -V 2>&1), 3.10 or newer is needed"

# The environment is made again when the requirements changed, or when a making was cut short.
stamp=$venv/relstore-requirements.txt
if ! cmp -s "$here/requirements.txt" "$stamp"; then
  python3 -c 'import venv, ensurepip' 2>/dev/null ||
    fail "python3 has no venv: install it (Debian and Ubuntu: apt-get install python3-venv) and run again"
  python3 -m venv --clear "$venv" || fail "python3 -m venv $venv failed"
  "$python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" ||
    fail "pip could not install $here/requirements.txt (is there a network, or an index in pip's configuration?)"
  cp "$here/requirements.txt" "$stamp"
fi

export PYTHONDONTWRITEBYTECODE=1
"$python" "$here/check.py" --self-test

relstore=$target/release/relstore
[ -x "$relstore" ] || fail "$relstore does not exist: run cargo build --release --workspace first"

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
"$relstore" demo --json --dir "$temporary/demo" >"$temporary/demo.json" || fail "relstore demo failed"
"$python" "$here/check.py" --dir "$temporary/demo" --demo "$temporary/demo.json"
