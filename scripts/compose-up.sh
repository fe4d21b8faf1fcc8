#!/usr/bin/env bash
# Starts the fleet in containers and waits until all of it is healthy. The first run writes `.env`;
# later ones add what a new version needs. In production the secrets move into files. Ends with the address, the keys and lines to try.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

require_engine
scripts/generate-env.sh --complete
if [[ $(setting COMPOSE_FILE '') == *docker-compose.prod.yml* ]]; then
    scripts/compose-secrets.sh "$(setting SECRETS_DIR .secrets)"
fi
scripts/resolve-ports.sh

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "starting; the first time, images are built or pulled, which takes a while"
compose up --detach --remove-orphans >"$log" 2>&1 &
if ! await "${HEALTHY_WITHIN:-900}" $!; then
    echo "--- last lines of Compose" >&2
    tail -30 "$log" >&2
    exit 1
fi

url=http://localhost:$(setting GATEWAY_PORT 8000)
key=$(setting ANON_KEY '')
inbox=$(docker port "$(container email)" 3030 2>/dev/null | head -1 || true)
mail='sent for real'
if [[ -n $inbox && -z $(setting EMAIL_SMTP_URL "$(setting GOTRUE_SMTP_HOST '')") ]]; then
    mail="caught, read it at http://localhost:${inbox##*:}/inbox"
fi
cat <<EOF

gateway      $url
anon key     $key
service key  $(setting SERVICE_ROLE_KEY '')
             (bypasses row-level security: servers only)
mail         $mail

Try it: sign up, write a post, read it back.

KEY=$key
TOKEN=\$(curl -s $url/auth/v1/signup -H "apikey: \$KEY" -H 'Content-Type: application/json' -d "{\"email\":\"ada\$RANDOM@example.com\",\"password\":\"correct horse\"}" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s $url/rest/v1/posts -H "apikey: \$KEY" -H "Authorization: Bearer \$TOKEN" -H 'Content-Type: application/json' -H 'Prefer: return=representation' -d '{"title":"Hello","body":"My first post"}'
curl -s "$url/rest/v1/posts?select=title,body,created_at" -H "apikey: \$KEY" -H "Authorization: Bearer \$TOKEN"

make logs SERVICE=auth, make ps, make down.
EOF
