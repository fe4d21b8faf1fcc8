#!/usr/bin/env bash
# Writes `.env` from `.env.example` with fresh random secrets. Never touches an existing `.env`,
# except with --complete: then variables that it lacks are added at its end. A variable NAME that is
# given as NAME_FILE is not lacking. Usage: generate-env.sh [--complete] [FILE]
#
# A variable under a comment marked [generated] gets 48 random letters and digits; one marked
# [generated: jwt ROLE] a token for that role, valid for ten years, signed with JWT_SECRET.
# Needs openssl.
set -euo pipefail
cd "$(dirname "$0")/.."

complete=false
if [[ ${1:-} == --complete ]]; then
    complete=true
    shift
fi
target=${1:-.env}
if [[ -e $target && $complete == false ]]; then
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
# The keys that are added to an existing file must fit its secret.
known_secret=''
if [[ -e $target ]]; then
    known_secret=$(sed -n 's/^JWT_SECRET=//p' "$target")
    secret_file=$(sed -n 's/^JWT_SECRET_FILE=//p' "$target")
    [[ -z $secret_file ]] || known_secret=$(<"$secret_file")
fi
marker='' jwt_secret=''
while IFS= read -r line; do
    case $line in
        '#'*'[generated'*) marker=${line##*\[generated} marker=${marker%%\]*} ;;
        [A-Z]*=)
            case $marker in
                ': jwt '*) line+=$(sign_token "${marker#: jwt }" "$jwt_secret") ;;
                '') line+=$(random_secret) ;;
            esac
            [[ $line == JWT_SECRET=* ]] && jwt_secret=${known_secret:-${line#*=}}
            marker=none
            ;;
    esac
    printf '%s\n' "$line"
done <.env.example >"$draft"
if [[ -e $target ]]; then
    # Otherwise the first variable would become part of a last line that does not end.
    [[ -z $(tail -c 1 "$target") ]] || echo >>"$target"
    while IFS= read -r line; do
        name=${line%%=*}
        if [[ $line == [A-Z]*=* ]] && ! grep -qE "^${name}(_FILE)?=" "$target"; then
            printf '%s\n' "$line" >>"$target"
            echo "added $name to $target"
        fi
    done <"$draft"
    exit 0
fi
mv "$draft" "$target"
trap - EXIT
echo "wrote $target with fresh secrets (mode 600)"
