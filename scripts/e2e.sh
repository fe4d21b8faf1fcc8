#!/usr/bin/env bash
# End-to-end run: starts the whole stack on private data and a free port and drives it with the
# unmodified client libraries. Usage: e2e.sh path/to/ferrobase
set -euo pipefail
ferrobase=$(realpath "${1:?usage: e2e.sh path/to/ferrobase}")
cd "$(dirname "$0")/.."
# shellcheck source=scripts/stack.sh
. scripts/stack.sh

cd tests/e2e
npm ci --silent --no-audit --no-fund
# Made anew when the pinned versions change.
if ! cmp -s requirements.txt .venv/made-from; then
    rm -rf .venv
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-virtualenv -r requirements.txt
    cp requirements.txt .venv/made-from
fi
cd ../..

export EXPOSED_SCHEMAS=public,archive PGRST_DB_SCHEMAS=public,archive PGRST_DB_PLAN_ENABLED=true
start_stack "$ferrobase" e2e
psql -qX -v ON_ERROR_STOP=1 -f tests/e2e/clients.sql
cd tests/e2e
npm test --silent
.venv/bin/python -m unittest --quiet postgrest_test
cd ../..
stop_stack

# Once more, confirming addresses and with every way to sign in switched on.
export GOTRUE_MAILER_AUTOCONFIRM=false GOTRUE_SMTP_MAX_FREQUENCY=0s
export GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED=true
export GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED=true GOTRUE_MFA_WEB_AUTHN_VERIFY_ENABLED=true
export GOTRUE_EXTERNAL_PHONE_ENABLED=true GOTRUE_SMS_MAX_FREQUENCY=0s
export GOTRUE_MFA_PHONE_ENROLL_ENABLED=true GOTRUE_MFA_PHONE_VERIFY_ENABLED=true
export GOTRUE_SECURITY_MANUAL_LINKING_ENABLED=true
# The operator has a say through functions in the database.
for hook in SEND_SMS/keep_text CUSTOM_ACCESS_TOKEN/add_plan BEFORE_USER_CREATED/refuse_strangers; do
    export "GOTRUE_HOOK_${hook%/*}_ENABLED=true"
    export "GOTRUE_HOOK_${hook%/*}_URI=pg-functions://postgres/public/${hook#*/}"
done
export GOTRUE_PASSKEY_ENABLED=true
GOTRUE_SAML_PRIVATE_KEY=$(openssl genrsa 2048 2>/dev/null |
    openssl rsa -traditional -outform DER 2>/dev/null | base64 -w0)
export GOTRUE_SAML_ENABLED=true GOTRUE_SAML_PRIVATE_KEY
export GOTRUE_OAUTH_SERVER_ENABLED=true GOTRUE_OAUTH_SERVER_ALLOW_DYNAMIC_REGISTRATION=true
export GOTRUE_OAUTH_SERVER_AUTHORIZATION_PATH=/consent
start_stack "$ferrobase" e2e-auth
psql -qX -v ON_ERROR_STOP=1 -f tests/e2e/auth/hooks.sql
cd tests/e2e
npm run --silent test:auth
