#!/bin/sh
# servers.sh [consul] [etcd] [jaeger] [s3] [filebeat] [zincsearch] [rabbitmq] [postgres] [nginx] [prometheus] [redis]: gets the real servers that the tests run, and prints the folder of those it keeps.
# One that is on the PATH is taken as it is. Consul, etcd, Jaeger, an S3 (versitygw), Filebeat and a store for its lines (ZincSearch) are built from their Go modules, at the versions below, once a machine,
# into $CALOTYPE_TOOLS (by default calotype/bin in the user's cache folder); packages.sh gets the others. Redis is only
# compared with, by the benchmarks: it is not among those that are got when none is named.
set -eu

consul_version=v1.20.1
etcd_version=v3.5.21
jaeger_version=v1.76.0
s3_version=v1.8.0
filebeat_version=v7.17.29
zincsearch_version=v0.4.10

here=$(cd "$(dirname "$0")" && pwd)
out=${CALOTYPE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/calotype/bin}
work='' packaged=''
trap '[ -z "$work" ] || { chmod -R u+w "$work"; rm -rf "$work"; }' EXIT
trap 'exit 130' INT TERM
export GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0

say() { printf '%s\n' "$@" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# unpack MODULE VERSION: prints the folder of a writable copy of the module's own tree.
unpack() {
  source=$(cd "$work" && go mod download -json "$1@$2" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
  if [ -z "$source" ]; then say "$1@$2 cannot be had from $(go env GOPROXY)"; return 1; fi
  cp -R "$source" "$work/src" && chmod -R u+w "$work/src" && echo "$work/src"
}

# Consul's go.mod replaces five of its modules by folders that the published module does not carry; the versions
# required here are those that this release of it published.
build_consul() {
  m=github.com/hashicorp/consul
  source=$(unpack $m $consul_version) && cd "$source" || return 1
  for part in api envoyextensions proto-public sdk troubleshoot; do go mod edit -dropreplace=$m/$part || return 1; done
  go mod edit -require=$m/api@v1.30.0 -require=$m/envoyextensions@v0.7.4 -require=$m/proto-public@v0.6.3 \
    -require=$m/sdk@v0.16.1 -require=$m/troubleshoot@v0.7.1 || return 1
  go build -mod=mod -trimpath -ldflags '-s -w' -o "$out/.new.$$" .
}

# etcd's go.mod replaces what it shares with its client by folders; the release of each has the same version.
build_etcd() {
  m=go.etcd.io/etcd
  source=$(unpack $m/server/v3 $etcd_version) && cd "$source" || return 1
  for part in api/v3 client/pkg/v3 client/v2 client/v3 pkg/v3 raft/v3; do go mod edit -dropreplace=$m/$part || return 1; done
  go build -mod=mod -trimpath -ldflags '-s -w' -o "$out/.new.$$" .
}

build_jaeger() {
  source=$(unpack github.com/jaegertracing/jaeger $jaeger_version) && cd "$source" || return 1
  go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" ./cmd/all-in-one
}

build_s3() {
  source=$(unpack github.com/versity/versitygw $s3_version) && cd "$source" || return 1
  go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" ./cmd/versitygw
}

# What finds containers by Docker's and Kubernetes' interfaces, and Kafka, is left out: it is half of the code, and nothing here asks for it.
build_filebeat() {
  source=$(unpack github.com/elastic/beats/v7 $filebeat_version) && cd "$source" || return 1
  rm libbeat/cmd/instance/imports_docker.go filebeat/autodiscover/defaults.go || return 1
  for part in filebeat/autodiscover/imports.go filebeat/beater/filebeat.go filebeat/input/default-inputs/inputs.go libbeat/publisher/includes/includes.go; do
    sed '/providers\/docker"/d; /providers\/kubernetes"/d; /add_kubernetes_metadata"/d; /put[s]*\/kafka"/d; /kafka\.Plugin()/d' $part >part.go && mv part.go $part || return 1
  done
  go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" ./filebeat
}

# Its console is not in the module; its profiler does not know Go 1.26.
build_zincsearch() {
  source=$(unpack github.com/zincsearch/zincsearch $zincsearch_version) && cd "$source" || return 1
  mkdir -p web/dist && echo '<!doctype html>' >web/dist/index.html || return 1
  main=cmd/zincsearch/main.go
  sed '/^func profiling/,/^}/d; /^[[:space:]]profiling()$/d; /pyroscope-io\//d; /^[[:space:]]"strings"$/d' $main >main.go.new && mv main.go.new $main || return 1
  go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" ./cmd/zincsearch
}

[ $# -gt 0 ] || set -- consul etcd jaeger s3 filebeat zincsearch rabbitmq postgres nginx prometheus
mkdir -p "$out"
for name; do
  case $name in
  consul) binary=consul version=$consul_version minutes=6 ;;
  etcd) binary=etcd version=$etcd_version minutes=2 ;;
  jaeger) binary=jaeger-all-in-one version=$jaeger_version minutes=4 ;;
  s3) binary=versitygw version=$s3_version minutes=3 ;;
  filebeat) binary=filebeat version=$filebeat_version minutes=1 ;;
  zincsearch) binary=zincsearch version=$zincsearch_version minutes=2 ;;
  rabbitmq|postgres|nginx|prometheus|redis) packaged="$packaged $name"; continue ;;
  *) say "servers.sh: no server called $name"; exit 2 ;;
  esac
  if have $binary || [ -x "$out/$binary" ]; then continue; fi
  say "Building $name $version for the tests, once on this machine (about $minutes minutes on 2 cores)..."
  began=$(date +%s) work=$(mktemp -d)
  # The output tells of hundreds of downloads: it is shown only when the build fails.
  if ! ("build_$name") >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    say "$name could not be built. Put a $binary of your own on the PATH, or try again."
    exit 1
  fi
  mv "$out/.new.$$" "$out/$binary"
  chmod -R u+w "$work"; rm -rf "$work"; work=''
  say "$name: built in $(($(date +%s) - began)) s, kept in $out"
done
# shellcheck disable=SC2086 # one word a server
[ -z "$packaged" ] || "$here/packages.sh" $packaged
echo "$out"
