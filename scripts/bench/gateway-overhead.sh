#!/usr/bin/env bash
# The gateway against calling the service behind it directly.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/bench/lib.sh

headers=(-H "apikey: $FERROBASE_ANON_KEY" -H "Authorization: Bearer $FERROBASE_ANON_KEY")
direct=$(http_load "$SQL_REST_URL/posts?select=id&limit=1" "${headers[@]}")
row 'sql-rest, called directly' "$direct"
through=$(http_load "$FERROBASE_URL/rest/v1/posts?select=id&limit=1" "${headers[@]}")
row 'sql-rest, through the gateway' "$through" "$direct"
