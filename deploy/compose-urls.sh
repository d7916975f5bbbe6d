#!/bin/sh
# compose-urls.sh: prints where the running cluster is reached.
set -eu
# shellcheck source=deploy/compose-env.sh
. "$(dirname "$0")/compose-env.sh"

url() { # NAME SERVICE PORT PREFIX SUFFIX
  at=$(published "$2" "$3")
  if [ -n "$at" ]; then printf '  %-13s %s%s%s\n' "$1" "$4" "$at" "$5"; fi
}
url Console nginx 8080 http:// /
url REST nginx 8080 http:// /v1/images
url 'API docs' nginx 8080 http:// /docs
url TLS nginx 8443 https:// /
url gRPC nginx 8081 '' ' (plain text; with TLS on the port of TLS)'
url Consul consul-1 8500 http:// '/ui (token: deploy/secrets/consul-management-token)'
url RabbitMQ rabbitmq-1 15672 http:// '/ (user calotype, password: deploy/secrets/rabbitmq-password)'
url Jaeger jaeger 16686 http:// /
