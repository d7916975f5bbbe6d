#!/bin/sh
# compose-up.sh: builds the images, starts the cluster, and returns when it works: every container is healthy, and a photograph
# has gone in through Nginx and come out again as a picture. Whatever is not, it says, and ends with 1.
#   WITHIN     seconds that starting may take, when everything is built (300)
#   SKIP_BUILD do not build: the images are there
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker
command -v curl >/dev/null || die 'curl is needed, to see whether the cluster works.'
began=$(date +%s)
since() { echo $(($(date +%s) - began)); }

sh deploy/secrets.sh
if [ -z "${SKIP_BUILD:-}" ]; then
  say 'Building the images (minutes the first time, seconds later)...'
  sh deploy/compose-images.sh
  say "Images are there after $(since) s."
fi

deadline=$(($(date +%s) + ${WITHIN:-300}))
left() { [ "$(date +%s)" -lt $deadline ]; }

give_up() {
  say "$1" >&2
  # shellcheck disable=SC2046 # names hold no spaces
  for name in $(state | awk '$3 != "running" && $5 != 0 || $3 == "running" && $4 != "healthy" && $4 != "none" { print $1 }'); do
    say "--- the last of what $name said:" >&2
    docker logs --tail 50 "$name" >&2 2>&1 || true
  done
  exit 1
}

say 'Starting the cluster...'
compose up -d --no-build --remove-orphans --quiet-pull >"${LOG:-/dev/null}" 2>&1 || {
  compose up -d --no-build --remove-orphans || give_up 'The cluster does not start.'
}

# What is not well: not running, not healthy (yet), or ended with an error.
unwell() { state | awk '$3 == "running" && ($4 == "healthy" || $4 == "none") { next } $3 == "exited" && $5 == 0 { next } { printf "%s ", $2 }'; }
while bad=$(unwell) && [ -n "$bad" ]; do
  left || give_up "Not well after $(since) s: $bad"
  sleep 1
done
say "Every container is healthy after $(since) s."

at=$(published nginx 8080)
[ -n "$at" ] || die 'Nginx publishes no port 8080: nothing was tried.'
base=http://$at
ask() { curl -sS -m 20 "$@" 2>&1 | tr -d ' '; }

# A photograph goes in with a job, the job ends, its picture comes out, and both are removed again.
photograph() {
  answer=$(ask -F file=@test/pictures/photo.jpg "$base/v1/images?preset=thumb&ttl=1h") || return 1
  image=$(printf %s "$answer" | sed -n 's/.*"image":{[^}]*"id":"\([^"]*\)".*/\1/p')
  job=$(printf %s "$answer" | sed -n 's/.*"job":{[^}]*"id":"\([^"]*\)".*/\1/p')
  [ -n "$image" ] && [ -n "$job" ] || return 1
  while :; do
    answer=$(ask "$base/v1/jobs/$job") || return 1
    case $answer in
    *'"state":"SUCCEEDED"'*) break ;;
    *'"state":"QUEUED"'* | *'"state":"RUNNING"'*) ;;
    *) return 1 ;;
    esac
    left || return 1
    sleep 0.2
  done
  answer=$(curl -sSf -m 20 -o /dev/null "$base/v1/images/$image/variants/thumb" 2>&1) || return 1
  answer=$(curl -sSf -m 20 -X DELETE "$base/v1/images/$image" 2>&1) || return 1
}
answer=
until photograph; do
  left || { say "The last answer was: $answer" >&2; give_up 'No photograph goes through the cluster.'; }
  sleep 1
done
say "The first photograph was processed after $(since) s."
say
say 'Calotype is up:'
say
sh deploy/compose-urls.sh
