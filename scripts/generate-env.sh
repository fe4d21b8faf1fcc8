#!/usr/bin/env bash
# Writes `.env` from `.env.example` with fresh random secrets. Never touches an existing `.env`.
#
# A variable under a comment marked [generated] gets 48 random letters and digits; one marked
# [generated: jwt ROLE] a token for that role, valid for ten years, signed with JWT_SECRET.
# Needs openssl.
set -euo pipefail
cd "$(dirname "$0")/.."

target=${1:-.env}
if [[ -e $target ]]; then
    echo "$target exists already; nothing to do"
    exit 0
fi
if ! command -v openssl >/dev/null; then
    echo "generate-env: openssl is missing; install it and run this again" >&2
    exit 1
fi

random_secret() { openssl rand -base64 96 | tr -dc 'A-Za-z0-9' | cut -c1-48; }

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# sign_token ROLE SECRET: a JSON Web Token (HS256) with that role.
sign_token() {
    local now expiry unsigned signature
    now=$(date +%s)
    expiry=$((now + 10 * 365 * 24 * 3600))
    unsigned=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url)
    unsigned+=.$(printf '{"iss":"ferrobase","role":"%s","iat":%d,"exp":%d}' "$1" "$now" "$expiry" | base64url)
    signature=$(printf '%s' "$unsigned" | openssl dgst -sha256 -hmac "$2" -binary | base64url)
    printf '%s.%s' "$unsigned" "$signature"
}

umask 077
draft=$(mktemp "$target.XXXXXX")
trap 'rm -f "$draft"' EXIT
marker='' jwt_secret=''
while IFS= read -r line; do
    case $line in
        '#'*'[generated'*) marker=${line##*\[generated} marker=${marker%%\]*} ;;
        [A-Z]*=)
            case $marker in
                ': jwt '*) line+=$(sign_token "${marker#: jwt }" "$jwt_secret") ;;
                '') line+=$(random_secret) ;;
            esac
            [[ $line == JWT_SECRET=* ]] && jwt_secret=${line#*=}
            marker=none
            ;;
    esac
    printf '%s\n' "$line"
done <.env.example >"$draft"
mv "$draft" "$target"
trap - EXIT
echo "wrote $target with fresh secrets (mode 600)"
