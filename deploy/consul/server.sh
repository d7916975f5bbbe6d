#!/bin/sh
# Runs a Consul server. Secrets come from files and go into a folder in memory, never into arguments or the environment.
#   CONSUL_NODE     its name among the servers; empty is the container's
#   CONSUL_SERVERS  all servers, parted by commas: as many as these elect the first leader
#   SECRETS         the folder of consul-gossip-key and consul-management-token
set -eu
umask 077

secrets=${SECRETS:-/run/secrets}
rendered=${RENDERED:-/run/consul}
folder=${FOLDER:-/etc/consul}
servers=${CONSUL_SERVERS:-consul-1,consul-2,consul-3}
node=${CONSUL_NODE:-$(hostname)}

secret() {
  [ -s "$secrets/$1" ] || { echo "server.sh: there is no $secrets/$1: make secrets" >&2; exit 1; }
  value=$(tr -d '\r\n' <"$secrets/$1")
  case $value in
  *[!A-Za-z0-9+/=_-]*) echo "server.sh: $secrets/$1 holds more than one key or token" >&2; exit 1 ;;
  esac
}

secret consul-gossip-key; gossip=$value
secret consul-management-token; management=$value

count=0 join=
for s in $(echo "$servers" | tr ',' ' '); do
  count=$((count + 1))
  join="$join${join:+,}\"$s\""
done

# The server's own updates go under the token that it was started with: its file holds that one anyway.
cat >"$rendered/secrets.json" <<JSON
{
  "node_name": "$node",
  "bootstrap_expect": $count,
  "retry_join": [$join],
  "autopilot": {"min_quorum": $count},
  "encrypt": "$gossip",
  "acl": {"tokens": {"initial_management": "$management", "agent": "$management"}}
}
JSON

exec consul agent -config-file="$folder/server.json" -config-file="$rendered/secrets.json" "$@"
