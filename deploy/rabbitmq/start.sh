#!/bin/sh
# Runs a RabbitMQ node of the cluster. The cookie that the nodes know each other by, and the password of the user that the
# first of them makes, come from files; neither is in the container's own environment or arguments.
#   RABBITMQ_NODES  the host names of all nodes, parted by commas
#   SECRETS         the folder of rabbitmq-cookie and rabbitmq-password
set -eu
umask 077
secrets=${SECRETS:-/run/secrets}
cookie=/var/lib/rabbitmq/.erlang.cookie
conf=/tmp/rabbitmq.conf

rm -f "$cookie"
cat "$secrets/rabbitmq-cookie" >"$cookie"
chmod 400 "$cookie"
{
  echo 'cluster_formation.peer_discovery_backend = classic_config'
  i=0
  for node in $(echo "${RABBITMQ_NODES:?names the nodes}" | tr ',' ' '); do
    i=$((i + 1))
    echo "cluster_formation.classic_config.nodes.$i = rabbit@$node"
  done
  cat /calotype/rabbitmq.conf
} >"$conf"
RABBITMQ_DEFAULT_PASS=$(cat "$secrets/rabbitmq-password")
RABBITMQ_CONFIG_FILE=$conf
RABBITMQ_ENABLED_PLUGINS_FILE=/calotype/enabled_plugins
export RABBITMQ_DEFAULT_PASS RABBITMQ_CONFIG_FILE RABBITMQ_ENABLED_PLUGINS_FILE
unset RABBITMQ_NODES
exec docker-entrypoint.sh "$@"
