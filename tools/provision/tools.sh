#!/bin/sh
# tools.sh [NAME...]: builds the tools of tools/go.mod (all, unless named) that are not built yet, and prints their folder.
# They are kept beside the test servers, outside the checkout, under a name made from what decides their content: the pinned
# modules and the Go that builds them.
set -eu

cd "$(dirname "$0")/.."
export GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0

digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -c1-12; }

key=$({ cat go.mod go.sum; go env GOVERSION GOOS GOARCH; } | digest)
out=${CALOTYPE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/calotype/bin}/tools-$key
mkdir -p "$out"

log=$(mktemp); trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2013 # one word a line
for package in $(sed -n '/^tool (/,/^)/s/^[[:space:]]\{1,\}//p' go.mod); do
  name=${package##*/}
  case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
  if [ -x "$out/$name" ]; then continue; fi
  echo "Building $name, once on this machine..." >&2
  # The output tells of hundreds of downloads: it is shown only when the build fails.
  if ! go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" "$package" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "$name could not be built." >&2
    exit 1
  fi
  mv "$out/.new.$$" "$out/$name"
done
for name; do if [ ! -x "$out/$name" ]; then echo "tools.sh: no tool called $name" >&2; exit 2; fi; done
echo "$out"
