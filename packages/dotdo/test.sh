#!/usr/bin/env bash
# Builds the addon and the package, packs it, and runs its suite beside each version of Drizzle that it supports.
# Needs Rust, a C compiler, node 20 or later and the npm registry. CARGO_TARGET_DIR is honoured.
#
#   packages/dotdo/test.sh [0.30 | 0.45 | 1.0]…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

npm ci --no-audit --no-fund --legacy-peer-deps
node scripts/build-addon.mjs
node scripts/build.mjs
exec node scripts/test.mjs "$@"
