# shellcheck shell=sh
# Sourced by the scripts beside it: says what compose is asked for, and asks it. SMALL=1 is the small cluster; a COMPOSE_FILE of
# the caller's own goes before it.
cd "$(dirname "$0")/.." || exit 1
case ${SMALL:-} in
'' | 0) ;;
*) COMPOSE_FILE=${COMPOSE_FILE:-docker-compose.yml:deploy/compose-small.yml}; export COMPOSE_FILE COMPOSE_PATH_SEPARATOR=: ;;
esac

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }
compose() { docker compose "$@"; }

needs_docker() {
  command -v docker >/dev/null || die 'Docker is needed: https://docs.docker.com/engine/install/'
  docker compose version >/dev/null 2>&1 || die "Docker's compose plugin is needed, version 2.24 or newer: https://docs.docker.com/compose/install/"
  docker version >/dev/null 2>&1 || die 'No Docker engine answers. Start it, or see whether you may use it (docker version).'
}

# state: one line a container: its name, service, state, health and exit code.
state() { compose ps -a --format '{{.Name}} {{.Service}} {{.State}} {{or .Health "none"}} {{.ExitCode}}'; }

# published SERVICE PORT: where the outside reaches a port, "" when it is not published.
published() {
  there=$(compose port "$1" "$2" 2>/dev/null) || return 0
  case $there in *:0) ;; *) printf %s "$there" | sed 's/^0\.0\.0\.0:/127.0.0.1:/; s/^\[::\]:/127.0.0.1:/' ;; esac
}

# project: the name under which the engine knows what belongs to the cluster.
project() { compose config --format json | sed -n 's/^ *"name": "\([^"]*\)",*$/\1/p' | head -n 1; }
