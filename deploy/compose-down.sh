#!/bin/sh
# compose-down.sh: removes the cluster and everything that it kept. PURGE=1 removes its images and its secrets, too.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker
sh deploy/secrets.sh >/dev/null # compose does not read its own file without them
project=$(project)
tries=1
until compose --profile '*' down --volumes --remove-orphans --timeout "${TIMEOUT:-3}"; do # an engine may hold a network longer than its last container
  [ $tries -lt 5 ] || die 'Something of the cluster is left.'
  tries=$((tries + 1))
  sleep 1
done
# Volumes of a cluster that was started otherwise (with other files, or an earlier version of them).
left=$(docker volume ls -q --filter "label=com.docker.compose.project=$project")
# shellcheck disable=SC2086 # names hold no spaces
[ -z "$left" ] || docker volume rm $left >/dev/null

case ${PURGE:-} in
'' | 0) exit ;;
esac
# shellcheck disable=SC2046 # names hold no spaces
docker image rm $(compose --profile '*' config --images | grep '^calotype/' | sort -u) >/dev/null || true # some may never have been built
rm -rf deploy/secrets
