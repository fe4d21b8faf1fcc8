#!/usr/bin/env bash
# Installs what building, running and testing need, or says exactly what to install. With the
# argument `bench`, also what is measured against and with.
#
# On Debian and Ubuntu as root it installs packages itself; anywhere else it only names what is
# missing. With everything in place it does nothing and takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=()
missing=()

# need COMMAND-OR-PATTERN PACKAGE: notes the package when nothing provides the command.
need() {
    command -v "$1" >/dev/null || compgen -G "$1" >/dev/null || packages+=("$2")
}
need '/usr/lib/postgresql/*/bin/initdb' postgresql
need redis-server redis-server
need openssl openssl
need cc build-essential
need curl curl
need node nodejs
need npm npm
need pip3 python3-pip
python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
need '/usr/lib/*/libcurl.so.4' libcurl4
need pebble pebble
command -v chromium-browser google-chrome >/dev/null || need chromium chromium
if [[ ${1:-} == bench ]]; then
    need wrk wrk
    need h2load nghttp2-client
    need nginx nginx-light
fi

if ((${#packages[@]})); then
    if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null; then
        echo "installing: ${packages[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        # Debian would start a cluster and a server of its own; nobody here uses them.
        mkdir -p /etc/postgresql-common
        grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
            echo 'create_main_cluster = false' >>/etc/postgresql-common/createcluster.conf
        # RUNLEVEL: no server is started merely because it was installed.
        RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    else
        missing+=("these packages (names as in Debian): ${packages[*]}")
    fi
fi

command -v cargo >/dev/null ||
    missing+=("Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml) or newer, with clippy and rustfmt")

if ! command -v "${MONGOD:-mongod}" >/dev/null && ! scripts/install-mongod.sh >/dev/null; then
    missing+=("MongoDB 6 or newer (the program mongod)")
fi

if ((${#missing[@]})); then
    echo "Something is missing. Please install:" >&2
    printf '  - %s\n' "${missing[@]}" >&2
    exit 1
fi
