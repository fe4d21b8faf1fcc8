#!/usr/bin/env bash
# Drives the main flows over plain HTTP, as a client would, against a running stack. Needs curl.
#
#   smoke-test.sh [BASE_URL]
#
# The address and the keys come from the arguments, from FERROBASE_URL, FERROBASE_ANON_KEY and
# FERROBASE_SERVICE_ROLE_KEY, or from `.env`. Needs sign-ups that are confirmed without a mail and the
# quick-start tables, which is what `make dev` and `make up` give. Leaves nothing behind. Exits with
# 1 at the first answer that is not as it should be, and shows it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/compose-lib.sh
. scripts/compose-lib.sh

url=${1:-${FERROBASE_URL:-http://localhost:$(setting GATEWAY_PORT 8000)}}
anon_key=${FERROBASE_ANON_KEY:-$(setting ANON_KEY '')}
service_key=${FERROBASE_SERVICE_ROLE_KEY:-$(setting SERVICE_ROLE_KEY '')}
if [[ -z $anon_key || -z $service_key ]]; then
    echo 'smoke-test: no keys: set FERROBASE_ANON_KEY and FERROBASE_SERVICE_ROLE_KEY, or write .env' >&2
    exit 1
fi

work=$(mktemp -d)
checks=0
users=()

fail() {
    printf 'FAILED  %s\n' "$1" >&2
    printf '  the last request was %s and answered %s\n' "$request" "$status" >&2
    sed 's/^/  > /' "$work/head" "$work/body" >&2
    exit 1
}

# call METHOD PATH [curl argument…]: sends a request; sets status, and $work/head and $work/body.
call() {
    request="$1 $2"
    : >"$work/head"
    : >"$work/body"
    status=$(curl --silent --show-error --max-time 15 --globoff --request "$1" --dump-header "$work/head" \
        --output "$work/body" --write-out '%{http_code}' "${@:3}" "$url$2") || fail 'no answer'
}

# The same with the public key, with an access token besides, and with the service key.
with_key() { call "$1" "$2" --header "apikey: $anon_key" "${@:3}"; }
with_token() { with_key "$2" "$3" --header "Authorization: Bearer $1" "${@:4}"; }
as_service() { call "$1" "$2" --header "apikey: $service_key" "${@:3}"; }
# Before the text of a body.
json=(--header 'Content-Type: application/json' --data)

# expect WHAT STATUS [TEXT…]: the answer has this status and holds every text.
expect() {
    local text
    [[ $status == "$2" ]] || fail "$1: expected status $2"
    for text in "${@:3}"; do
        grep -qF -- "$text" "$work/body" || fail "$1: expected $text in the body"
    done
    checks=$((checks + 1))
    printf 'ok      %s\n' "$1"
}

# expect_head WHAT PATTERN: the head of the last answer has a line that matches.
expect_head() {
    tr -d '\r' <"$work/head" | grep -qiE "$2" || fail "$1: expected a header like $2"
    checks=$((checks + 1))
    printf 'ok      %s\n' "$1"
}

# expect_not WHAT TEXT: the body of the last answer does not hold the text.
expect_not() {
    ! grep -qF -- "$2" "$work/body" || fail "$1: did not expect $2 in the body"
    checks=$((checks + 1))
    printf 'ok      %s\n' "$1"
}

# field NAME: the first value of that name in the last body.
field() {
    grep -oE "\"$1\": ?(\"[^\"]*\"|[0-9]+)" "$work/body" | head -1 | sed -E 's/^"[^"]*": ?//; s/"//g' ||
        fail "no field $1 in the body"
}

clean_up() {
    local result=$? user
    set +e
    for user in "${users[@]}"; do
        curl --silent --max-time 15 --output /dev/null --header "apikey: $service_key" \
            --request DELETE "$url/rest/v1/users?id=eq.$user"
        curl --silent --max-time 15 --output /dev/null --header "apikey: $service_key" \
            --request DELETE "$url/auth/v1/admin/users/$user"
    done
    rm -rf "$work"
    exit "$result"
}
request='' status=''
trap clean_up EXIT

# Services that were just replaced have new addresses, which the gateway notices at the first failure.
until_reached() {
    local path _
    for path in /auth/v1/settings '/rest/v1/posts?limit=0' /mongo/v1/ /email/v1/; do
        for _ in $(seq 60); do
            with_key GET "$path"
            [[ $status == 50[234] ]] || break
            sleep 0.25
        done
        [[ $status != 50[234] ]] || fail "the gateway does not reach $path"
    done
}

the_door() {
    until_reached
    call GET /health/live
    expect 'the gateway lives' 200
    call GET /rest/v1/posts
    expect 'no key, no entry' 401 missing_api_key
    call GET /rest/v1/posts --header 'apikey: not-a-key-at-all-0123456789'
    expect 'a wrong key is refused' 401 invalid_api_key
    with_key GET /nowhere/v1/
    expect 'an unknown path is not found' 404 route_not_found
    with_key GET '/rest/v1/posts?limit=1' --header 'X-Request-ID: smoke-test-1'
    expect 'an anonymous reader is let in' 200
    expect_head 'the request id comes back' '^x-request-id: smoke-test-1$'
    expect_head 'browsers are told not to guess types' '^x-content-type-options: nosniff$'
    with_token "${anon_key}x" GET /rest/v1/posts
    expect 'a forged token is refused' 401
    local path
    for path in /auth/v1/metrics /rest/v1/metrics /mongo/v1/metrics /mongo/v1/openapi.json /email/v1/metrics; do
        with_key GET "$path"
        [[ $status == 4* ]] || fail "$path must not be public"
        expect_not "$path is not public" http_requests_total
    done
}

# sign_up NAME: makes a user; sets token and user.
sign_up() {
    local email
    email="smoke-$1-$RANDOM$RANDOM@example.com"
    with_key POST /auth/v1/signup "${json[@]}" "{\"email\":\"$email\",\"password\":\"correct horse battery\"}"
    expect "$1 signs up" 200 access_token refresh_token "$email"
    token=$(field access_token)
    user=$(grep -oE '"user": ?\{"id": ?"[^"]*"' "$work/body" | grep -oE '[0-9a-f-]{36}')
    users+=("$user")
    address=$email
}

accounts() {
    sign_up ada
    local refresh
    ada=$token ada_id=$user ada_address=$address
    with_key POST '/auth/v1/token?grant_type=password' "${json[@]}" "{\"email\":\"$address\",\"password\":\"wrong\"}"
    expect 'a wrong password is refused' 400 invalid_credentials
    with_key POST '/auth/v1/token?grant_type=password' "${json[@]}" "{\"email\":\"$address\",\"password\":\"correct horse battery\"}"
    expect 'ada signs in' 200 access_token
    refresh=$(field refresh_token)
    with_key POST '/auth/v1/token?grant_type=refresh_token' "${json[@]}" "{\"refresh_token\":\"$refresh\"}"
    expect 'the session is refreshed' 200 access_token
    ada=$(field access_token)
    with_token "$ada" GET /auth/v1/user
    expect 'ada sees her account' 200 "$ada_id" "$address"
    with_key GET /auth/v1/user
    [[ $status == 401 || $status == 403 ]] || fail 'the anon key is nobody'
    sign_up bob
    bob=$token bob_id=$user
}

rows() {
    local post
    with_token "$ada" POST /rest/v1/posts --header 'Prefer: return=representation' "${json[@]}" \
        '[{"title":"Smoke draft","body":"a","published":false},{"title":"Smoke public","body":"b","published":true}]'
    expect 'ada writes two posts' 201 'Smoke draft' 'Smoke public' "$ada_id"
    post=$(field id)
    with_token "$ada" GET "/rest/v1/posts?select=title&author_id=eq.$ada_id&order=title" --header 'Prefer: count=exact'
    expect 'ada reads both' 200 'Smoke draft' 'Smoke public'
    expect_head 'and is told how many there are' '^content-range: 0-1/2$'
    with_token "$bob" GET "/rest/v1/posts?select=title&author_id=eq.$ada_id"
    expect 'bob reads the published one' 200 'Smoke public'
    expect_not 'but not the draft' 'Smoke draft'
    with_key GET "/rest/v1/posts?select=title&author_id=eq.$ada_id"
    expect 'so does a stranger' 200 'Smoke public'
    expect_not 'who does not see the draft either' 'Smoke draft'
    with_token "$bob" PATCH "/rest/v1/posts?id=eq.$post" --header 'Prefer: return=representation' "${json[@]}" '{"title":"Taken over"}'
    expect 'bob changes nothing of hers' 200 '[]'
    with_token "$bob" POST /rest/v1/posts "${json[@]}" "{\"title\":\"Forged\",\"author_id\":\"$ada_id\"}"
    expect 'and cannot write in her name' 403 42501
    as_service GET "/rest/v1/posts?select=title&author_id=eq.$ada_id"
    expect 'the service key sees everything' 200 'Smoke draft'
    with_token "$ada" GET '/rest/v1/posts?no_such_column=eq.1'
    expect 'a mistake is named as PostgREST does' 400 42703
    with_token "$ada" DELETE "/rest/v1/posts?author_id=eq.$ada_id"
    expect 'ada deletes her posts' 204
}

documents() {
    local base=/mongo/v1/collections/smoke_test/documents document
    with_token "$ada" POST "$base" "${json[@]}" '{"title":"Mine","n":1}'
    expect 'ada stores a document' 201 '"success":true' "$ada_id"
    document=$(field _id)
    with_token "$ada" GET "$base/$document"
    expect 'and reads it back' 200 Mine
    with_token "$bob" GET "$base/$document"
    expect 'for bob it does not exist' 404 '"success":false'
    with_token "$ada" PATCH "$base/$document" "${json[@]}" '{"n":2}'
    expect 'ada changes it' 200 '"n":2'
    with_token "$ada" GET "$base?sort=created_at:desc"
    expect 'and finds it in the list' 200 "$document"
    with_token "$bob" GET "$base"
    expect_not 'which is empty for bob' "$document"
    with_token "$ada" POST "$base" "${json[@]}" "{\"owner_id\":\"$bob_id\"}"
    expect 'nobody writes for another' 422 reserved_field
    with_key GET "$base"
    expect 'a stranger has no documents' 401
    with_token "$ada" DELETE "$base/$document"
    [[ $status == 200 || $status == 204 ]] || fail 'ada deletes her document'
    with_token "$ada" GET "$base/$document"
    expect 'a deleted document is gone' 404
}

# caught ADDRESS SUBJECT: waits until a mail with this subject to this address was caught.
caught() {
    local _
    for _ in $(seq 40); do
        as_service GET "/email/v1/inbox.json?to=$1"
        [[ $status == 200 ]] && grep -qF "\"subject\":\"$2\"" "$work/body" && return 0
        sleep 0.25
    done
    fail "no mail '$2' to $1 was caught"
}

mail() {
    local address="smoke-mail-$RANDOM$RANDOM@example.com" message
    local body="{\"to\":\"$address\",\"subject\":\"Smoke\",\"html\":\"<p>Hello</p>\"}"
    with_key POST /email/v1/send "${json[@]}" "$body"
    [[ $status == 401 || $status == 403 ]] || fail 'a stranger sends no mail'
    with_token "$ada" POST /email/v1/send "${json[@]}" "$body"
    expect 'ada sends no mail to others either' 403 sending_disabled
    with_token "$ada" GET /email/v1/inbox.json
    [[ $status == 403 || $status == 404 ]] || fail 'nor does she read what others get'
    as_service POST /email/v1/templates/auth-recovery/preview "${json[@]}" \
        '{"locale":"de","variables":{"SiteURL":"s","ConfirmationURL":"c","Email":"e","Token":"123456"}}'
    expect 'the mails of auth can be looked at' 200 123456 Passwort
    as_service GET /email/v1/inbox.json
    if [[ $status == 404 ]]; then
        echo 'mail is sent for real here, so none is'
        return
    fi
    as_service POST /email/v1/send "${json[@]}" "$body"
    expect 'the service key sends a mail' 202 '"success":true'
    message=$(field id)
    caught "$address" Smoke
    as_service GET "/email/v1/messages/$message"
    expect 'which arrives' 200 '"status":"sent"'
    with_key POST /auth/v1/recover "${json[@]}" "{\"email\":\"$ada_address\"}"
    expect 'ada lost her password' 200
    caught "$ada_address" 'Reset your password'
    expect 'and is sent a link' 200 '/auth/v1/verify?token='
}

farewell() {
    with_token "$ada" POST /auth/v1/logout
    expect 'ada signs out' 204
    with_token "$ada" GET /auth/v1/user
    expect 'and her token no longer opens her account' 403 session_not_found
}

the_door
accounts
rows
documents
mail
farewell
printf '%d checks passed against %s\n' "$checks" "$url"
