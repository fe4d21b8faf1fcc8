#!/usr/bin/env bash
# Moves the secrets of `.env` (or the file that ENV_FILE names) into files of their own, as
# docker-compose.prod.yml reads them, and writes the connection URLs that hold passwords beside them.
# Run it again after changing a file: the URLs follow. Usage: compose-secrets.sh [DIRECTORY]
#
# The directory is for its owner only. The files are readable for all, because the users inside the
# containers have other numbers; nobody else gets past the directory.
set -euo pipefail
cd "$(dirname "$0")/.."

directory=${1:-.secrets}
env_file=${ENV_FILE:-.env}
secrets=(JWT_SECRET ANON_KEY SERVICE_ROLE_KEY POSTGRES_PASSWORD AUTHENTICATOR_PASSWORD AUTH_DB_PASSWORD
    EMAIL_DB_PASSWORD EMAIL_SERVICE_TOKEN EMAIL_SMTP_URL MONGO_ROOT_PASSWORD MONGO_PASSWORD
    REDIS_PASSWORD POOLER_DB_PASSWORD MONITOR_DB_PASSWORD GRAFANA_PASSWORD)

install -d -m 700 "$directory"
# write NAME VALUE
write() {
    printf '%s\n' "$2" >"$directory/$1.new"
    chmod 444 "$directory/$1.new"
    mv -f "$directory/$1.new" "$directory/$1"
}

declare -A value
for name in "${secrets[@]}"; do
    file=$directory/${name,,}
    given=$(sed -n "s/^$name=//p" "$env_file" 2>/dev/null || true)
    if [[ -n $given ]]; then
        write "${name,,}" "$given"
    elif [[ ! -s $file ]]; then
        echo "compose-secrets: $name is neither in $env_file nor in $file" >&2
        exit 1
    fi
    chmod 444 "$file"
    value[$name]=$(<"$file")
done

postgres=postgres:5432/postgres
write database_admin_url "postgres://postgres:${value[POSTGRES_PASSWORD]}@$postgres"
write gotrue_db_database_url "postgres://auth_admin:${value[AUTH_DB_PASSWORD]}@$postgres"
write email_database_url "postgres://email_admin:${value[EMAIL_DB_PASSWORD]}@$postgres"
write pgrst_db_uri "postgres://authenticator:${value[AUTHENTICATOR_PASSWORD]}@$postgres"
write mongo_uri "mongodb://mongo_api:${value[MONGO_PASSWORD]}@mongo:27017/?replicaSet=rs0&authSource=admin"
write redis_url "redis://:${value[REDIS_PASSWORD]}@redis:6379"
write redis_exporter "{\"redis://redis:6379\":\"${value[REDIS_PASSWORD]}\"}"

# Only now, when every file is in place.
pattern=$(IFS='|'; echo "${secrets[*]}")
sed -i -E "s#^($pattern)=.+#\1_FILE=$directory/\L\1#" "$env_file"
echo "the secrets are in $directory; $env_file names their files"
