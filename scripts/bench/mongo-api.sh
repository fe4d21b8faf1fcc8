#!/usr/bin/env bash
# The document API against the raw MongoDB driver, on a MongoDB and a service of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo bench --quiet --locked -p mongo-api --bench against_driver
