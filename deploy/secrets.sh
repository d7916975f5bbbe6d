#!/bin/sh
# secrets.sh [FOLDER]: makes the secrets of a cluster that are not there yet, each a file: default deploy/secrets beside this
# script. What is there is never changed; to change a secret, docs/cluster.md. The folder is its owner's alone; the files in
# it may be read by anybody, because the containers that get them have users of their own.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
made=0

random() { od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'; }             # BYTES, in hex
base64_of() { dd if=/dev/urandom bs="$1" count=1 2>/dev/null | base64 | tr -d '\n'; } # BYTES
uuid() { random 16 | sed 's/\(.\{8\}\)\(.\{4\}\).\(.\{3\}\).\(.\{3\}\)\(.*\)/\1-\2-4\3-8\4-\5/'; }
webhook() { printf 'whsec_'; base64_of 32; }
nothing() { :; }

secret() { # NAME COMMAND...
  name=$1
  shift
  [ ! -e "$name" ] || return 0
  "$@" >"$name.new"
  mv "$name.new" "$name"
  made=$((made + 1))
}

secret consul-management-token uuid
secret consul-gossip-key base64_of 32
for service in nginx gateway greeter image-manager image-worker storage prometheus; do
  secret "consul-token-$service" uuid
done
secret rabbitmq-cookie random 32
secret rabbitmq-password random 24
secret postgres-password random 24
secret s3-access-key random 10
secret s3-secret-key random 20
secret webhook-secrets webhook
secret signing-keys nothing # empty: addresses under /i/ need no signature

# Nginx's certificate: one for development. Your own go into a folder that TLS_DIR in .env names.
if [ ! -e tls/tls.crt ] && [ -z "${TLS_DIR:-}" ]; then
  command -v openssl >/dev/null || { echo 'openssl is needed to make a certificate for development; or set TLS_CERT= and TLS_KEY= in .env, and make the folder deploy/secrets/tls: then there is no TLS' >&2; exit 1; }
  sh "$here/nginx/dev-certs.sh" "$PWD/tls" >/dev/null
  made=$((made + 1))
fi

[ $made = 0 ] || echo "$made new secrets in $(pwd)"
