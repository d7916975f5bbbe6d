#!/bin/sh
# roll.sh [SERVICE...]: replaces the containers of Calotype's own services by new ones, from the images and settings that are there
# now, one at a time and without a failed request: a new one is started, and once it is ready an old one leaves in order.
# Default: all but Nginx, whose port only one can have; workers before the managers, who may give them what only new ones understand. Images are not built: `make images` does.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker
[ $# -gt 0 ] || set -- image-worker image-manager storage greeter gateway
within=${WITHIN:-120} why=

running() { docker ps -q --no-trunc --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False; }

# ready CONTAINER: waits until it says so itself; the engine asks it less often.
ready() {
  deadline=$(($(date +%s) + within))
  while [ "$(docker inspect --format '{{.State.Status}}' "$1")" = running ] && [ "$(date +%s)" -lt $deadline ]; do
    if why=$(docker exec "$1" /usr/bin/calotype-service --check 2>&1); then return 0; fi
    sleep 0.5
  done
  docker logs --tail 50 "$1" >&2
  die "The new $service is not ready ($why); the old ones that are left go on. It is there to be looked at: docker rm -f $1"
}

project=$(project)
for service; do
  old=$(running "$service")
  [ -n "$old" ] || die "No $service runs."
  # shellcheck disable=SC2086 # ids, parted at their spaces
  count=$(set -- $old; echo $#)
  began=$(date +%s)
  for container in $old; do
    before=$(running "$service")
    compose up -d --no-build --no-deps --no-recreate --scale "$service=$((count + 1))" "$service" >/dev/null 2>&1 || die "compose does not start one more $service."
    for new in $(running "$service"); do
      case $before in *"$new"*) ;; *) ready "$new" ;; esac
    done
    # With the container's own grace; one that is gone already has what was wanted of it.
    docker stop "$container" >/dev/null && docker rm "$container" >/dev/null || ! docker inspect "$container" >/dev/null 2>&1 || die "$service: $container does not go."
  done
  say "$service: $count replaced in $(($(date +%s) - began)) s"
done
