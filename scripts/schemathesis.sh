#!/usr/bin/env bash
# Property-based run over a service's contract: no 5xx, no undocumented status, no unexpected body.
# Over the document a service makes of a database: no 5xx.
#
# Usage: schemathesis.sh SERVICE URL [HEADER…]
#   SERVICE   a name in contracts/, or the address of a document
#   URL       where the service answers, such as http://127.0.0.1:3010
#   HEADER    sent with every request, such as "Authorization: Bearer …"
# SCHEMATHESIS_EXAMPLES bounds the requests per operation and phase (default 50).
set -euo pipefail
service=${1:?usage: schemathesis.sh SERVICE URL [HEADER…]}
url=${2:?usage: schemathesis.sh SERVICE URL [HEADER…]}
shift 2
if [[ $service == *://* ]]; then
    contract=$service
    checks=not_a_server_error
else
    contract=$(realpath "$(dirname "$0")/../contracts/$service.json")
    checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,ignored_auth
fi

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
    --checks "$checks" \
    --max-examples "${SCHEMATHESIS_EXAMPLES:-50}" --continue-on-failure --no-color
