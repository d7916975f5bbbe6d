#!/bin/sh
# compose-images.sh: builds every image of the cluster, stamped with the version and the commit of this checkout.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker

# The time of the commit is that of the files in the images: the same commit gives the same files.
COMMIT=${COMMIT:-$(git describe --always --exclude '*' --abbrev=12 --dirty 2>/dev/null || echo unknown)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
BUILD_VERSION=${BUILD_VERSION:-$(cat VERSION)}
export COMMIT SOURCE_DATE_EPOCH BUILD_VERSION DOCKER_BUILDKIT=1

log=$(mktemp)
trap 'rm -f "$log"' EXIT
build() {
  if [ -t 1 ]; then compose build "$@"; else compose build --progress plain "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; exit 1; }; fi
}
# Nginx last: by then what its program shares with the services is compiled.
# shellcheck disable=SC2046 # names hold no spaces
build $(compose config --services | grep -vx nginx)
build nginx
