#!/usr/bin/env bash
# Everything that must hold, from a fresh clone with Rust, a C compiler, python3, node and npm. Ends with "N passed, N failed" over the steps.
#
#   RELSTORE_FAST=1      leaves out clippy and the documentation
#   CARGO_TARGET_DIR     where cargo builds, as everywhere
#   RELSTORE_CACHE       where the readers' Python environment is kept (default: .venv at the top of the clone)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0
failed=0
skipped=()

# step HEADING COMMAND…: runs the command; a failure is counted, and the next step still runs.
step() {
  local heading=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$heading"
  if "$@"; then
    passed=$((passed + 1))
    printf -- '-- %s: passed in %d s\n' "$heading" $((SECONDS - started))
  else
    failed=$((failed + 1))
    printf -- '-- %s: FAILED after %d s\n' "$heading" $((SECONDS - started))
  fi
}

skip() {
  skipped+=("$1: $2")
  printf '\n== %s\n-- skipped: %s\n' "$1" "$2"
}

has_component() {
  cargo "$1" --version >/dev/null 2>&1
}

command -v cargo >/dev/null || {
  echo "tests/all.sh: cargo is not installed: see https://rustup.rs" >&2
  exit 1
}

if has_component fmt; then
  step "format" cargo fmt --all --check
else
  skip "format" "this toolchain has no rustfmt (rustup component add rustfmt)"
fi

# The whole workspace in both, so that features agree and each dependency is compiled once.
step "build" cargo build --release --locked --workspace
step "tests" cargo test --release --locked --workspace --no-fail-fast

if [ -n "${RELSTORE_FAST:-}" ] && [ "$RELSTORE_FAST" != 0 ]; then
  skip "clippy" "RELSTORE_FAST is set"
  skip "documentation" "RELSTORE_FAST is set"
else
  if has_component clippy; then
    step "clippy" cargo clippy --release --locked --workspace --all-targets -- -D warnings
  else
    skip "clippy" "this toolchain has no clippy (rustup component add clippy)"
  fi
  step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps --workspace
fi

step "other readers" tests/readers/run.sh

# The addon that the whole workspace's build has made.
case $(uname -s) in Darwin) addon=librelstore_node.dylib ;; *) addon=librelstore_node.so ;; esac
if command -v npm >/dev/null; then
  step "npm package" env DOTDO_ADDON="${CARGO_TARGET_DIR:-$PWD/target}/release/$addon" \
    RELSTORE="${CARGO_TARGET_DIR:-$PWD/target}/release/relstore" packages/dotdo/test.sh
else
  skip "npm package" "npm is not installed"
fi

printf '\n'
for line in "${skipped[@]+"${skipped[@]}"}"; do
  printf 'skipped: %s\n' "$line"
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
