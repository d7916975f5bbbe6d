#!/bin/sh
# compose-logs.sh: what there is to know about a cluster in which something went wrong: the state of its containers, and the last
# of what those said that are not well or were started again; when all seem well, of what Calotype's own services said.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"
needs_docker
lines=${LINES_EACH:-50}

state | sort
# shellcheck disable=SC2046 # ids hold no spaces
suspects=$(docker inspect --format '{{.Name}} {{.RestartCount}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.State.ExitCode}}' $(compose ps -aq) |
  awk '$2 > 0 || $3 == "restarting" || $3 == "running" && $4 == "unhealthy" || $3 != "running" && $NF != 0 { print substr($1, 2) }')
[ -n "$suspects" ] || suspects=$(state | awk '$2 ~ /^(nginx|gateway|greeter|image-manager|image-worker|storage)$/ { print $1 }')
for name in $suspects; do
  say "--- the last of what $name said:"
  docker logs --tail "$lines" "$name" 2>&1 || true
done
