#!/bin/sh
# Runs Postgres; the password of the user that it makes at the first start comes from a file.
set -eu
POSTGRES_PASSWORD=$(cat "${SECRETS:-/run/secrets}/postgres-password")
export POSTGRES_PASSWORD
exec docker-entrypoint.sh "$@"
