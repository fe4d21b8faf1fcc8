#!/usr/bin/env bash
# Password logins against the hash they are made of, and refresh grants, on a PostgreSQL and a service
# of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo bench --quiet --locked -p auth --bench logins
