#!/bin/sh
# Gives every service its policy and its token, and Calotype its first live document. What is there is brought up to date, so it may
# run again at any time. The tokens are made beforehand: services start with them and wait for nobody to tell them.
#   CONSUL_SERVERS  all servers, parted by commas; any that answers is used
#   SECRETS         the folder of consul-management-token and consul-token-<service>
set -eu

secrets=${SECRETS:-/run/secrets}
folder=${FOLDER:-/etc/consul}
servers=$(echo "${CONSUL_SERVERS:-consul-1,consul-2,consul-3}" | tr ',' ' ')
port=${CONSUL_PORT:-8500}
patience=${PATIENCE:-60}
CONSUL_HTTP_TOKEN_FILE=$secrets/consul-management-token
export CONSUL_HTTP_TOKEN_FILE CONSUL_HTTP_ADDR

say() { echo "consul-init: $*"; }
fail() { echo "consul-init: $*" >&2; exit 1; }

# A server that has a leader, and knows the management token.
reach() {
  until=$(($(date +%s) + patience))
  while :; do
    for s in $servers; do
      case $s in *:*) ;; *) s=$s:$port ;; esac
      CONSUL_HTTP_ADDR=http://$s
      if why=$(timeout 5 consul acl token read -self 2>&1 >/dev/null) && why=$(timeout 5 consul operator raft list-peers 2>&1 >/dev/null); then
        say "asking $s"
        return
      fi
    done
    [ "$(date +%s)" -lt "$until" ] || fail "no server answers as it should after $patience s: $why"
    sleep 1
  done
}

# The identity of a token that is no secret: the same at every run.
accessor() {
  case $1 in
  nginx) echo ca107e00-0000-4000-8000-000000000001 ;;
  gateway) echo ca107e00-0000-4000-8000-000000000002 ;;
  greeter) echo ca107e00-0000-4000-8000-000000000003 ;;
  image-manager) echo ca107e00-0000-4000-8000-000000000004 ;;
  image-worker) echo ca107e00-0000-4000-8000-000000000005 ;;
  storage) echo ca107e00-0000-4000-8000-000000000006 ;;
  prometheus) echo ca107e00-0000-4000-8000-000000000007 ;;
  *) fail "no service is called $1" ;;
  esac
}

policy() {
  name=calotype-$1
  if consul acl policy read -name "$name" >/dev/null 2>&1; then
    consul acl policy update -no-merge -name "$name" -description "Calotype's $1" -rules "@$folder/policies/$1.hcl" >/dev/null
  else
    consul acl policy create -name "$name" -description "Calotype's $1" -rules "@$folder/policies/$1.hcl" >/dev/null
  fi
}

token() {
  file=$secrets/consul-token-$1
  [ -s "$file" ] || fail "there is no $file: make secrets"
  secret=$(tr -d '\r\n' <"$file")
  id=$(accessor "$1")
  there=$(consul acl token read -accessor-id "$id" -format json 2>/dev/null | sed -n 's/^ *"SecretID": *"\([^"]*\)".*/\1/p') || there=
  if [ -n "$there" ] && [ "$there" != "$secret" ]; then
    say "the token of $1 is another now"
    consul acl token delete -accessor-id "$id" >/dev/null
    there=
  fi
  if [ -n "$there" ]; then
    consul acl token update -accessor-id "$id" -policy-name "calotype-$1" -description "Calotype's $1" >/dev/null
  else
    consul acl token create -accessor "$id" -secret "$secret" -policy-name "calotype-$1" -description "Calotype's $1" >/dev/null
  fi
}

# persist COMMAND...: what is refused between two leaders is asked again, of whoever answers by then. Each command finds what it has done.
persist() {
  give_up=$(($(date +%s) + patience))
  until "$@"; do
    [ "$(date +%s)" -lt "$give_up" ] || fail "Consul goes on refusing: $*"
    sleep 1
    reach
  done
}

reach
for service in nginx gateway greeter image-manager image-worker storage prometheus; do
  persist policy "$service"
  persist token "$service"
done
say "every service has its policy and its token"

key=${LIVE_KEY:-calotype/config}
live() {
  if consul kv get "$key" >/dev/null 2>&1; then
    say "$key is there and stays as it is"
  elif consul kv put -cas -modify-index=0 "$key" "@$folder/live.yaml" >/dev/null 2>&1; then
    say "$key is new: it changes nothing yet"
  else
    consul kv get "$key" >/dev/null # another run may have written it
  fi
}
persist live
