#!/bin/sh
# sharp.sh: gets sharp, which benchmarks of pictures compare with, by npm, with the libvips that it brings, and prints its folder. It is
# kept beside the test servers, outside the checkout, under its version.
set -eu

version=0.35.5

out=${CALOTYPE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/calotype/bin}/sharp-$version
if [ ! -d "$out/node_modules/sharp" ]; then
  command -v npm >/dev/null 2>&1 || { echo "sharp.sh: needs Node.js 20 or newer, with npm, on the PATH" >&2; exit 1; }
  new=$out.new.$$
  trap 'rm -rf "$new"' EXIT
  trap 'exit 130' INT TERM
  mkdir -p "$new"
  npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix "$new" "sharp@$version" >&2
  mv "$new" "$out"
fi
echo "$out"
