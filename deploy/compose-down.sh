#!/bin/sh
# compose-down.sh: removes the cluster and everything that it kept. PURGE=1 removes its images and its secrets, too.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker
sh deploy/secrets.sh >/dev/null # compose does not read its own file without them
case ${PURGE:-} in
'' | 0) compose --profile '*' down --volumes --remove-orphans --timeout "${TIMEOUT:-3}" ;;
*)
  compose --profile '*' down --volumes --remove-orphans --timeout "${TIMEOUT:-3}" --rmi local
  rm -rf deploy/secrets
  ;;
esac
