#!/usr/bin/env bash
# End-to-end run: starts the whole stack on private data and a free port and drives it with the
# unmodified client libraries. Usage: e2e.sh path/to/ferrobase
set -euo pipefail
ferrobase=$(realpath "${1:?usage: e2e.sh path/to/ferrobase}")
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

(cd tests/e2e && npm ci --silent --no-audit --no-fund)
start_stack "$ferrobase" e2e
(cd tests/e2e && npm test --silent)
