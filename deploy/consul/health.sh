#!/bin/sh
# Well is a server that reaches a leader, itself or another.
CONSUL_HTTP_TOKEN_FILE=${SECRETS:-/run/secrets}/consul-management-token
export CONSUL_HTTP_TOKEN_FILE
exec consul operator raft list-peers >/dev/null
