#!/bin/sh
# generate.sh [--check] DIR: lints the protos in DIR and generates all that is made from them; what no proto gives any more goes.
# With --check it does so in a copy, and fails with the difference.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
check=''
if [ "$1" = --check ]; then check=yes; shift; fi
dir=$(cd "$1" && pwd)
tools=$("$here/provision/tools.sh" buf protoc-gen-go protoc-gen-go-grpc protoc-gen-micro protoc-gen-grpc-gateway protoc-gen-openapiv2)

if [ -n "$check" ]; then
  copy=$(mktemp -d); trap 'rm -rf "$copy"' EXIT
  cp -R "$dir/." "$copy/"
else
  copy=$dir
fi
cd "$copy"
PATH=$tools:$PATH
buf lint
find . \( -name '*.pb.go' -o -name '*.pb.gw.go' -o -name '*.pb.micro.go' -o -name '*.swagger.json' \) -exec rm {} +
buf generate
if [ -n "$check" ] && ! diff -ru "$dir" "$copy"; then
  echo 'The generated code is not what the protos give: run make generate, and commit what it changes.' >&2
  exit 1
fi
