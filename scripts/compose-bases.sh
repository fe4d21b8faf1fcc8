#!/usr/bin/env bash
# Makes the base images from Debian's packages, for CI and for machines that cannot pull any:
# ferrobase/base (what a service needs and nothing else), ferrobase/postgres, ferrobase/redis,
# ferrobase/mongo, ferrobase/prometheus, ferrobase/pooler and ferrobase/playground. Usage: compose-bases.sh [--again]
#
# Runs as root; needs debootstrap and a Debian mirror. What exists already is kept unless --again.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
again=${1:-}

fail() { echo "compose-bases: $*" >&2; exit 1; }
missing() { [[ $again == --again ]] || ! docker image inspect "ferrobase/$1" >/dev/null 2>&1; }

wanted=()
for image in base postgres redis mongo prometheus pooler playground; do
    if missing "$image"; then wanted+=("$image"); fi
done
((${#wanted[@]})) || exit 0
[[ $EUID -eq 0 ]] || fail 'must run as root'
command -v debootstrap >/dev/null || fail 'debootstrap is missing; install it and run this again'

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ferrobase-bases.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

# in_root ROOT COMMAND…: runs the command with ROOT as the file system.
in_root() { chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "${@:2}"; }

# import NAME ROOT [CHANGE…]: makes an image of the directory. Owners are numbers and times are
# those of the packages, so the same packages give the same files.
import() {
    local name=$1 root=$2 changes=()
    shift 2
    local change
    for change in "$@"; do changes+=(--change "$change"); done
    tar -C "$root" --numeric-owner --sort=name --exclude=./proc/* --exclude=./sys/* --exclude=./dev/* -cf - . |
        docker import "${changes[@]}" - "ferrobase/$name:latest" >/dev/null
    echo "made ferrobase/$name"
}

echo "making: ${wanted[*]}"
debian=$work/debian
debootstrap --variant=minbase "$suite" "$debian" "$mirror" >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; fail 'debootstrap failed'; }
printf 'deb %s %s main\ndeb %s %s-security main\n' "$mirror" "$suite" "$security" "$suite" \
    >"$debian/etc/apt/sources.list"
# Nothing may start a server while packages are installed.
printf '#!/bin/sh\nexit 101\n' >"$debian/usr/sbin/policy-rc.d"
chmod +x "$debian/usr/sbin/policy-rc.d"
in_root "$debian" apt-get update -qq
in_root "$debian" apt-get upgrade -qq -y >"$work/log"

# with_packages NAME PACKAGE…: a copy of the small Debian with the packages, in $work/NAME.
with_packages() {
    local root=$work/$1
    cp -a "$debian" "$root"
    # Debian would make a cluster of its own; nobody here uses it.
    mkdir -p "$root/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    in_root "$root" apt-get install -qq -y --no-install-recommends "${@:2}" >"$work/log" 2>&1 ||
        { tail -20 "$work/log" >&2; fail "$1: packages cannot be installed"; }
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
}

# owner ROOT NAME DIRECTORY: a user 999 as in the public images, who owns the data directory.
owner() {
    in_root "$1" sh -c "getent passwd $2 >/dev/null && usermod -u 999 $2 || useradd -u 999 -M -d $3 $2
        getent group $2 >/dev/null && groupmod -g 999 $2
        mkdir -p $3 && chown 999:999 $3"
}

make_base() {
    local root=$work/base
    mkdir -p "$root" "$debian/tmp/packages"
    in_root "$debian" sh -c 'cd /tmp/packages && apt-get download -qq base-files ca-certificates libc6 libgcc-s1 netbase tzdata 2>/dev/null
        for package in *.deb; do dpkg-deb -x "$package" /tmp/slim; done'
    mv "$debian/tmp/slim" "$work/slim"
    rm -rf "$debian/tmp/packages"
    cp -a "$work/slim/." "$root"
    rm -rf "${root:?}"/usr/share/{doc,man,locale,lintian,bug} "${root:?}"/{usr/sbin,usr/bin,sbin}/*
    cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    printf 'root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
    printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
    mkdir -p "$root"/{proc,sys,dev,tmp,run}
    chmod 1777 "$root/tmp"
    import base "$root" 'USER 65532:65532' 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt'
}

make_postgres() {
    with_packages postgres postgresql
    local root=$work/postgres binaries
    binaries=$(cd "$root" && echo usr/lib/postgresql/*/bin)
    owner "$root" postgres /var/lib/postgresql/data
    import postgres "$root" "ENV PATH=/$binaries:/usr/bin:/bin" \
        'ENV PGDATA=/var/lib/postgresql/data' 'USER 999:999' 'CMD ["postgres"]'
}

make_redis() {
    with_packages redis redis-server
    owner "$work/redis" redis /data
    import redis "$work/redis" 'USER 999:999' 'WORKDIR /data' 'CMD ["redis-server"]'
}

make_mongo() {
    local mongod
    mongod=$(scripts/install-mongod.sh)
    with_packages mongo libcurl4 libssl3
    install -m 755 "${mongod:-$(command -v mongod)}" "$work/mongo/usr/bin/mongod"
    owner "$work/mongo" mongodb /data/db
    import mongo "$work/mongo" 'USER 999:999' 'CMD ["mongod"]'
}

make_prometheus() {
    with_packages prometheus prometheus prometheus-postgres-exporter prometheus-redis-exporter
    mkdir -p "$work/prometheus/prometheus"
    chown 65534:65534 "$work/prometheus/prometheus"
    import prometheus "$work/prometheus" 'USER 65534:65534' 'ENTRYPOINT ["prometheus"]'
}

make_pooler() {
    with_packages pooler pgbouncer
    import pooler "$work/pooler" 'USER 999:999' 'ENV PATH=/usr/sbin:/usr/bin:/bin' 'CMD ["pgbouncer"]'
}

make_playground() {
    local root=$work/playground
    mkdir -p "$root"/bin "$debian/tmp/packages"
    in_root "$debian" sh -c 'cd /tmp/packages && apt-get download -qq busybox-static 2>/dev/null && dpkg-deb -x *.deb /tmp/slim'
    install -m 755 "$debian/tmp/slim/bin/busybox" "$root/bin/busybox"
    rm -rf "$debian/tmp/slim" "$debian/tmp/packages"
    import playground "$root" 'USER 65534:65534' 'ENV PATH=/bin' 'ENTRYPOINT ["busybox"]'
}

for image in "${wanted[@]}"; do
    "make_$image"
    [[ $image == base ]] || rm -rf "${work:?}/$image"
done
