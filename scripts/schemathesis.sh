#!/usr/bin/env bash
# Property-based run over a service's contract: no 5xx, no undocumented status, no unexpected body.
#
# Usage: schemathesis.sh SERVICE URL [HEADER…]
#   SERVICE   a name in contracts/
#   URL       where the service answers, such as http://127.0.0.1:3010
#   HEADER    sent with every request, such as "Authorization: Bearer …"
# SCHEMATHESIS_EXAMPLES bounds the requests per operation and phase (default 50).
set -euo pipefail
service=${1:?usage: schemathesis.sh SERVICE URL [HEADER…]}
url=${2:?usage: schemathesis.sh SERVICE URL [HEADER…]}
shift 2
contract=$(realpath "$(dirname "$0")/../contracts/$service.json")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'schemathesis==4.32.5'

headers=()
for header in "$@"; do
    headers+=(--header "$header")
done
venv/bin/st run "$contract" --url "$url" "${headers[@]}" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,ignored_auth \
    --max-examples "${SCHEMATHESIS_EXAMPLES:-50}" --continue-on-failure --no-color
