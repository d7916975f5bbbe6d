#!/bin/sh
# tools.sh [NAME...]: builds the tools of tools/go.mod (all, unless named) that are not built yet, and prints their folder.
# They are kept beside the test servers, outside the checkout, under a name made from what decides their content: the pinned
# modules and the Go that builds them. Helm, kubeconform and mustache (which reads Logstash's pipelines) share no library with those of tools/go.mod: each is built
# from its own module with the versions that it was released with, and kept under its own version, so that neither makes the other, or
# those, be built again.
set -eu

helm=helm.sh/helm/v3/cmd/helm@v3.19.0
kubeconform=github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
mustache=github.com/breml/logstash-config/cmd/mustache@v0.5.3
openapi=k8s.io/kubernetes@v1.36.3 # of which one file is taken, kubernetes-openapi: what kubeconform's schemas are made of
keda=github.com/kedacore/keda/v2@v2.17.2 # of which a folder of some files is taken: what it takes of the chart's ScaledObject

cd "$(dirname "$0")/.."
export GOWORK=off GOFLAGS=-buildvcs=false CGO_ENABLED=0

digest() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -c1-12; }

go=$(go env GOVERSION GOOS GOARCH)
key=$({ cat go.mod go.sum; echo "$go"; } | digest)
out=${CALOTYPE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/calotype/bin}/tools-$key
mkdir -p "$out"

log=$(mktemp) work=''
trap 'rm -f "$log"; [ -z "$work" ] || { chmod -R u+w "$work"; rm -rf "$work"; }' EXIT
trap 'exit 130' INT TERM

# fetch makes $work/$name out of $package. Modules of which only files are taken are too large to be kept.
fetch() {
  case $name in
  kubernetes-openapi | keda) ;;
  mustache) # go install asks for a list of the module's versions, which not every proxy has
    (cd "$work" && go mod init calotype-tools && go mod edit -require="${package%/cmd/*}@$version" && go build -mod=mod -trimpath -ldflags '-s -w' -o "$name" "$module")
    return
    ;;
  *)
    GOBIN=$work go install -trimpath -ldflags '-s -w' "$package"
    return
    ;;
  esac
  source=$(cd "$work" && GOMODCACHE=$work/modules go mod download -json "$package" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
  [ -n "$source" ] || return 1
  if [ "$name" = kubernetes-openapi ]; then
    cp "$source/api/openapi-spec/swagger.json" "$work/$name"
    return
  fi
  mkdir "$work/$name" && for file in config/crd/bases/keda.sh_scaledobjects.yaml config/crd/bases/keda.sh_triggerauthentications.yaml \
    pkg/scalers/rabbitmq_scaler.go pkg/scalers/prometheus_scaler.go; do cp "$source/$file" "$work/$name/" || return 1; done
}
# shellcheck disable=SC2013 # one word a line
for package in $(sed -n '/^tool (/,/^)/s/^[[:space:]]\{1,\}//p' go.mod); do
  name=${package##*/}
  case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
  if [ -x "$out/$name" ]; then continue; fi
  echo "Building $name, once on this machine..." >&2
  # The output tells of hundreds of downloads: it is shown only when the build fails.
  if ! go build -trimpath -ldflags '-s -w' -o "$out/.new.$$" "$package" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "$name could not be built." >&2
    exit 1
  fi
  mv "$out/.new.$$" "$out/$name"
done
for package in $helm $kubeconform $mustache $openapi $keda; do
  module=${package%@*} version=${package#*@}
  name=${module##*/}
  case $package in "$openapi") name=kubernetes-openapi ;; "$keda") name=keda ;; esac
  case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
  kept=$name-$version-$(printf %s "$go" | digest)
  if [ ! -e "$out/../$kept" ]; then
    echo "Getting $name $version, once on this machine..." >&2
    work=$(mktemp -d)
    if ! fetch >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      echo "$name cannot be had." >&2
      exit 1
    fi
    mv "$work/$name" "$out/../$kept.$$" # may be of another file system
    mv "$out/../$kept.$$" "$out/../$kept"
    chmod -R u+w "$work"; rm -rf "$work"; work=''
  fi
  ln -sfn "../$kept" "$out/$name"
done
for name; do if [ ! -e "$out/$name" ]; then echo "tools.sh: no tool called $name" >&2; exit 2; fi; done
echo "$out"
